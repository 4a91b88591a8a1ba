import { PlatformError } from '@bulkhead/base';
import type { EndedCall } from '../call-function.ts';
import { RUNNER_ENDED } from '../function-runner.ts';
import type { ClaimedJob, JobContent } from './job.ts';
import type { JobEnd } from './job-store.ts';

const SECOND = 1_000;
const FIRST_RETRY_MS = 5 * SECOND;
const LAST_RETRY_MS = 15 * 60 * SECOND;
/** Up to this part of a wait is added by chance, so that what failed together does not come back together. */
const JITTER = 0.1;
/** Nobody puts a job off for longer at once: neither a function nor the host. */
const RETRY_AFTER_MAX_SECONDS = 900;
const RETRY_REASON_MAX = 200;
const RETRY_DATA_BYTES_MAX = 4_096;
/** A process that ends while it runs a job makes no attempt of it, but not for ever. */
const LOST_RETRY_MS = 500;
const CLAIMS_MAX = 50;
/** However often it was put off. */
const AGE_MAX_MS = 3 * 24 * 60 * 60 * SECOND;

/** 5 s, 10 s, 20 s … 15 minutes. `chance` is in [0, 1). */
export function backOffMs(attempts: number, chance: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), LAST_RETRY_MS) * (1 + JITTER * chance);
}

interface At {
  readonly now: number;
  readonly chance: number;
}

/** What a call that has ended makes of its job. */
export function endOfCall(job: ClaimedJob, content: JobContent, { invocationId, result }: EndedCall, at: At): JobEnd {
  const { outcome } = result;
  if (outcome.kind === 'crashed' && outcome.detail === RUNNER_ENDED) return putOff(job, 'lost', LOST_RETRY_MS, at, true);
  if (outcome.kind !== 'ok') return failedAttempt(job, outcome.kind, invocationId, at);
  const asked = retryAskedFor(JSON.parse(outcome.value));
  if (asked === null) return { status: 'done', runAt: null, isAttempt: true, isClaim: true, outcome: 'ok', invocationId };
  const end = failedAttempt(job, 'retry', invocationId, at, asked.afterSeconds);
  return end.status === 'failed' ? end : { ...end, content: { ...content, retry: { reason: asked.reason, data: asked.data } } };
}

/** What it makes of a job that its call was not begun, or could not be written. */
export function endOfRefusal(job: ClaimedJob, thrown: unknown, at: At): JobEnd {
  if (thrown instanceof PlatformError && thrown.retryAfterSeconds !== undefined)
    return putOff(
      job,
      thrown.code.replace(/^function\./, ''),
      Math.min(thrown.retryAfterSeconds, RETRY_AFTER_MAX_SECONDS) * SECOND,
      at,
      false,
    );
  if (thrown instanceof PlatformError && thrown.status < 500) return failedAttempt(job, thrown.code.replace(/^function\./, ''), null, at);
  return putOff(job, 'lost', FIRST_RETRY_MS, at, true);
}

function failedAttempt(job: ClaimedJob, outcome: string, invocationId: string | null, at: At, afterSeconds?: number): JobEnd {
  const attempts = job.attempts + 1;
  const ended = { isAttempt: true, isClaim: true, outcome, invocationId };
  if (attempts >= job.attemptsMax) return { ...ended, status: 'failed', runAt: null };
  const waitMs = afterSeconds === undefined ? backOffMs(attempts, at.chance) : afterSeconds * SECOND;
  return { ...ended, status: 'waiting', runAt: new Date(at.now + waitMs) };
}

/** Not an attempt; but what comes to no end within three days, or is lost fifty times, is given up. */
function putOff(job: ClaimedJob, outcome: string, waitMs: number, { now, chance }: At, isClaim: boolean): JobEnd {
  const ended = { isAttempt: false, isClaim, outcome, invocationId: null };
  if ((isClaim && job.claims >= CLAIMS_MAX) || now - job.askedAt.getTime() > AGE_MAX_MS) return { ...ended, status: 'failed', runAt: null };
  return { ...ended, status: 'waiting', runAt: new Date(now + waitMs * (1 + JITTER * chance)) };
}

/** Whether a function has asked, by what it returned, to be called again: `{_retry: true, retryOptions?}`. */
function retryAskedFor(value: unknown): { afterSeconds: number; reason: string | null; data: unknown } | null {
  if (!isRecord(value) || value['_retry'] !== true) return null;
  const options = isRecord(value['retryOptions']) ? value['retryOptions'] : {};
  const { retryAfter: after, retryReason: reason, retryData: data = null } = options;
  return {
    afterSeconds: typeof after === 'number' && after >= 0 ? Math.min(after, RETRY_AFTER_MAX_SECONDS) : FIRST_RETRY_MS / SECOND,
    reason: typeof reason === 'string' ? reason.slice(0, RETRY_REASON_MAX) : null,
    data: Buffer.byteLength(JSON.stringify(data)) > RETRY_DATA_BYTES_MAX ? null : data,
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
