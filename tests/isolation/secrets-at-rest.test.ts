import { Secret } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { createTwins, startFakeUpstream, type Twins, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { everythingStored, formsOf } from './everything-stored.ts';
import { attack } from './matrix.ts';
import { recordingLog } from './recording-log.ts';

let world: World;
let twins: Twins;
const { log, lines } = recordingLog();
const typed: string[] = [];

/** Every secret that was issued, typed in or fetched during the run. */
function everySecret(): string[] {
  const { victim, sibling, stranger, upstream } = twins;
  const meta = [victim, stranger].flatMap(({ metaToken, readingMetaToken, revokedMetaToken }) => [
    metaToken,
    readingMetaToken,
    revokedMetaToken,
  ]);
  return [...[victim, sibling, stranger].flatMap(({ secrets }) => secrets), ...meta, ...upstream.issued, ...typed].filter(
    (secret) => typeof secret === 'string' && secret.length > 0,
  );
}

beforeAll(async () => {
  const upstream = await startFakeUpstream();
  world = await World.create({ egressAllow: [upstream.address], log });
  twins = await createTwins(world, upstream);
  const { victim } = twins;
  const key = { authorization: `APIKey ${victim.apiKey}` };
  // Answers that hold a secret are kept for Idempotency-Key.
  const repeated = { authorization: `Bearer ${victim.metaToken}`, 'idempotency-key': 'once' };
  const created = await world.call('POST', `/v1/meta/applications/${victim.applicationId}/apikeys`, { headers: repeated });
  const again = await world.call('POST', `/v1/meta/applications/${victim.applicationId}/apikeys`, { headers: repeated });
  expect(again.json).toEqual(created.json);
  const rotated = await world.meta('POST', `/applications/${victim.applicationId}/webhooks/${victim.names.webhook}/rotate_secret`);
  const imported = {
    service: victim.names.oauth_service,
    account: 'imported',
    token: 'imported-access-token-1234567890',
    refresh_token: 'imported-refresh-token-1234567890',
  };
  expect((await world.call('POST', '/v1/accounts', { headers: { ...key, 'idempotency-key': 'import' }, body: imported })).status).toBe(201);
  const exchange = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: victim.names.access_token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  };
  const exchanged = await world.call('POST', '/v1/oauth/token', { headers: key, body: new URLSearchParams(exchange) });
  const shown = await world.call('GET', `/v1/accounts/${victim.names.account}?retrieve_tokens=true`, { headers: key });
  expect(shown.json.token).toMatch(/^upstream-access-/);
  typed.push(created.json.key, rotated.json.secret, imported.token, imported.refresh_token, exchanged.json.access_token);
  for (const secret of typed) expect(secret).toEqual(expect.any(String));
  // Errors and refusals of every kind are written about, too.
  await attack(
    world,
    twins,
    world.platform.routes.filter(({ id }) => !id.endsWith('.legacy')),
  );
}, 180_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await twins[Symbol.asyncDispose]();
});

describe('V2, V4: what lies in the database', () => {
  test('no secret that was ever issued, typed in or fetched lies there in any form', async () => {
    const { text, rows, unreadable } = await everythingStored(world.platform.db);
    expect(rows).toBeGreaterThan(100);
    expect(unreadable).toEqual(['bulkhead_migrations']);
    const found = everySecret().filter((secret) => formsOf(secret).some((form) => text.includes(form)));
    expect(found).toEqual([]);
    expect(everySecret().length).toBeGreaterThan(50);
  });

  test('control: what is no secret is found, as text and as bytes', async () => {
    const before = await everythingStored(world.platform.db);
    expect(formsOf(twins.victim.canary).some((form) => before.text.includes(form))).toBe(true);
    const forgotten = 'a-key-that-somebody-forgot-to-hash';
    await world.platform.db.withTenant(twins.victim.applicationId, (tx) =>
      tx.execute(
        sql`update oauth_keys set client_secret_sealed = ${Buffer.from(`....${forgotten}`)} where application_id = ${twins.victim.applicationId} and oauth_key_id = ${twins.victim.names.spare_oauth_key}`,
      ),
    );
    const after = await everythingStored(world.platform.db);
    expect(formsOf(forgotten).some((form) => after.text.includes(form))).toBe(true);
  });
});

describe('V4: what the log says', () => {
  test('no line of it holds a secret, in message, field, error or stack', () => {
    expect(lines.length).toBeGreaterThan(100);
    const text = lines.join('\n');
    expect(everySecret().filter((secret) => formsOf(secret).some((form) => text.includes(form)))).toEqual([]);
  });

  test('control: a secret that somebody logs as text is found, and one that is a Secret is not', () => {
    log.info('control', { asText: 'plain-text-secret', asSecret: new Secret('wrapped-secret') });
    const text = lines.join('\n');
    expect(text).toContain('plain-text-secret');
    expect(text).not.toContain('wrapped-secret');
  });
});
