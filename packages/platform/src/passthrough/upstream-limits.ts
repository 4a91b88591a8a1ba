import type { ApplicationId, Clock } from '@bulkhead/base';
import type { RawHeaders } from '@bulkhead/http';
import { passthroughErrors } from './passthrough-errors.ts';
import { headerValue } from './request-headers.ts';

/** However long a service asks an account to wait, it is asked again after this. */
const WAIT_MS_MAX = 5 * 60_000;
const ACCOUNTS_MAX = 10_000;

/**
 * What the services have said to the accounts of this process: "not before". Kept in memory, so each process is told once;
 * see docs/decisions/0019. One account's limit says nothing of another's.
 */
export class UpstreamLimits {
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws `passthrough.upstream_limited` while the account was told to wait. */
  assertNotLimited(applicationId: ApplicationId, accountId: number): void {
    if (this.#until.size === 0) return;
    const key = `${applicationId} ${accountId}`;
    const until = this.#until.get(key);
    if (until === undefined) return;
    const seconds = Math.ceil((until - this.#clock.now()) / 1000);
    if (seconds <= 0) return void this.#until.delete(key);
    throw passthroughErrors('passthrough.upstream_limited', { params: { seconds }, retryAfterSeconds: seconds });
  }

  /** Remembers what an answer says of the account's limit, if anything. */
  note(applicationId: ApplicationId, accountId: number, status: number, headers: RawHeaders): void {
    const waitMs = askedToWaitMs(status, headers, this.#clock.now());
    if (waitMs === null) return;
    const key = `${applicationId} ${accountId}`;
    // A Map keeps the order of insertion: the one told longest ago goes first.
    this.#until.delete(key);
    if (this.#until.size >= ACCOUNTS_MAX) this.#until.delete(this.#until.keys().next().value ?? '');
    this.#until.set(key, this.#clock.now() + Math.min(waitMs, WAIT_MS_MAX));
  }
}

/**
 * How long an answer asks its account to wait, in milliseconds; null where it does not. 429 (RFC 6585 §4) with `Retry-After`
 * (RFC 9110 §10.2.3) or, without one, the reset of `RateLimit` and its older names; 403 where it says that nothing remains
 * (GitHub).
 */
export function askedToWaitMs(status: number, headers: RawHeaders, now: number): number | null {
  if (status !== 429 && status !== 403) return null;
  const remaining = headerValue(headers, 'x-ratelimit-remaining') ?? headerValue(headers, 'ratelimit-remaining');
  const retryAfter = headerValue(headers, 'retry-after')?.trim();
  if (status === 403 && remaining?.trim() !== '0') return null;
  const wait = retryAfter === undefined ? resetMs(headers, now) : retryAfterMs(retryAfter, now);
  return wait !== null && wait > 0 ? wait : null;
}

function retryAfterMs(text: string, now: number): number | null {
  if (/^\d{1,9}(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const date = /^[A-Z][a-z]+,/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? null : date - now;
}

/** `RateLimit: "default";r=0;t=30`, `RateLimit: limit=9, remaining=0, reset=30` (drafts of the IETF), and what came before. */
function resetMs(headers: RawHeaders, now: number): number | null {
  const field = headerValue(headers, 'ratelimit');
  const inField = field === undefined ? null : /(?:^|[;,\s])(?:t|reset)=(\d{1,9})/.exec(field);
  if (inField) return Number(inField[1]) * 1000;
  for (const name of ['ratelimit-reset', 'x-ratelimit-reset', 'x-rate-limit-reset']) {
    const text = headerValue(headers, name)?.trim();
    if (text === undefined || !/^\d{1,13}(?:\.\d+)?$/.test(text)) continue;
    const value = Number(text);
    // Seconds from now, or a moment in seconds or milliseconds since 1970.
    if (value < 1e9) return value * 1000;
    return (value < 1e11 ? value * 1000 : value) - now;
  }
  return null;
}
