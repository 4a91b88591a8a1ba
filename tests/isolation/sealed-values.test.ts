import { sql } from '@bulkhead/postgres';
import { createTwins, startFakeUpstream, type Twin, type Twins, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let world: World;
let twins: Twins;
beforeAll(async () => {
  const upstream = await startFakeUpstream();
  world = await World.create({ egressAllow: [upstream.address] });
  twins = await createTwins(world, upstream);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await twins[Symbol.asyncDispose]();
});

/** The account's upstream token as its owner may ask for it: opens the sealed value. */
async function upstreamToken(twin: Twin, account = twin.names.account): Promise<{ status: number; token: unknown; text: string }> {
  const answer = await world.call('GET', `/v1/accounts/${account}?retrieve_tokens=true`, {
    headers: { authorization: `APIKey ${twin.apiKey}` },
  });
  return { status: answer.status, token: answer.json?.token, text: answer.text };
}

async function credentialOf(twin: Twin, account = twin.names.account): Promise<{ credential_id: string; sealed: Buffer; version: number }> {
  return world.platform.db.withTenant(twin.applicationId, (tx) =>
    tx.one<{ credential_id: string; sealed: Buffer; version: number }>(sql`
      select credential_id, sealed, version from credentials join accounts using (application_id, credential_id) where application_id = ${twin.applicationId} and account_id = ${Number(account)}`),
  );
}

async function replaced(twin: Twin, credentialId: string, sealed: Uint8Array, version: number): Promise<void> {
  await world.platform.db.withTenant(twin.applicationId, (tx) =>
    tx.execute(
      sql`update credentials set sealed = ${sealed}, version = ${version} where application_id = ${twin.applicationId} and credential_id = ${credentialId}`,
    ),
  );
}

/** Puts `sealed` where the victim's own was, asks for the token, and puts the own back. */
async function tokenWith(sealed: Uint8Array, version?: number): Promise<{ status: number; token: unknown; text: string }> {
  const own = await credentialOf(twins.victim);
  await replaced(twins.victim, own.credential_id, sealed, version ?? own.version);
  try {
    return await upstreamToken(twins.victim);
  } finally {
    await replaced(twins.victim, own.credential_id, own.sealed, own.version);
  }
}

describe('V3: a sealed value works only where it was put', () => {
  test('control: where it was put it opens, also after it was taken out and put back', async () => {
    const own = await credentialOf(twins.victim);
    expect((await tokenWith(Buffer.from(own.sealed))).token).toMatch(/^upstream-access-/);
    expect((await upstreamToken(twins.victim)).token).toMatch(/^upstream-access-/);
  });

  const refused = { status: 500, token: undefined };
  test("another tenant's value does not open, and the error says nothing of it", async () => {
    const foreign = await credentialOf(twins.stranger);
    const answer = await tokenWith(foreign.sealed);
    expect(answer).toMatchObject(refused);
    expect(answer.text).not.toContain(twins.stranger.canary);
  });

  test("another row's value of the same tenant does not open", async () => {
    expect(await tokenWith((await credentialOf(twins.victim, twins.victim.names.second_account)).sealed)).toMatchObject(refused);
  });

  test("another column's value of the same tenant does not open", async () => {
    const key = await world.platform.db.withTenant(twins.victim.applicationId, (tx) =>
      tx.one<{ sealed: Buffer }>(
        sql`select client_secret_sealed as sealed from oauth_keys where application_id = ${twins.victim.applicationId} and oauth_key_id = ${twins.victim.names.oauth_key}`,
      ),
    );
    expect(await tokenWith(key.sealed)).toMatchObject(refused);
  });

  test('an older value does not open as a newer one', async () => {
    const own = await credentialOf(twins.victim);
    expect(await tokenWith(own.sealed, own.version + 1)).toMatchObject(refused);
  });

  test.each([1, 4, 8, 12, 15, 16, 17])('with %i bytes cut off its end it does not open', async (bytes) => {
    const { sealed } = await credentialOf(twins.victim);
    expect(await tokenWith(sealed.subarray(0, sealed.byteLength - bytes))).toMatchObject(refused);
  });

  test.each([0, 3, 4, 10, 20, -1, -16, -17])('with the bit at byte %i turned it does not open', async (at) => {
    const { sealed } = await credentialOf(twins.victim);
    const turned = Buffer.from(sealed);
    const place = at < 0 ? turned.byteLength + at : at;
    turned[place] = turned[place]! ^ 1;
    expect(await tokenWith(turned)).toMatchObject(refused);
  });

  test('with the data key of another tenant under it, it does not open', async () => {
    const { victim, stranger } = twins;
    const row = await world.platform.db.withSystem("take another tenant's key", (tx) =>
      tx.one<{ wrapped_key: Buffer }>(sql`select wrapped_key from data_keys where application_id = ${stranger.applicationId}`),
    );
    const own = await world.platform.db.withSystem('exchange the wrapped keys', async (tx) => {
      const before = await tx.one<{ wrapped_key: Buffer }>(
        sql`select wrapped_key from data_keys where application_id = ${victim.applicationId}`,
      );
      await tx.execute(sql`update data_keys set wrapped_key = ${row.wrapped_key} where application_id = ${victim.applicationId}`);
      return before.wrapped_key;
    });
    // Keys are kept in memory for a while.
    world.clock.advance(60_000);
    expect(await upstreamToken(victim)).toMatchObject(refused);
    await world.platform.db.withSystem('put the wrapped key back', (tx) =>
      tx.execute(sql`update data_keys set wrapped_key = ${own} where application_id = ${victim.applicationId}`),
    );
    world.clock.advance(60_000);
    expect((await upstreamToken(victim)).token).toMatch(/^upstream-access-/);
  });
});
