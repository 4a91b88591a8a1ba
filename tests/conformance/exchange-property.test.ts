import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DpopKey } from './dpop-key.ts';
import { asked, type Call, CALLS, type Limits, permits, reaches, type Reach, reachOf, type Step, step } from './exchange-model.ts';
import { type Fields, OAuthWorld } from './oauth-world.ts';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const DAY_SECONDS = 24 * 3600;

let oauth: OAuthWorld;
let keys: readonly [DpopKey, DpopKey];
let account: number;
let elsewhere: number;
beforeAll(async () => {
  oauth = await OAuthWorld.create();
  keys = [await DpopKey.create('Ed25519'), await DpopKey.create('Ed25519')];
  account = (await oauth.grant()).account_id;
  oauth.upstream.person = { id: 'grace', name: 'grace@upstream.example' };
  elsewhere = (await oauth.grant()).account_id;
});
afterAll(async () => {
  await oauth[Symbol.asyncDispose]();
});

/** A token, and what the model says it may do: no more than this, and than any of those before it. */
interface Held {
  readonly token: string;
  readonly details: readonly Limits[] | null;
  readonly reach: Reach;
  /** Seconds since the Unix epoch. */
  readonly expires: number;
  readonly key: DpopKey | null;
}

const nowSeconds = () => Math.floor(oauth.world.clock.now() / 1000);
const keyOf = ({ key }: Step): DpopKey | null => (key === 0 ? null : keys[key - 1]!);

async function exchange(subject: Held | null, wanted: Step) {
  const details = asked(wanted, subject?.details ?? null);
  const fields: Fields = {
    grant_type: EXCHANGE,
    subject_token: subject?.token ?? oauth.client.key,
    subject_token_type: subject === null ? 'urn:bulkhead:token-type:api-key' : 'urn:ietf:params:oauth:token-type:access_token',
    account_id: subject === null ? String(account) : undefined,
    scope: wanted.scope,
    expires_in: wanted.expiresIn?.toString(),
    authorization_details: details === undefined ? undefined : JSON.stringify(details.map((each) => ({ type: 'passthrough', ...each }))),
  };
  const present = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  const url = `${oauth.world.url}/v1/oauth/token`;
  const proof = await keyOf(wanted)?.proof({ method: 'POST', url, now: oauth.world.clock.now() });
  const answer = await oauth.world.call('POST', '/v1/oauth/token', {
    headers: { authorization: `APIKey ${oauth.client.key}`, ...(proof === undefined ? {} : { dpop: proof }) },
    body: new URLSearchParams(present),
  });
  return { answer, details };
}

async function call({ token, key }: Held, { method, path, origin }: Call, to = account): Promise<boolean> {
  const target = `/v1/accounts/${to}/proxy${path}`;
  const before = oauth.upstream.requests.length;
  const url = oauth.world.url + target;
  const proof = await key?.proof({ method, url, now: oauth.world.clock.now(), accessToken: token });
  const answer = await oauth.world.call(method, target, {
    headers: {
      authorization: `${key === null ? 'Bearer' : 'DPoP'} ${token}`,
      ...(proof === undefined ? {} : { dpop: proof }),
      ...(origin === undefined ? {} : { origin }),
    },
  });
  const arrived = oauth.upstream.requests.length > before;
  expect(arrived, `${answer.status} ${answer.text}`).toBe(answer.status === 200);
  return arrived;
}

const isActive = async (token: string): Promise<boolean> => (await oauth.post('/v1/oauth/introspect', { token })).json.active;

/** One exchange, judged: what it gave may do no more than its subject on any axis; null where it was refused, and rightly. */
async function judged(subject: Held | null, wanted: Step, depth: number): Promise<Held | null> {
  const { answer, details } = await exchange(subject, wanted);
  const held = { details: subject?.details ?? null, reach: subject?.reach ?? (2 as Reach) };
  const isBoundElsewhere = subject !== null && subject.key !== null && subject.key !== keyOf(wanted);
  if (answer.status !== 200) {
    expect(answer.json.error).toMatch(/^invalid_(scope|authorization_details|dpop_proof|request)$/);
    const mustBeGranted = wanted.scope === undefined && wanted.details.kind !== 'any' && !isBoundElsewhere && depth < 8;
    expect(mustBeGranted, `a narrower token was refused: ${answer.text}`).toBe(false);
    return null;
  }
  const { json } = answer;
  const child: Held = {
    token: json.access_token,
    details: details ?? held.details,
    reach: reachOf(json.scope),
    expires: (await oauth.post('/v1/oauth/introspect', { token: json.access_token })).json.exp,
    key: keyOf(wanted),
  };
  expect(isBoundElsewhere, 'bound to another key than its subject').toBe(false);
  expect(json.token_type).toBe(child.key === null ? 'Bearer' : 'DPoP');
  expect(json.account_id).toBe(account);
  expect(child.reach).toBeLessThanOrEqual(held.reach);
  const ceiling = nowSeconds() + Math.min(wanted.expiresIn ?? 3600, DAY_SECONDS);
  expect(Math.abs(child.expires - Math.min(ceiling, subject?.expires ?? ceiling))).toBeLessThanOrEqual(1);
  expect(child.expires).toBeLessThanOrEqual(subject?.expires ?? ceiling);
  for (const each of CALLS)
    if (permits(child.details, each)) expect(permits(held.details, each), `widened to ${JSON.stringify(each)}`).toBe(true);
  return child;
}

describe('V1 token exchange (RFC 8693) through any chain', () => {
  test('never widens on any axis, and a token dies with each of those it came from', { timeout: 300_000 }, async () => {
    let granted = 0;
    let refused = 0;
    let passed = 0;
    let stopped = 0;
    const chains = fc.asyncProperty(
      fc.array(step, { minLength: 2, maxLength: 7 }),
      fc.array(fc.constantFrom(...CALLS), { minLength: 3, maxLength: 5 }),
      fc.nat(),
      async (steps, calls, cut) => {
        const chain: Held[] = [];
        for (const wanted of steps) {
          const child = await judged(chain.at(-1) ?? null, wanted, chain.length);
          if (child === null) refused++;
          else granted++;
          if (child !== null) chain.push(child);
        }
        const leaf = chain.at(-1);
        if (leaf === undefined) return;
        for (const each of calls) {
          const allowed = chain.every(({ details, reach }) => permits(details, each) && reaches(reach, each));
          expect(await call(leaf, each), JSON.stringify(each)).toBe(allowed);
          if (allowed) passed++;
          else stopped++;
          expect(await call(leaf, each, elsewhere), 'another account').toBe(false);
        }
        const end = cut % chain.length;
        expect(await isActive(leaf.token)).toBe(true);
        await oauth.post('/v1/oauth/revoke', { token: chain[end]!.token });
        for (const [at, { token }] of chain.entries())
          expect(await isActive(token), `token ${at} of ${chain.length}, cut at ${end}`).toBe(at < end);
      },
    );
    await fc.assert(chains, { numRuns: 25 });
    // Control: neither "always refused" nor "always allowed" would have passed for it.
    for (const count of [granted, refused, passed, stopped]) expect(count).toBeGreaterThan(5);
  });

  test('each token of a chain ends with its own time, and none of them with a later one', { timeout: 120_000 }, async () => {
    const plain: Step = { details: { kind: 'inherit' }, scope: undefined, expiresIn: undefined, key: 0 };
    const lifetimes = fc.asyncProperty(fc.array(fc.integer({ min: 2, max: 100_000 }), { minLength: 2, maxLength: 5 }), async (times) => {
      // A whole second, so that what is told in seconds is exact.
      oauth.world.clock.advance(1000 - (oauth.world.clock.now() % 1000));
      const chain: Held[] = [];
      for (const expiresIn of times) chain.push((await judged(chain.at(-1) ?? null, { ...plain, expiresIn }, chain.length))!);
      const first = Math.min(...chain.map(({ expires }) => expires));
      for (const moment of [first - 1, first]) {
        oauth.world.clock.advance(Math.max(0, moment * 1000 - oauth.world.clock.now()));
        for (const { token, expires } of chain) expect(await isActive(token)).toBe(expires > moment);
      }
    });
    await fc.assert(lifetimes, { numRuns: 8 });
  });
});
