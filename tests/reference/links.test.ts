import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'ARCHITECTURE.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...globSync('docs/**/*.md', { cwd: root }),
];
const text = (page: string) => readFileSync(join(root, page), 'utf8');

/** What is no code: links are read there alone, and headings too. */
const prose = (markdown: string) => markdown.replaceAll(/^(?:```|~~~)[\s\S]*?^(?:```|~~~)$/gm, '');

function targets(markdown: string): string[] {
  const found = prose(markdown)
    .replaceAll(/`[^`\n]*`/g, '')
    .matchAll(/\]\(<?([^()\s>]+)>?(?: "[^"]*")?\)|^\[[^\]]+\]: +(\S+)/gm);
  return [...found].map(([, inline, referenced]) => inline ?? referenced ?? '');
}

/** As the forges make them out of headings: lower case, words joined by hyphens, other signs left out. */
function anchors(markdown: string): string[] {
  return [...prose(markdown).matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}

/** The links of a page that lead nowhere. */
function deadLinks(page: string, markdown: string): string[] {
  return targets(markdown).filter((target) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page : join(dirname(page), decodeURIComponent(path));
    if (path !== '' && !existsSync(join(root, file))) return true;
    return anchor !== undefined && !anchors(path === '' ? markdown : text(file)).includes(anchor);
  });
}

describe('what a reader follows', () => {
  it.each(pages)('every relative link of %s leads to a file, and its anchor to a heading', (page) => {
    expect(deadLinks(page, text(page))).toEqual([]);
  });

  it('a link to a page or a heading that is not there is noticed', () => {
    const page =
      '[a](docs/nowhere.md) [b](#here) [c](#not-here) [d](README.md#four-calls) [e](README.md#five-calls)\n\n[f]: gone.md\n\n## Here!\n';
    expect(deadLinks('PAGE.md', `${page}\`[g](code.md)\` [h](https://example.com/x)\n`)).toEqual([
      'docs/nowhere.md',
      '#not-here',
      'README.md#five-calls',
      'gone.md',
    ]);
  });
});

/** Lines of `sh` blocks with a comment: an interactive zsh, the shell of macOS, reads it as further words. */
function commented(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```(?:sh|console)\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
  return blocks.flatMap((block) => block.split('\n').filter((line) => /(?:^|\s)#/.test(line)));
}

describe('what a reader types', () => {
  it.each(['README.md', ...pages.filter((page) => page.startsWith('docs/guides/'))])('no command of %s carries a comment', (page) => {
    expect(commented(text(page))).toEqual([]);
  });

  it('a comment on a command is noticed; what only looks like one is not', () => {
    expect(commented('```sh\nls  # lists\n# alone\necho \'{"colour": "#0f766e"}\' $#\n```\n```text\nx # y\n```\n')).toEqual([
      'ls  # lists',
      '# alone',
    ]);
  });
});
