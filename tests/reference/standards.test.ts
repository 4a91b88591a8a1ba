import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const pages = globSync('docs/standards/*.md', { cwd: root, exclude: ['docs/standards/README.md'] }).sort();
const text = (file: string) => readFileSync(join(root, file), 'utf8');

/** Every standard that the code follows, the RFCs by number; whoever adds one writes its page. */
const RFCS = [6585, 6749, 6750, 6890, 6901, 7009, 7523, 7636, 7662, 8252, 8414, 8693, 9110, 9112, 9126, 9207, 9396, 9449, 9700];
const FOLLOWED = ['ratelimit-headers', ...RFCS.map((rfc) => `rfc${rfc}`), 'standard-webhooks', 'whatwg-url'];

/** The rows of a page: clause, what holds, file, test. */
function rows(markdown: string): string[][] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| clause |'))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1));
}

/** What a page claims and is not so. */
function falseClaims(page: string, markdown: string): string[] {
  return rows(markdown).flatMap((row) => {
    const [clause = '', what = '', files = '', tests = ''] = row.map((cell) => cell.trim());
    const links = (cell: string) =>
      [...cell.matchAll(/\[(.+?)\]\(([^()\s]+)\)/g)].map(([, label = '', to = '']) => ({ label, to: join(dirname(page), to) }));
    const [written, shown] = [links(files), links(tests)];
    const problems = [
      ...(row.length === 4 && clause !== '' && what !== '' && written.length > 0 && shown.length > 0 ? [] : ['a row that is not whole']),
      ...[...written, ...shown].filter(({ to }) => !existsSync(join(root, to))).map(({ to }) => `${to} is not there`),
      ...written.filter(({ to }) => to.endsWith('.test.ts')).map(({ to }) => `${to} is a test, not where it is written`),
      ...shown
        .filter(({ to }) => existsSync(join(root, to)))
        .filter(
          ({ label, to }) =>
            !/^".+"$/.test(label) || !to.endsWith('.test.ts') || !text(to).includes(label.slice(1, -1).replaceAll('\\|', '|')),
        )
        .map(({ label, to }) => `${to} has no test ${label}`),
    ];
    return problems.map((problem) => `${clause}: ${problem}`);
  });
}

describe('docs/standards', () => {
  it('has a page for every standard that is followed here, listed on its first page', () => {
    expect(pages).toEqual(FOLLOWED.map((name) => `docs/standards/${name}.md`));
    for (const name of FOLLOWED) expect(text('docs/standards/README.md')).toContain(`(${name}.md)`);
  });

  it.each(pages)('%s: every file is there, and every title occurs in its test', (page) => {
    expect(rows(text(page)).length).toBeGreaterThan(3);
    expect(falseClaims(page, text(page))).toEqual([]);
  });

  it('a file that is not there, a title that does not occur and a row that is not whole are noticed', () => {
    // Put together, so that this file itself does not hold it.
    const absent = ['no such', 'title'].join(' ');
    const row = (file: string, test: string) => `| §1 | holds | ${file} | ${test} |\n`;
    const here = '../../packages/base/src/clock.ts';
    const shown = '[a file that is not there](../../tests/reference/standards.test.ts)';
    const page = [
      row(`[clock.ts](${here})`, '["a file that is not there, a title"](../../tests/reference/standards.test.ts)'),
      row('[gone.ts](../../gone.ts)', '["docs/standards"](../../tests/reference/standards.test.ts)'),
      row(`[clock.ts](${here})`, `["${absent}"](../../tests/reference/standards.test.ts)`),
      row(`[clock.ts](${here})`, shown),
      row('', '["docs/standards"](../../tests/reference/standards.test.ts)'),
    ].join('');
    expect(falseClaims('docs/standards/rfc0.md', page)).toEqual([
      '§1: gone.ts is not there',
      `§1: tests/reference/standards.test.ts has no test "${absent}"`,
      '§1: tests/reference/standards.test.ts has no test a file that is not there',
      '§1: a row that is not whole',
    ]);
  });
});
