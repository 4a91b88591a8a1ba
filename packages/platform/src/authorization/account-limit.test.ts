import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConnectWorld } from '../../test/connect-world.ts';

let world: ConnectWorld;
beforeAll(async () => {
  world = await ConnectWorld.create([], { accountsMax: 1 });
});
afterAll(() => world[Symbol.asyncDispose]());

describe('T5: a connect flow of an Application that holds as many accounts as it may', () => {
  it('ends with access_denied and the limit; the person who is connected already may come again', async () => {
    const application = await world.application();
    const endOf = async (person: string) => {
      world.upstream.person = { id: person, name: `${person}@example.com` };
      return new URL((await world.connect(application)).location).searchParams;
    };
    expect((await endOf('ann')).has('code')).toBe(true);
    const refused = await endOf('ben');
    expect(refused.get('error')).toBe('access_denied');
    expect(refused.get('error_description')).toContain('holds 1 accounts');
    expect(refused.has('code')).toBe(false);
    expect((await endOf('ann')).has('code')).toBe(true);
  });
});
