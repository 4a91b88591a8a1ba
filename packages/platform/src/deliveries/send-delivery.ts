import { type ApplicationId, type Clock, PlatformError } from '@bulkhead/base';
import type { Egress, EgressPolicy, EgressResponse } from '@bulkhead/http';
import type { Attempt, Endpoint, Message } from './delivery.ts';
import { responseExcerpt } from './response-excerpt.ts';
import { readRetryAfter } from './retry-ladder.ts';

/** What came of one call. */
export interface Outcome {
  readonly attempt: Attempt;
  readonly isGone: boolean;
  readonly retryAfterMs: number | null;
}

const ANSWER_BYTES_MAX = 4_096;
/** For connecting, sending and the whole answer. */
export const DELIVERY_TIMEOUT_MS = 15_000;
/** 429 without a Retry-After. */
const TOO_MANY_MS = 60_000;

/**
 * One signed call to an endpoint, without a row: what an attempt of the worker and a test of a webhook do alike. Never throws for what
 * the network or the endpoint does; no redirect is followed, and the connection is of the Application's own pool.
 */
export async function sendSigned(
  { egress, clock }: { egress: Egress; clock: Clock },
  call: {
    readonly applicationId: ApplicationId;
    readonly policy: EgressPolicy;
    readonly endpoint: Endpoint;
    readonly message: Message;
    readonly timeoutMs?: number;
  },
): Promise<Outcome> {
  const { endpoint, message } = call;
  const now = new Date(clock.now());
  const startedAt = performance.now();
  const signed = endpoint.sign(message, now);
  const made = (status: number | null, failure: string | null, excerpt: string | null): Attempt => ({
    at: now.toISOString(),
    elapsed_ms: Math.round(performance.now() - startedAt),
    status,
    failure,
    excerpt,
  });
  try {
    const answer = await egress.fetch(signed.url ?? endpoint.url, {
      policy: call.policy,
      tenant: call.applicationId,
      method: 'POST',
      headers: { 'content-type': message.contentType, ...signed.headers },
      body: signed.body ?? message.body,
      maxBytes: ANSWER_BYTES_MAX,
      excess: 'cut',
      redirects: 'none',
      timeoutMs: call.timeoutMs ?? DELIVERY_TIMEOUT_MS,
    });
    const { status } = answer;
    const retryAfterMs = readRetryAfter(answer.headers.get('retry-after'), clock.now());
    return {
      attempt: made(status, failureOf(endpoint, answer), responseExcerpt(answer.body, signed.confidential)),
      isGone: status === 410,
      retryAfterMs: status === 429 ? (retryAfterMs ?? TOO_MANY_MS) : retryAfterMs,
    };
  } catch (thrown) {
    if (!(thrown instanceof PlatformError)) throw thrown;
    return { attempt: made(null, thrown.code.replace(/^egress\./, ''), null), isGone: false, retryAfterMs: null };
  }
}

function failureOf(endpoint: Endpoint, { status, body }: EgressResponse): string | null {
  if (status < 200 || status > 299) return `http_${status}`;
  return endpoint.refuses?.({ status, body: body.toString('utf8') }) ?? null;
}
