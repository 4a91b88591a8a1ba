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

const create = (twin: Twin, key: string, name = 'the same body') =>
  world.call('POST', '/v1/meta/applications', {
    headers: { authorization: `Bearer ${twin.metaToken}`, 'idempotency-key': key },
    body: { name },
  });
const importing = (twin: Twin, key: string) =>
  world.call('POST', '/v1/accounts', {
    headers: { authorization: `APIKey ${twin.apiKey}`, 'idempotency-key': key },
    body: { service: 'dropbox', account: 'the same body', token: 'the same token', identity_id: 'the same person' },
  });

describe("T4: one tenant's Idempotency-Keys mean nothing to another", () => {
  test('the same key and body of another organization make something of its own', async () => {
    const [ours, theirs, again] = [
      await create(twins.victim, 'shared'),
      await create(twins.stranger, 'shared'),
      await create(twins.victim, 'shared'),
    ];
    expect([ours.status, theirs.status]).toEqual([201, 201]);
    expect(theirs.json.id).not.toBe(ours.json.id);
    expect(theirs.json.default_api_key.key).not.toBe(ours.json.default_api_key.key);
    // Control: for its own organization the key is the same.
    expect(again.json).toEqual(ours.json);
  });

  test('the same key of another Application is not answered with what it is not shown', async () => {
    const answers = [
      await importing(twins.victim, 'shared'),
      await importing(twins.stranger, 'shared'),
      await importing(twins.sibling, 'shared'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map(({ json }) => json.id)).size).toBe(3);
    expect((await importing(twins.victim, 'shared')).json.id).toBe(answers[0]!.json.id);
  });

  test('another body under a key is a conflict only for whom the key belongs to', async () => {
    await create(twins.victim, 'taken');
    expect((await create(twins.victim, 'taken', 'another body')).status).toBe(409);
    expect((await create(twins.stranger, 'taken', 'another body')).status).toBe(201);
  });

  test('a Meta token that was given less does not get the answer that another one was given', async () => {
    await create(twins.victim, 'by-the-mighty');
    const answer = await world.call('POST', '/v1/meta/applications', {
      headers: { authorization: `Bearer ${twins.victim.readingMetaToken}`, 'idempotency-key': 'by-the-mighty' },
      body: { name: 'the same body' },
    });
    expect(answer.status).toBe(403);
    expect(answer.text).not.toContain('bhk_');
  });
});
