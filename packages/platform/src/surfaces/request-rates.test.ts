import { type ApplicationId, applicationId, defineId, ManualClock, type PlatformError } from '@bulkhead/base';
import type { AnyRoute, IncomingCall } from '@bulkhead/http';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Principal } from '../access/index.ts';
import { RequestBudget } from './request-budget.ts';
import { RequestRates } from './request-rates.ts';

const LIMITS = { api: 2, passthrough: null, oauth: 2, meta: 2, webtrigger: 2 };
const organizationId = defineId('org');
/** Of five seconds. */
const QUOTA = 10;

let clock: ManualClock;
let rates: RequestRates;
beforeEach(() => {
  clock = new ManualClock(Date.UTC(2026, 0, 1));
  rates = new RequestRates(clock, LIMITS);
});

const apiKey = (id: ApplicationId = applicationId.generate()): Principal => ({ kind: 'api_key', applicationId: id, apiKeyId: 'key' });
const client = (id: ApplicationId, apiKeyId: string | null): Principal => ({ kind: 'client', applicationId: id, apiKeyId });
const metaToken = (id = organizationId.generate()): Principal => ({
  kind: 'meta_token',
  organizationId: id,
  metaTokenId: 'token',
  scopes: [],
});

/** What the caller hears: what is left, or how long to wait. */
function take(principal: Principal, rateClass = 'api'): { readonly left: number } | { readonly wait: number; readonly code: string } {
  const call = {} as IncomingCall;
  try {
    rates.take(principal, { rateClass } as AnyRoute, call);
  } catch (thrown) {
    const { retryAfterSeconds, code } = thrown as PlatformError;
    return { wait: retryAfterSeconds!, code };
  }
  return { left: Number(/r=(\d+)/.exec(call.answerFields?.[3] ?? '')?.[1]) };
}

function passed(principal: Principal, times: number, rateClass = 'api'): number {
  return Array.from({ length: times }, () => take(principal, rateClass)).filter((outcome) => 'left' in outcome).length;
}

describe('T5: how many requests an Application may make', () => {
  it('its quota may come at once, counted down to nothing; the next one is told how long to wait', () => {
    const caller = apiKey();
    expect(Array.from({ length: QUOTA + 2 }, () => take(caller))).toEqual([
      ...Array.from({ length: QUOTA }, (_, made) => ({ left: QUOTA - 1 - made })),
      { wait: 1, code: 'rate.exceeded' },
      { wait: 1, code: 'rate.exceeded' },
    ]);
  });

  it('after it, requests pass at the rate and no faster, and refused ones cost nothing', () => {
    const caller = apiKey();
    passed(caller, QUOTA);
    let through = 0;
    for (let tenth = 0; tenth < 100; tenth++) {
      clock.advance(100);
      through += passed(caller, 5);
    }
    expect(through).toBe(2 * 10);
  });

  it('whoever waits as long as it was told gets through', () => {
    rates = new RequestRates(clock, { ...LIMITS, api: 1 });
    const caller = apiKey();
    passed(caller, 5);
    const refused = take(caller) as { wait: number };
    clock.advance(refused.wait * 1_000);
    expect(take(caller)).toEqual({ left: 0 });
  });

  it.each([
    ['another Application', () => apiKey(), 'api'],
    ['another class', undefined, 'oauth'],
    ['a class without a limit', undefined, 'passthrough'],
    ['an organization', () => metaToken(), 'meta'],
  ])('%s has a quota of its own', (_what, other, rateClass) => {
    const caller = apiKey();
    passed(caller, QUOTA);
    expect(take(caller)).toHaveProperty('wait');
    expect(take(other?.() ?? caller, rateClass)).toHaveProperty('left');
  });

  it('the keys and tokens of one Application share its quota, those of one organization another', () => {
    const id = applicationId.generate();
    const organization = organizationId.generate();
    passed(apiKey(id), QUOTA);
    passed(metaToken(organization), QUOTA, 'meta');
    expect(take({ ...apiKey(id), apiKeyId: 'another' } as Principal)).toHaveProperty('wait');
    expect(take({ ...metaToken(organization), metaTokenId: 'another' } as Principal, 'meta')).toHaveProperty('wait');
  });

  it('a clock that is set back shuts nobody out for longer than a window', () => {
    const caller = apiKey();
    passed(caller, 3);
    clock.advance(-24 * 3_600_000);
    expect(take(caller)).toEqual({ wait: 1, code: 'rate.exceeded' });
    clock.advance(5_000);
    expect(passed(caller, QUOTA + 1)).toBe(QUOTA);
  });

  it.each([0.3, 3, 7, 333, 999_983])('%s requests per second, counted in fractions of a millisecond, come out right', (perSecond) => {
    rates = new RequestRates(clock, { ...LIMITS, api: perSecond });
    const caller = apiKey();
    clock.advance(30 * 24 * 3_600_000);
    const quota = Math.floor(perSecond * 5);
    const burst = Math.min(quota, 5_000);
    const first = take(caller);
    expect(first).toEqual({ left: quota - 1 });
    expect(passed(caller, burst - 1)).toBe(burst - 1);
    expect('left' in take(caller)).toBe(quota > burst);
  });
});

describe('T5: who is counted', () => {
  it('whoever names a public client spends nothing of its quota until it has succeeded', () => {
    const id = applicationId.generate();
    expect(passed(client(id, null), 5 * QUOTA, 'oauth')).toBe(5 * QUOTA);
    // Control: the Application itself, with its key, is counted from the first request on, and then both are refused.
    expect(passed(client(id, 'key'), 5 * QUOTA, 'oauth')).toBe(QUOTA);
    expect(take(client(id, null), 'oauth')).toHaveProperty('wait');
  });

  it('a public client that succeeds is counted', () => {
    const public_ = client(applicationId.generate(), null);
    const route = { rateClass: 'oauth' } as AnyRoute;
    for (let made = 0; made < QUOTA; made++) {
      expect(take(public_, 'oauth')).toHaveProperty('left');
      rates.charge(public_, route);
    }
    expect(take(public_, 'oauth')).toHaveProperty('wait');
  });

  it('who has proved who it is is not counted twice', () => {
    const caller = client(applicationId.generate(), 'key');
    take(caller, 'oauth');
    rates.charge(caller, { rateClass: 'oauth' } as AnyRoute);
    rates.charge(null, { rateClass: 'oauth' } as AnyRoute);
    expect(take(caller, 'oauth')).toEqual({ left: QUOTA - 2 });
  });
});

describe('T5: what is remembered', () => {
  it('is bounded by the Applications that called lately, and forgetting gives nobody anything', () => {
    const budget = new RequestBudget(2, 5);
    const through = (party: string, now: number, times: number) =>
      Array.from({ length: times }, () => budget.take(party, now)).filter(({ waitSeconds }) => waitSeconds === 0).length;
    through('busy', 0, QUOTA);
    for (let second = 0; second < 20; second++) {
      for (let one = 0; one < 500; one++) budget.take(`one of many ${second} ${one}`, second * 1_000);
      // The busy one stays at its limit all along.
      expect(through('busy', (second + 1) * 1_000, 5)).toBe(2);
    }
    // 10,000 came; those of the last second are not whole yet, and up to twice as many as were in use may stand until the next look.
    expect(budget.size).toBeLessThan(2_000);
  });
});
