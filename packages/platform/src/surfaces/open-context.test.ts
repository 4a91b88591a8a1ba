import { alteredEnd, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(() => world[Symbol.asyncDispose]());

describe('a credential of the wrong kind', () => {
  it('is named by what it is, good or not, so that its owner finds the right scheme', async () => {
    const { apiKey } = await world.application();
    for (const sent of [apiKey, alteredEnd(apiKey)]) {
      const refused = await world.call('GET', '/v1/accounts', { headers: { authorization: `Bearer ${sent}` } });
      expect(refused.status).toBe(401);
      expect(refused.json.message).toContain('What was sent is an API key; here "Authorization: APIKey KEY"');
    }
    expect((await world.call('GET', '/v1/accounts', { headers: { authorization: `APIKey ${apiKey}` } })).status).toBe(200);
  });
});
