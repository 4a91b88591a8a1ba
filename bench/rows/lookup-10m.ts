import { type ApplicationId, defineTenantCredential } from '@bulkhead/base';
import type pg from 'pg';
import { alternate, figure, medians } from '../alternate.ts';
import type { Lab } from '../lab.ts';
import { cpuSecondsOf } from '../machine/child.ts';
import { warmUp } from '../machine/wrk.ts';
import type { Row } from '../row.ts';
import { type BulkheadServer, startBulkhead } from '../stack/bulkhead.ts';
import type { DatabaseUrls } from '../stack/cluster.ts';
import { applicationIdList, filler, insertAccounts, insertApplications } from '../stack/fill.ts';

const FEW = 1_000;
const MANY = 10_000_000;
const TOKENS_OF_ONE = 1_000;
/** So many of the tokens are asked for; more than the processor's caches hold pages of. */
const KNOWN_MAX = 100_000;

const accessToken = defineTenantCredential('bha');

// Nothing is remembered here: of a thousand tokens nearly all would be, of ten million nearly none, and that is not what is compared.

/** A database with `count` tokens, and the texts of some, spread evenly. */
async function fill(urls: DatabaseUrls, count: number): Promise<string[]> {
  await using client = await filler(urls);
  const ids = applicationIdList(Math.max(1, Math.round(count / TOKENS_OF_ONE)));
  await insertApplications(client, 'organization', ids);
  await insertAccounts(client, ids, 1);
  // A look-up goes by the primary key; the other indexes only cost time to build.
  await client.query('alter table access_tokens set unlogged');
  for (const name of ['grant', 'account', 'api_key', 'parent', 'expiry']) await client.query(`drop index access_tokens_by_${name}`);
  const knownEach = Math.max(1, Math.min(TOKENS_OF_ONE, Math.round(KNOWN_MAX / ids.length)));
  const known: string[] = [];
  for (let at = 0; at < ids.length; at += 500) known.push(...(await insertTokens(client, ids.slice(at, at + 500), knownEach)));
  await client.query('vacuum (analyze) access_tokens');
  await client.query('analyze; checkpoint');
  return known;
}

async function insertTokens(client: pg.Client, ids: readonly ApplicationId[], knownEach: number): Promise<string[]> {
  const insert = `insert into access_tokens (application_id, token_hash, account_id, scope, depth, parent_api_key_id, created_at, expires_at)
    select id, hash, 1, 'files:normal.raw.default:kloudless', 1, 'keyOfTheBenchmark', now(), now() + interval '1 day' from`;
  await client.query(
    `${insert} (select id, sha256((id || n)::bytea) as hash from unnest($1::text[]) id, generate_series(1, $2::int) n) made`,
    [ids, TOKENS_OF_ONE - knownEach],
  );
  const issued = ids.flatMap((id) => Array.from({ length: knownEach }, () => ({ id, token: accessToken.issue(id) })));
  await client.query(`${insert} unnest($1::text[], $2::bytea[]) as made (id, hash)`, [
    issued.map(({ id }) => id),
    issued.map(({ token }) => token.hash),
  ]);
  return issued.map(({ token }) => token.secret.reveal());
}

interface Side extends AsyncDisposable {
  /** Server processor time of one look-up, in µs. */
  readonly cpuPerLookUp: () => Promise<number>;
}

async function side(lab: Lab, name: string, count: number): Promise<Side> {
  const stack = new AsyncDisposableStack();
  const urls = stack.use(await (await lab.cluster()).database(name));
  const startedAt = performance.now();
  const tokens = shuffled(await fill(urls, count));
  lab.say(`  ${count.toLocaleString('en-US')} tokens built in ${figure((performance.now() - startedAt) / 1000)} s`);
  const server: BulkheadServer = stack.use(await startBulkhead(urls, { recalls: false }));
  const requests = tokens.map((token) => ({ path: '/v1/oauth/token', headers: { authorization: `Bearer ${token}` } }));
  const run = await lab.wrk.prepare({ url: server.url, requests, callers: 32, seconds: lab.seconds });
  const client = stack.use(await filler(urls));
  const cpu = async (): Promise<number> => {
    const { rows } = await client.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and application_name = 'bulkhead-app'`,
    );
    return rows.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0);
  };
  const cpuPerLookUp = async (): Promise<number> => {
    const before = await cpu();
    const result = await run();
    if (result.failures > 0) throw new Error(`${result.failures} look-ups failed`);
    return (((await cpu()) - before) * 1e6) / result.requests;
  };
  await warmUp(run, 10_000);
  return { cpuPerLookUp, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}

export const lookup10m: Row = {
  id: 'lookup-10m',
  what: 'token look-up with 10,000,000 tokens stored: processor time of PostgreSQL per look-up',
  yardstick: 'the same with 1,000 tokens stored',
  unit: 'ratio',
  reach: { atMost: 1.8 },
  needs: ['wrk', 'taskset'],
  async measure(lab) {
    const many = Math.max(FEW, Math.round(MANY * lab.scale));
    await using small = await side(lab, 'lookup_few', FEW);
    await using large = await side(lab, 'lookup_many', many);
    const measured = await alternate({
      rounds: lab.rounds,
      ours: large.cpuPerLookUp,
      yardstick: small.cpuPerLookUp,
      compare: (ours, yardstick) => ours / yardstick,
    });
    const size = `${many.toLocaleString('en-US')} tokens of ${(many / TOKENS_OF_ONE).toLocaleString('en-US')} Applications`;
    return { ...measured, note: `${medians(measured.samples, 'µs')}; ${size}, GET /v1/oauth/token, 32 callers.` };
  },
};
