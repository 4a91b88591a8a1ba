import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkDoors } from './doors.ts';
import { checkFloors } from './floors.ts';
import { type Finding, listSourceFiles, readSourceFile, type SourceFile } from './source-file.ts';
import { checkSuppressions } from './suppressions.ts';

/** The rules of this house that no general linter knows. */
export function checkFile(file: SourceFile): Finding[] {
  return [...checkFloors(file), ...checkDoors(file), ...checkSuppressions(file)];
}

/** Every finding in the tree below `root`, in the order of the files. */
export function checkTree(root: string): Finding[] {
  return listSourceFiles(root).flatMap((path) => checkFile(readSourceFile(root, path)));
}

export function renderFinding(finding: Finding): string {
  return `${finding.path}:${finding.line} ${finding.rule}: ${finding.text}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const findings = checkTree(join(import.meta.dirname, '../..'));
  for (const finding of findings) console.log(renderFinding(finding));
  console.log(findings.length === 0 ? 'floors, slices, faces, doors, suppressions: nothing found' : `${findings.length} found`);
  if (findings.length > 0) process.exitCode = 1;
}
