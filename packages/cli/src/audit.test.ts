import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configFrom, readEnvironment, sealAudit } from '@bulkhead/platform';
import { sql } from '@bulkhead/postgres';
import { pinoLog, withDatabase } from '@bulkhead/server';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CliWorld } from './cli-process.testkit.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });
const world = new CliWorld();
afterAll(() => world[Symbol.asyncDispose]());

let folder: string;
let url: string;
let metaToken: string;
const made: string[] = [];
const audit = (...args: string[]) => world.run(['audit', ...args], { BULKHEAD_DATA_DIR: folder });
const meta = async (method: string, path: string, body?: object) => {
  const headers = { authorization: `Bearer ${metaToken}`, 'content-type': 'application/json' };
  const answer = await fetch(`${url}/v1/meta${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  return { status: answer.status, json: (answer.status === 204 ? null : await answer.json()) as { id: string } };
};
const onDatabase = <T>(work: Parameters<typeof withDatabase<T>>[1]) =>
  withDatabase({ config: configFrom({ ...readEnvironment({}), dataDir: folder }, '/'), log: pinoLog('silent') }, work);

beforeAll(async () => {
  folder = await world.folder();
  const server = world.start(folder);
  url = await server.ready();
  metaToken = server.metaToken;
  for (const name of ['One', 'Two']) made.push((await meta('POST', '/applications', { name })).json.id);
});

describe('bulkhead audit', () => {
  it('verifies every log, prints where each ends, and takes that back as the head it must still have', async () => {
    await onDatabase((db) => sealAudit(db, new Date()));
    const all = await audit('verify', '--all');
    expect([all.exitCode, all.stderr]).toEqual([0, '']);
    for (const id of made) expect(all.stdout).toMatch(new RegExp(`^${id}  \\d+:[0-9a-f]{64}  ok: \\d+ entr`, 'm'));
    expect(all.stdout).toMatch(/^org\w+ {2}\d+:[0-9a-f]{64} {2}ok: /m);
    const heads = join(folder, 'heads.txt');
    await writeFile(heads, all.stdout);
    expect((await audit('verify', '--all', '--heads', heads)).exitCode).toBe(0);
    const head = new RegExp(`${made[0]}  (\\S+)`).exec(all.stdout)?.[1] ?? '';
    expect((await audit('verify', '--application', made[0]!, '--head', head)).exitCode).toBe(0);
    const ahead = head.replace(/^\d+/, '99');
    const cut = await audit('verify', '--application', made[0]!, '--head', ahead);
    expect([cut.exitCode, cut.stdout]).toEqual([1, expect.stringContaining('TAMPERED: The chain ends at seal')]);
  });

  it('says which entry was changed, and ends with 1', async () => {
    const [id] = await onDatabase((db) =>
      db.withSystem('tamper in a test', (tx) =>
        tx.query<{ audit_id: string }>(
          sql`update audit_entries set action = 'nothing' where application_id = ${made[1]!} and action = 'application.created' returning audit_id`,
        ),
      ),
    );
    const one = await audit('verify', '--application', made[1]!);
    expect([one.exitCode, one.stdout]).toEqual([1, expect.stringContaining(`TAMPERED: Entry ${id!.audit_id} was changed`)]);
    const all = await audit('verify', '--all', '--json');
    expect(all.exitCode).toBe(1);
    const lines = all.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; ok: boolean; entry?: string });
    expect(lines.filter(({ ok }) => !ok)).toMatchObject([{ id: made[1], entry: id!.audit_id }]);
  });

  it('lists what was done, since when it is asked for', async () => {
    const listed = await audit('list', '--application', made[0]!, '--json');
    const entries = listed.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { action: string; actor: { kind: string } });
    expect(entries[0]).toMatchObject({ action: 'application.created', actor: { kind: 'meta_token' } });
    expect((await audit('list', '--application', made[0]!)).stdout).toContain('application.created  meta_token:mtk');
    expect((await audit('list', '--application', made[0]!, '--since', '2100-01-01T00:00:00Z')).stdout).toBe('');
  });

  it('an Application that was deleted since has its deletion in the log of its organization; one that merely vanished has not', async () => {
    const doomed = (await meta('POST', '/applications', { name: 'Doomed' })).json.id;
    const heads = join(folder, 'heads-of-doomed.txt');
    await onDatabase((db) => sealAudit(db, new Date()));
    await writeFile(heads, (await audit('verify', '--application', doomed)).stdout);
    expect((await meta('DELETE', `/applications/${doomed}`)).status).toBe(204);
    await expect
      .poll(async () => (await audit('verify', '--application', doomed)).stdout, { timeout: 60_000, interval: 500 })
      .toContain('ok: erased with its Application');
    const vanished = (await meta('POST', '/applications', { name: 'Vanished' })).json.id;
    await onDatabase((db) =>
      db.withSystem('tamper in a test', (tx) => tx.execute(sql`delete from applications where application_id = ${vanished}`)),
    );
    await writeFile(heads, `${vanished}  1:${'0'.repeat(64)}  ok\n`);
    const gone = await audit('verify', '--all', '--heads', heads);
    expect([gone.exitCode, gone.stdout]).toEqual([
      1,
      expect.stringContaining(`${vanished}  -  TAMPERED: there is no such log, and no organization`),
    ]);
  });

  it.each([
    ['which log is not said', ['verify'], 'Which log?'],
    ['two logs are named', ['verify', '--application', 'appA', '--organization', 'orgA'], '--organization'],
    ['all and one are asked for', ['verify', '--all', '--application', 'appA'], '--all'],
    ['a head is none', ['verify', '--application', 'appA', '--head', '12'], '--head: expected SEQ:DIGEST'],
    ['a file of heads is not there', ['verify', '--all', '--heads', '/nowhere'], '--heads'],
    ['a time is none', ['list', '--application', 'appA', '--since', 'yesterday'], '--since'],
  ])('ends with 2 where %s', async (_title, args, said) => {
    const answer = await audit(...args);
    expect([answer.exitCode, answer.stderr]).toEqual([2, expect.stringContaining(said)]);
  });
});
