const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Waits after the first, second … failed attempt: with the one that is made at once, eight attempts over some 28 hours. */
const LADDER = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR] as const;
/** Up to this part of a step is added by chance, so that what failed together does not come back together. */
const JITTER = 0.1;
/** An endpoint cannot put us off for longer. */
const RETRY_AFTER_MAX_MS = 24 * HOUR;

export const ATTEMPTS_MAX = LADDER.length + 1;

/** Milliseconds until the next attempt after `attempts` failed ones, or null: that was the last. `chance` is in [0, 1). */
export function retryDelayMs(attempts: number, retryAfterMs: number | null, chance: number): number | null {
  const step = LADDER[attempts - 1];
  if (step === undefined) return null;
  return Math.max(Math.round(step * (1 + JITTER * chance)), retryAfterMs ?? 0);
}

/** `Retry-After` (RFC 9110 §10.2.3) in milliseconds from `now`: seconds or a date. Null where it is absent or says nothing. */
export function readRetryAfter(value: string | null, now: number): number | null {
  if (value === null) return null;
  const text = value.trim();
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * SECOND : /^[A-Z][a-z]{2},? /.test(text) ? Date.parse(text) - now : Number.NaN;
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, RETRY_AFTER_MAX_MS) : null;
}

/** Failures in a row that open the breaker of an endpoint. */
export const BREAKER_FAILURES = 5;
const BREAKER_FIRST_MS = 30 * SECOND;
const BREAKER_LAST_MS = 10 * MINUTE;

/** How long the breaker stays open the first, second … time in a row. */
export function breakerMs(openings: number): number {
  return Math.min(BREAKER_FIRST_MS * 2 ** Math.min(openings - 1, 20), BREAKER_LAST_MS);
}

/** An endpoint that has failed for this long, without one success, is stopped at its next failure. */
export const STOP_AFTER_MS = 5 * 24 * HOUR;
