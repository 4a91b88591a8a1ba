import type { Finding, SourceFile } from './source-file.ts';

/** A reason is a few words, not a full stop. */
const reasonLengthMin = 10;

/**
 * Whoever switches a rule off says why, behind ` -- `, for one line and for named rules:
 * `// oxlint-disable-next-line no-console -- the start block is what the operator reads`.
 */
export function checkSuppressions(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  for (const { text, line } of file.comments) {
    const match = /^(?:oxlint|eslint)-(disable(?:-next-line|-line)?)(?![\w-])(.*)$/s.exec(text);
    if (match === null) continue;
    const [, kind, rest = ''] = match;
    const [rules = '', reason = ''] = rest.split(/\s--\s/, 2);
    const report = (problem: string): number => findings.push({ rule: 'suppressions', path: file.path, line, text: problem });
    if (rules.trim() === '') report('Name the rule that is switched off.');
    if (reason.trim().length < reasonLengthMin) report('Say why the rule is switched off: `-- reason`.');
    if (kind === 'disable') report('Switch a rule off for one line (-next-line, -line), not for the file.');
  }
  return findings;
}
