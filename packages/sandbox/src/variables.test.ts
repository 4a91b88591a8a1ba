import { readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { guests } from './guest.testkit.ts';

const KEY = 's3cret-of-this-test';
const given = { values: { KEY, REGION: 'eu "\\\n\u0007 ä', SHORT: 'eu' }, secrets: ['KEY', 'SHORT'] };

/** Every file below the folders of supervisors of this process that holds the text. */
function filesWith(text: string): string[] {
  const found: string[] = [];
  const look = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const at = statSync(path, { throwIfNoEntry: false });
      if (at?.isDirectory()) look(path);
      else if (at?.isFile() && readFileSync(path, 'latin1').includes(text)) found.push(path);
    }
  };
  for (const name of readdirSync(tmpdir())) if (name.startsWith(`bhs-${process.pid}-`)) look(join(tmpdir(), name));
  return found;
}

describe('variables', () => {
  test('are in process.env and nowhere on the disk once the instance listens', async () => {
    await using world = await guests();
    const code = 'export const run = () => ({ ...process.env });';
    const { outcome } = await world.call('one', code, { variables: given });
    expect(outcome).toEqual({ kind: 'ok', value: JSON.stringify(given.values) });
    expect(filesWith(KEY)).toEqual([]);
    // Another install of the same code has none of it.
    expect((await world.call('two', code)).outcome).toEqual({ kind: 'ok', value: '{}' });
  });

  test('control: before it listens they are in its folder, and would be found', async () => {
    await using world = await guests();
    // It never comes up: its folder is as the engine was given it.
    const starting = world.call('one', 'while (true); export const run = 1;', { variables: given, limits: { startMs: 1_500 } });
    await expect.poll(() => filesWith(KEY).length).toBe(1);
    expect((await starting).outcome).toEqual({ kind: 'timeout', limit: 'start' });
    expect(filesWith(KEY)).toEqual([]);
  });

  test.each([
    ['it writes', `console.log('the key is', process.env.KEY, process.env.SHORT)`],
    ['it throws', `throw new Error('no ' + process.env.KEY)`],
  ])('that are secrets are not in what %s, unless they are short', async (_, statement) => {
    await using world = await guests();
    const result = await world.call('one', `export const run = () => { ${statement}; };`, { variables: given });
    expect(JSON.stringify(result)).not.toContain(KEY);
    expect(JSON.stringify(result)).toContain('[secret]');
    if (statement.startsWith('console')) expect(result.logs[0]!.message).toBe('the key is [secret] eu');
  });

  test('that are secrets are not in what is said of code that does not load', async () => {
    await using world = await guests();
    const { outcome } = await world.call('one', 'throw new Error(process.env.KEY); export const run = 1;', { variables: given });
    expect(outcome).toMatchObject({ kind: 'crashed', detail: expect.stringContaining('[secret]') });
    expect(JSON.stringify(outcome)).not.toContain(KEY);
  });
});
