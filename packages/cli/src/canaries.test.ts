import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ApplicationId, Secret, silentLog } from '@bulkhead/base';
import { attachEmbeddedPostgres, openDatabase, sql } from '@bulkhead/postgres';
import { connectAccount, type FakeUpstream, openFlow, pkcePair, startFakeUpstream } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CliWorld } from './cli-process.testkit.ts';

// A whole server on a real disk, while other suites share the machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 300_000 });

const cli = new CliWorld();
let upstream: FakeUpstream;
/** Every secret that was typed in, issued or fetched, by what it is. */
const canaries = new Map<string, string>();
/** What is no secret and lies in plain columns: the sweep must find it. */
const plain = `plain-canary-${randomBytes(12).toString('hex')}`;
const errors: string[] = [];
let dump = '';
let log = '';
let folder = '';

function canary(what: string, text: string = `canary-${randomBytes(18).toString('hex')}`): string {
  expect(text, what).toEqual(expect.any(String));
  canaries.set(`${what} ${canaries.size}`, text);
  return text;
}

/** The forms in which a text may lie somewhere; base64 of it may begin at any of three places within a larger one. */
function formsOf(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const hex = bytes.toString('hex');
  const within = [0, 1, 2].map((shift) => {
    const whole = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    // Letters that depend on what stands before and after are left out.
    return whole.slice(shift === 0 ? 0 : 4, -4);
  });
  const forms = [text, hex, hex.toUpperCase(), ...within, ...within.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))];
  return [...new Set([...forms, encodeURIComponent(text), JSON.stringify(text).slice(1, -1)])].map((form) => Buffer.from(form));
}

const foundIn = (haystack: Buffer, text: string): boolean => formsOf(text).some((form) => haystack.includes(form));
const leaks = (haystack: Buffer): string[] => [...canaries].filter(([, text]) => foundIn(haystack, text)).map(([what]) => what);

async function filesBelow(path: string): Promise<{ name: string; bytes: Buffer }[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(files.map(async (name) => ({ name, bytes: await readFile(name) })));
}

async function call(url: string, method: string, path: string, options: { headers?: Record<string, string>; body?: unknown } = {}) {
  const { body } = options;
  const raw = body === undefined || typeof body === 'string' || body instanceof URLSearchParams;
  const answer = await fetch(path.startsWith('http') ? path : url + path, {
    method,
    redirect: 'manual',
    headers: { ...(raw ? {} : { 'content-type': 'application/json' }), ...options.headers },
    ...(body === undefined ? {} : { body: raw ? (body as string | URLSearchParams) : JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (answer.status >= 400) errors.push(`${answer.status} ${text}`);
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of every shape.
  let json: any;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: answer.status, headers: answer.headers, text, json };
}

async function everyRow(dataDir: string): Promise<string> {
  const urls = await attachEmbeddedPostgres({ dataDir, log: silentLog });
  const db = openDatabase({ ...urls!, log: silentLog, poolSize: 2 });
  try {
    return await db.withSystem('dump every table in a test', async (tx) => {
      const tables = await tx.query<{ name: string }>(sql`
        select relname as name from pg_class
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and has_table_privilege(oid, 'select') order by 1`);
      const rows: string[] = [];
      for (const { name } of tables)
        for (const { text } of await tx.query<{ text: string }>(
          sql`select to_jsonb(entry)::text as text from ${sql.identifier(name)} entry`,
        ))
          rows.push(`${name}: ${text}`);
      return rows.join('\n');
    });
  } finally {
    await db.close();
  }
}

/** The main flows, from a browser and a server, with a secret in every place that takes one. */
async function mainFlows(url: string, metaToken: string): Promise<void> {
  const caller = { url, call: (method: string, path: string, options = {}) => call(url, method, path, options) };
  const meta = async (method: string, path: string, body?: unknown, key?: string) => {
    const headers = { authorization: `Bearer ${metaToken}`, ...(key === undefined ? {} : { 'idempotency-key': key }) };
    const answer = await call(url, method, `/v1/meta${path}`, { headers, ...(body === undefined ? {} : { body }) });
    expect(answer.status, answer.text).toBeLessThan(300);
    return answer.json;
  };
  const clientSecret = canary('OAuth client secret');
  const created = await meta('POST', '/applications', { name: 'Swept', description: plain }, 'made-once');
  const id = created.id as ApplicationId;
  const below = `/applications/${id}`;
  const apiKey = canary('API key', created.default_api_key.key);
  canary('API key', (await meta('POST', `${below}/apikeys`, {}, 'key-once')).key);
  canary('webhook secret', (await meta('POST', `${below}/webhooks`, { url: 'https://hook.example/in' }, 'hook-once')).secret);
  const redirectUrl = 'https://company.example/callback';
  await meta('POST', `${below}/redirect_uris`, { url: redirectUrl });
  await meta('POST', `${below}/services`, upstream.oauthService('files', 'Files'));
  await meta('POST', `${below}/services`, upstream.keyService('notes', 'Notes'));
  await meta('POST', `${below}/oauth_keys`, { service: 'files', client_id: 'client', client_secret: clientSecret, scopes: ['files.read'] });
  const clone = await meta('POST', '/applications', { name: 'Clone', source: id }, 'clone-once');
  canary('API key', clone.default_api_key.key);

  const tenant = { applicationId: id, apiKey, redirectUrl, canary: 'sweep' };
  const grant = await connectAccount(caller, upstream, tenant, { service: 'files', person: { id: 'ada', name: 'ada@files.example' } });
  canary('access token', grant.access_token);
  canary('refresh token', grant.refresh_token);
  const typedKey = canary('typed API key', `key:bob:${randomBytes(18).toString('hex')}`);
  const second = await connectAccount(caller, upstream, tenant, { service: 'notes', apiKey: typedKey });
  canary('access token', second.access_token);
  const open = await openFlow(caller, tenant, 'files', 'notes');
  canary('transaction', open.transaction);
  canary('state', open.state);

  const key = { authorization: `APIKey ${apiKey}` };
  const imported = {
    service: 'files',
    account: 'imported',
    token: canary('imported token'),
    refresh_token: canary('imported refresh token'),
  };
  expect((await call(url, 'POST', '/v1/accounts', { headers: { ...key, 'idempotency-key': 'import' }, body: imported })).status).toBe(201);
  for (const path of [
    `/v1/accounts/${grant.account_id}/proxy/files`,
    `/v1/accounts/${second.account_id}/proxy/notes`,
    `/v1/accounts/${grant.account_id}?retrieve_tokens=true`,
  ])
    expect((await call(url, 'GET', path, { headers: key })).status).toBe(200);
  const form = (fields: Record<string, string>) => ({ headers: key, body: new URLSearchParams(fields) });
  const exchange = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: grant.access_token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  };
  canary('exchanged token', (await call(url, 'POST', '/v1/oauth/token', form(exchange))).json.access_token);
  const refreshed = await call(url, 'POST', '/v1/oauth/token', form({ grant_type: 'refresh_token', refresh_token: grant.refresh_token }));
  expect(refreshed.status, refreshed.text).toBe(200);
  canary('access token', refreshed.json.access_token);

  // Everything that is answered with an error, with a secret in it.
  const wrong = () => canary('worthless secret');
  const { verifier } = pkcePair();
  canary('PKCE verifier of the client', verifier);
  await call(url, 'GET', '/v1/accounts', { headers: { authorization: `APIKey ${wrong()}` } });
  await call(url, 'GET', '/v1/accounts', { headers: { authorization: `Bearer ${wrong()}` } });
  await call(url, 'GET', '/v1/meta/applications', { headers: { authorization: `Bearer ${wrong()}` } });
  await call(
    url,
    'POST',
    '/v1/oauth/token',
    form({ grant_type: 'authorization_code', code: wrong(), redirect_uri: redirectUrl, code_verifier: verifier }),
  );
  await call(url, 'POST', '/v1/oauth/token', form({ grant_type: 'refresh_token', refresh_token: wrong() }));
  await call(url, 'POST', '/v1/oauth/revoke', form({ token: wrong() }));
  await call(url, 'POST', '/v1/accounts', {
    headers: { ...key, 'content-type': 'application/json' },
    body: `{"service":"files","token":"${wrong()}",`,
  });
  await call(url, 'POST', '/v1/accounts', { headers: key, body: { service: 'nowhere', account: 'x', token: wrong() } });
  await call(url, 'POST', '/v1/accounts', { headers: key, body: { service: 'files', account: 'x', token: `${wrong()}\n` } });
  await call(url, 'GET', `/v1/oauth/callback/unknown?code=${wrong()}&state=${wrong()}`);
  expect((await call(url, 'DELETE', `/v1/accounts/${second.account_id}`, { headers: key })).status).toBeLessThan(300);
}

beforeAll(async () => {
  upstream = await startFakeUpstream();
  folder = await cli.folder();
  const started = cli.start(folder, { BULKHEAD_LOG_LEVEL: 'debug', BULKHEAD_EGRESS_ALLOW: upstream.address });
  const url = await started.ready();
  canary('Meta token', started.metaToken);
  await mainFlows(url, started.metaToken);
  for (const { path, query, body } of upstream.requests) {
    if (path === '/authorize') canary('state', query.get('state') ?? '');
    const verifier = path === '/token' ? new URLSearchParams(body).get('code_verifier') : null;
    if (verifier !== null) canary('PKCE verifier at the upstream', verifier);
  }
  for (const token of upstream.issued) canary('upstream token', token);
  dump = await everyRow(folder);
  // Stopped, so that everything is on the disk: tables by the last checkpoint, and the log before it.
  expect(await started.end()).toBe(0);
  log = started.stderr;
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

describe('V4: no secret in plain text, as it is, in hex, base64 or URL encoding', () => {
  it('in any file of the database on disk, its log of changes (WAL) included', async () => {
    const files = await filesBelow(join(folder, 'pg'));
    const wal = files.filter(({ name }) => name.includes('pg_wal'));
    expect(wal.length).toBeGreaterThan(0);
    const found = files.flatMap(({ name, bytes }) => leaks(bytes).map((what) => `${what} in ${name.slice(folder.length)}`));
    expect(found).toEqual([]);
    const rootKey = (await readFile(join(folder, 'root.key'), 'utf8')).trim();
    expect(files.filter(({ bytes }) => bytes.includes(rootKey) || bytes.includes(Buffer.from(rootKey, 'base64')))).toEqual([]);
    // The control: what is no secret is found, in a table and in the WAL.
    const plainIn = files.filter(({ bytes }) => foundIn(bytes, plain)).map(({ name }) => name);
    expect(plainIn.some((name) => name.includes('/base/'))).toBe(true);
    expect(plainIn.some((name) => name.includes('pg_wal'))).toBe(true);
  });

  it('in a dump of every table, tasks and kept answers included', () => {
    expect(leaks(Buffer.from(dump))).toEqual([]);
    for (const table of ['credentials', 'oauth_keys', 'webhooks', 'idempotency_keys', 'organization_idempotency_keys', 'audit_entries'])
      expect(dump).toContain(`\n${table}: `);
    // The control: the same sweep finds a secret in a plain column, in each form.
    expect(foundIn(Buffer.from(dump), plain)).toBe(true);
    const secret = canaries.get('OAuth client secret 1')!;
    for (const form of [
      secret,
      Buffer.from(secret).toString('hex'),
      Buffer.from(`x${secret}`).toString('base64'),
      Buffer.from(`xy${secret}z`).toString('base64url'),
    ])
      expect(leaks(Buffer.from(`${dump}\nnotes: {"text": "${form}"}`)), form).toEqual(['OAuth client secret 1']);
  });

  it('in the log of the process at its most talkative, nor in any error that was answered', () => {
    expect(log).toContain('"level":');
    expect(log.length).toBeGreaterThan(1_000);
    expect(leaks(Buffer.from(log))).toEqual([]);
    expect(errors.length).toBeGreaterThanOrEqual(8);
    expect(leaks(Buffer.from(errors.join('\n')))).toEqual([]);
    expect(new Set([...canaries.keys()].map((what) => what.replace(/ \d+$/, ''))).size).toBeGreaterThanOrEqual(15);
    // The control: one that is logged as text is found.
    expect(leaks(Buffer.from(`${log}${canaries.get('OAuth client secret 1')}`))).toEqual(['OAuth client secret 1']);
    expect(String(new Secret('x'))).toBe('[redacted]');
  });
});
