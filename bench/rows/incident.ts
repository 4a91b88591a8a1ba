import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { figure, median, spreadOf } from '../alternate.ts';
import type { Lab } from '../lab.ts';
import type { Row } from '../row.ts';
import type { DatabaseUrls } from '../stack/cluster.ts';
import { applicationIdList, filler, insertAccounts, insertApplications } from '../stack/fill.ts';

const APPLICATIONS = 100;
const CONNECTIONS = 10_000;
const BULKHEAD = fileURLToPath(new URL('../../packages/cli/bin/bulkhead.mjs', import.meta.url));

/** Each account with a sealed credential, a grant, its refresh token, its access token, and a token exchanged from that. */
const CONNECTION: readonly string[] = [
  `insert into credentials (application_id, credential_id, service, sealed, refreshable)
   select application_id, 'crd' || account_id, service, sha256(account::bytea), true from accounts`,
  `update accounts set credential_id = 'crd' || account_id`,
  `insert into grants (application_id, grant_id, account_id, scope)
   select application_id, 'grt' || account_id, account_id, effective_scope from accounts`,
  `insert into refresh_tokens (application_id, token_hash, grant_id, expires_at)
   select application_id, sha256((application_id || grant_id)::bytea), grant_id, now() + interval '30 days' from grants`,
  `insert into access_tokens (application_id, token_hash, account_id, scope, grant_id, expires_at)
   select application_id, sha256((application_id || 'a' || account_id)::bytea), account_id, scope, grant_id, now() + interval '1 hour' from grants`,
  `insert into access_tokens (application_id, token_hash, account_id, scope, depth, parent_token_hash, expires_at)
   select application_id, sha256((application_id || 'b' || account_id)::bytea), account_id, scope, 1, token_hash, expires_at from access_tokens`,
];

async function fill(client: pg.Client, applications: number, each: number): Promise<void> {
  const ids = applicationIdList(applications);
  await insertApplications(client, 'organization', ids);
  await insertAccounts(client, ids, each);
  for (const statement of CONNECTION) await client.query(statement);
  await client.query('set session_replication_role = origin');
  await client.query('vacuum (analyze)');
  await client.query('checkpoint');
}

/** The command as an operator types it, from the first key to the last line. */
async function revokeAll(urls: DatabaseUrls): Promise<{ readonly seconds: number; readonly revoked: unknown }> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [BULKHEAD, 'tokens', 'revoke', '--all', '--yes', '--json'], {
    env: {
      ...process.env,
      // The socket's folder stands in the query; the setting wants a host as well.
      BULKHEAD_DATABASE_URL: urls.adminUrl.replace('@/', '@localhost/'),
      BULKHEAD_ROOT_KEY: randomBytes(32).toString('base64'),
      BULKHEAD_LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [said, complaint] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error(`tokens revoke ended with ${child.exitCode}: ${complaint}`);
  return { seconds: (performance.now() - startedAt) / 1000, revoked: JSON.parse(said) };
}

async function round(lab: Lab, number: number, applications: number, each: number): Promise<{ seconds: number; sound: boolean }> {
  await using urls = await (await lab.cluster()).database(`incident_${number}`);
  await using client = await filler(urls);
  await fill(client, applications, each);
  const { seconds } = await revokeAll(urls);
  const { rows } = await client.query<{ left: string; told: string }>(`
    select (select count(*) from access_tokens) + (select count(*) from refresh_tokens) + (select count(*) from grants)
         + (select count(*) from accounts where credential_id is not null or health <> 'broken') as left,
           (select count(*) from tasks) as told`);
  const sound = rows[0]?.left === '0' && rows[0].told === String(applications * each);
  return { seconds, sound };
}

export const incident: Row = {
  id: 'incident',
  what: '`bulkhead tokens revoke --all` with 10,000 connections in 100 Applications, from the command to its last line',
  yardstick: 'none: one minute',
  unit: 's',
  reach: { atMost: 60 },
  needs: [],
  async measure(lab) {
    const each = Math.max(1, Math.round((CONNECTIONS / APPLICATIONS) * lab.scale));
    const rounds: { seconds: number; sound: boolean }[] = [];
    for (let number = 0; number < lab.rounds; number += 1) rounds.push(await round(lab, number, APPLICATIONS, each));
    const seconds = rounds.map((one) => one.seconds);
    return {
      value: median(seconds),
      samples: seconds.map((ours) => ({ ours, yardstick: null })),
      spread: spreadOf(seconds),
      sound: rounds.every(({ sound }) => sound),
      note: `${figure(APPLICATIONS * each)} connections with a grant, a refresh token and two access tokens each; all dead, each upstream credential queued for its service.`,
    };
  },
};
