import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { declaredErrors, type ErrorEntry } from '@bulkhead/base';

/** The demo's own are not ours to promise; app-kit's have a page of their own. */
const APART = /^(?:demo|app_kit)\./;

/** Every error that a package of the server declares, whether or not the server has wired its slice yet. */
export async function allErrors(root: string): Promise<ReadonlyMap<string, ErrorEntry>> {
  for await (const file of glob('packages/*/src/**/*.ts', { cwd: root })) {
    if (/\.(test|testkit)\.ts$/.test(file) || !(await readFile(join(root, file), 'utf8')).includes('defineErrors({')) continue;
    await import(pathToFileURL(join(root, file)).href);
  }
  return new Map([...declaredErrors()].filter(([code]) => !APART.test(code)).sort(([left], [right]) => (left < right ? -1 : 1)));
}

const INTRODUCTION = `# Errors

Made from the catalogues in the code by \`npm run docs\`; a test fails where the two differ.

An answer that is an error says what is wrong and, where there is one, the way out:

\`\`\`json
{ "status_code": 404, "message": "…", "error_code": "not_found", "code": "not_found", "field": "name", "id": "the request id" }
\`\`\`

\`error_code\` is what Kloudless clients know and branch on; \`code\` is finer and stands in the first column below; \`field\` names the part of the request that is at fault, where one is. OAuth endpoints answer \`{"error", "error_description"}\` (RFC 6749 §5.2) with the word of the third column. \`id\` is also in \`X-Request-Id\` and in the server's log: quote it when you ask.

What belongs to somebody else answers exactly like what does not exist: 404 \`not_found\`. Codes stay; texts may change.
`;

/** \`docs/reference/errors.md\`. Pure. */
export function errorPage(errors: ReadonlyMap<string, ErrorEntry>): string {
  const groups = Map.groupBy(errors, ([code]) => (code.includes('.') ? (code.split('.')[0] ?? code) : 'any request'));
  const sections = [...groups].sort(
    ([left], [right]) => Number(right === 'any request') - Number(left === 'any request') || (left < right ? -1 : 1),
  );
  return [INTRODUCTION, ...sections.map(([name, entries]) => section(name, entries))].join('\n');
}

function section(name: string, entries: readonly (readonly [string, ErrorEntry])[]): string {
  const rows = entries.map(
    ([code, { status, wire, oauth, text }]) =>
      `| \`${code}\` | ${status} \`${wire}\` | ${oauth === undefined ? '' : `\`${oauth}\``} | ${cell(text)} |`,
  );
  return [`## ${name}`, '', '| code | status, `error_code` | OAuth | text |', '|---|---|---|---|', ...rows, ''].join('\n');
}

function cell(text: string): string {
  return text
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')
    .replaceAll(/\{(\w+)\}/g, '*$1*');
}

/** The codes that a page documents, in its order: what the drift test compares. */
export function documentedCodes(page: string): string[] {
  return [...page.matchAll(/^\| `([a-z0-9_.]+)` \|/gm)].map(([, code = '']) => code);
}
