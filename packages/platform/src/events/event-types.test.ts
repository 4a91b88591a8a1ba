import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type EventType, eventTypes } from './event-types.ts';

const source = join(import.meta.dirname, '..');
const types = Object.keys(eventTypes) as EventType[];
/** The code of every slice that appends, by file. */
let appending: ReadonlyMap<string, string>;

beforeAll(async () => {
  const found = new Map<string, string>();
  for await (const file of glob('**/*.ts', { cwd: source })) {
    if (/\.(test|testkit)\.ts$/.test(file) || file.startsWith('events/')) continue;
    const text = await readFile(join(source, file), 'utf8');
    if (/\bappendEvents?\(/.test(text)) found.set(file, text);
  }
  appending = found;
});

describe('the catalogue of events', () => {
  it.each(types)('%s is appended somewhere', (type) => {
    expect([...appending].filter(([, text]) => text.includes(`'${type}'`)).map(([file]) => file)).not.toEqual([]);
  });

  it('has every type that is appended anywhere', () => {
    const named = [...appending.values()].flatMap((text) =>
      [...text.matchAll(/^.*\btype\b.*$/gm)].flatMap(([line]) =>
        [...line.matchAll(/'((?:account|application|webhook|inbound|install|function)\.[a-z_]+)'/g)].map(([, type]) => type),
      ),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((type) => !types.includes(type as EventType))).toEqual([]);
  });

  it.each(types)('%s has an example that its schema takes, and takes no field beside', (type) => {
    const { schema, example } = eventTypes[type];
    expect(schema.parse(example)).toEqual(example);
    expect(schema.safeParse({ ...example, access_token: 'secret' }).success).toBe(false);
  });
});
