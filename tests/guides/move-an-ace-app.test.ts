import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const guide = readFileSync(`${root}docs/guides/move-an-ace-app.md`, 'utf8');
const codeOf = (folder: string) =>
  readdirSync(`${root}examples/${folder}`)
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(`${root}examples/${folder}/${name}`, 'utf8'));
const examples = [...codeOf('ace-app-before'), ...codeOf('ace-app-after')];
const blocks = [...guide.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);

describe('the guide to moving an App', () => {
  test.each(blocks.map((block, at) => [at + 1, block] as const))('block %i stands in the example as it is shown', (_, block) => {
    expect(
      examples.some((code) => code.includes(block)),
      block,
    ).toBe(true);
  });

  test('shows something, and a changed block would be noticed', () => {
    expect(blocks.length).toBeGreaterThan(6);
    expect(examples.some((code) => code.includes(blocks[0]!.replace('addon', 'addOn')))).toBe(false);
  });

  test('names only what the move’s test sends to both Apps with a star, and each of those', () => {
    const starred = [...guide.matchAll(/^\| ([\d*, ]+) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/(\d+)\*/g)].map(([, number]) => number),
    );
    const tested = readFileSync(`${root}tests/apps/move-from-ace.test.ts`, 'utf8');
    expect(starred.toSorted()).toEqual([...tested.matchAll(/'(\d+)\. /g)].map(([, number]) => number).toSorted());
  });
});
