import { alteredEnd, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

/** Of five seconds, with one request per second. */
const QUOTA = 5;

let world: World;
let noisy: { id: string; apiKey: string };
let quiet: { id: string; apiKey: string };
beforeAll(async () => {
  world = await World.create({ rateLimits: { api: 1, oauth: 1 } });
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  world.clock.advance(60_000);
  [noisy, quiet] = await Promise.all([world.application(), world.application()]);
});

const list = ({ apiKey }: { apiKey: string }) => world.call('GET', '/v1/accounts', { headers: { authorization: `APIKey ${apiKey}` } });
const verify = (headers: Record<string, string>) => world.call('GET', '/v1/oauth/token', { headers });

const introspect = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
  world.call('POST', '/v1/oauth/introspect', { headers, body: new URLSearchParams({ token: 'none', ...fields }) });

/** A token for an account of the Application. */
async function exchanged({ apiKey }: { apiKey: string }): Promise<string> {
  const authorization = `APIKey ${apiKey}`;
  const { json } = await world.call('POST', '/v1/accounts', {
    headers: { authorization },
    body: { service: 'dropbox', account: 'a@example.com', token: 'upstream' },
  });
  const answer = await world.call('POST', '/v1/oauth/token', {
    headers: { authorization },
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: apiKey,
      subject_token_type: 'urn:bulkhead:token-type:api-key',
      account_id: String(json.id),
    }),
  });
  return answer.json.access_token;
}

async function exhaust(): Promise<void> {
  const outcomes = await Promise.all(Array.from({ length: 20 * QUOTA }, () => list(noisy)));
  expect(outcomes.filter(({ status }) => status === 200)).toHaveLength(QUOTA);
  expect(outcomes.filter(({ status }) => status === 429)).toHaveLength(19 * QUOTA);
}

describe('T5: rate limits', () => {
  it('every answer says what is left of the quota, and the one that is refused how long to wait', async () => {
    const first = await list(noisy);
    expect(first.status).toBe(200);
    expect(first.headers.get('ratelimit-policy')).toBe('"api";q=5;w=5');
    expect(first.headers.get('ratelimit')).toBe('"api";r=4;t=1');
    const missing = await world.call('GET', '/v1/accounts/1', { headers: { authorization: `APIKey ${noisy.apiKey}` } });
    expect([missing.status, missing.headers.get('ratelimit')]).toEqual([404, '"api";r=3;t=2']);
    for (let left = 3; left > 0; left--) expect((await list(noisy)).status).toBe(200);
    const refused = await list(noisy);
    expect(refused.status).toBe(429);
    expect(refused.json).toMatchObject({ status_code: 429, error_code: 'too_many_requests', code: 'rate.exceeded' });
    expect(refused.json.message).toContain('5 requests of the class "api" came from this Application within 5 seconds');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('ratelimit')).toBe('"api";r=0;t=5');
    expect(refused.headers.get('content-type')).toBe('application/json');
    // Control: after that time it gets through.
    world.clock.advance(1_000);
    expect((await list(noisy)).status).toBe(200);
  });

  it('one that makes twenty times its quota is refused; another beside it hears nothing of it', async () => {
    const beside: number[] = [];
    const watching = (async () => {
      for (let made = 0; made < QUOTA; made++) beside.push((await list(quiet)).status);
    })();
    await Promise.all([exhaust(), watching]);
    expect(beside).toEqual(Array.from({ length: QUOTA }, () => 200));
  });

  it('an OAuth client is told in the words of OAuth', async () => {
    const header = { authorization: `APIKey ${noisy.apiKey}` };
    for (let made = 0; made < QUOTA; made++) expect((await introspect({}, header)).status).toBe(200);
    const refused = await introspect({}, header);
    expect(refused.status).toBe(429);
    expect(refused.json).toMatchObject({ error: 'temporarily_unavailable' });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('ratelimit-policy')).toBe('"oauth";q=5;w=5');
    // Control: the other class has its own quota.
    expect((await list(noisy)).status).toBe(200);
  });

  it.each([
    ['an invented key', () => list({ apiKey: alteredEnd(noisy.apiKey) })],
    ['a key of the right form that was never issued', () => list({ apiKey: `${noisy.apiKey.slice(0, -20)}${'A'.repeat(20)}` })],
    ['no credential', () => world.call('GET', '/v1/accounts')],
    ['a bearer that is none', () => verify({ authorization: `Bearer bha_${noisy.id}_nothing` })],
    ['a wrong client secret', () => introspect({ client_id: noisy.id, client_secret: 'wrong' })],
    [
      'the name of a public client, with a code that is none',
      () =>
        world.call('POST', '/v1/oauth/token', {
          body: new URLSearchParams({
            grant_type: 'authorization_code',
            client_id: noisy.id,
            code: 'none',
            redirect_uri: 'https://a.example',
          }),
        }),
    ],
  ])('%s spends nothing of anybody', async (_what, call) => {
    for (let made = 0; made < 3 * QUOTA; made++) expect((await call()).status).toBeOneOf([400, 401]);
    const [list_, introspected] = [await list(noisy), await introspect({}, { authorization: `APIKey ${noisy.apiKey}` })];
    expect([list_.headers.get('ratelimit'), introspected.headers.get('ratelimit')]).toEqual(['"api";r=4;t=1', '"oauth";r=4;t=1']);
  });

  it('a public client spends of its quota by what it changes, not by what anybody could ask in its name', async () => {
    const revoke = (token: string) => world.call('POST', '/v1/oauth/revoke', { body: new URLSearchParams({ client_id: noisy.id, token }) });
    const left = (answer: { headers: Headers }) => answer.headers.get('ratelimit');
    const token = await exchanged(noisy);
    world.clock.advance(60_000);
    for (let made = 0; made < 3 * QUOTA; made++) expect((await revoke(alteredEnd(token))).status).toBe(200);
    expect(left(await revoke(token))).toBe('"oauth";r=4;t=1');
    expect(left(await revoke(token))).toBe('"oauth";r=3;t=2');
  });

  it('nobody who has not proved who it is learns that a quota is used up', async () => {
    await exhaust();
    const refused = await list({ apiKey: alteredEnd(noisy.apiKey) });
    expect([refused.status, refused.headers.get('ratelimit')]).toEqual([401, null]);
    // Control: with the right key one does.
    expect((await list(noisy)).status).toBe(429);
  });

  it('a browser of another origin may read what is left', async () => {
    const answer = await world.call('GET', '/v1/accounts', {
      headers: { authorization: `APIKey ${noisy.apiKey}`, origin: 'https://app.example' },
    });
    expect(answer.headers.get('access-control-expose-headers')).toContain('ratelimit, ratelimit-policy');
  });

  it('a request whose answer is kept under its Idempotency-Key counts each time it is asked for', async () => {
    const create = () => world.meta('POST', '/applications', { name: 'Once' }, { 'idempotency-key': 'one-and-the-same' });
    const left = async () => Number(/r=(\d+)/.exec((await create()).headers.get('ratelimit') ?? '')?.[1]);
    expect((await left()) - (await left())).toBe(1);
  });
});

describe('T5: rate limits beside what is open to anybody', () => {
  it.each(['/healthz', '/readyz', '/v1/openapi.json'])('%s counts for nobody', async (path) => {
    const answer = await world.call('GET', path);
    expect([answer.status, answer.headers.get('ratelimit')]).toEqual([200, null]);
  });
});
