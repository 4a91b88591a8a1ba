import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundleFunctions } from './bundle-functions.ts';
import { parseManifest } from './function-manifest-file.ts';

const good = `app: notes
functions:
  - key: count
    handler: src/index.count
permissions:
  external:
    fetch:
      backend:
        - api.example.com
`;

const problems = (text: string): string => {
  try {
    parseManifest('bulkhead.yml', text);
    return 'none';
  } catch (thrown) {
    return (thrown as Error).message;
  }
};

describe('bulkhead.yml', () => {
  it('is read as it stands', () => {
    expect(parseManifest('bulkhead.yml', good)).toEqual({
      app: 'notes',
      functions: [{ key: 'count', handler: 'src/index.count' }],
      permissions: { external: { fetch: { backend: ['api.example.com'] } } },
    });
  });

  it.each([
    ['text that is no YAML', 'app: [', /^bulkhead\.yml:1:\d+: /],
    ['nothing', '', /^bulkhead\.yml:1:1: the manifest: /],
    ['an unknown field', good.replace('functions:', 'modules: {}\nfunctions:'), /^bulkhead\.yml:2:1: modules: there is no such field$/],
    [
      'an unknown field deep inside',
      good.replace('handler:', 'timeout: 3\n    handler:'),
      /^bulkhead\.yml:4:5: functions\.0\.timeout: there is no such field$/,
    ],
    ['a field that is missing', good.replace('    handler: src/index.count\n', ''), /^bulkhead\.yml:3:5: functions\.0\.handler: /],
    [
      'a key that is none',
      good.replace('key: count', 'key: Count!'),
      /^bulkhead\.yml:3:5: functions\.0\.key: expected a letter in lower case/,
    ],
    [
      'a host with a path',
      good.replace('api.example.com', 'api.example.com/x'),
      /^bulkhead\.yml:9:11: permissions\.external\.fetch\.backend\.0: expected a host/,
    ],
    ['a key twice', `${good}app: notes\n`, /^bulkhead\.yml:10:1: /],
    [
      'a bomb of aliases',
      `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n`,
      /too many aliases/,
    ],
  ])('with %s is refused, with line and column', (_, text, said) => {
    expect(problems(text)).toMatch(said);
  });

  it('tells everything that is wrong at once', () => {
    expect(problems(good.replace('app: notes', 'app: "a b"').replace('count\n', 'Count!\n')).split('\n')).toHaveLength(2);
  });
});

describe('the guide to functions', () => {
  it('has a manifest that is good, and code that builds', async () => {
    const guide = await readFile(join(import.meta.dirname, '../../../docs/guides/write-a-function.md'), 'utf8');
    const block = (language: string) => new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(guide)?.[1] ?? '';
    const folder = await mkdtemp(join(tmpdir(), 'bulkhead-guide-'));
    try {
      await mkdir(join(folder, 'src'));
      await writeFile(join(folder, 'src', 'index.ts'), block('ts'));
      const code = await bundleFunctions(folder, parseManifest('bulkhead.yml', block('yaml')));
      expect(code).toMatch(/export \{\s+count\s+\}/);
      expect(code).not.toContain("@bulkhead/functions-kit'");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
