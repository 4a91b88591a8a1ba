import { createHash } from 'node:crypto';
import { httpErrors } from './http-errors.ts';
import type { Answer } from './route.ts';

/** Where answers to `Idempotency-Key` requests are kept, scoped by the caller: one tenant's keys mean nothing to another. */
export interface IdempotencyStore<Context> {
  /** Claims the key; says what is known when somebody had it before. */
  claim(context: Context, key: string, requestHash: Buffer): Promise<IdempotencyClaim>;
  /** Keeps the answer for 24 hours. */
  complete(context: Context, key: string, answer: Answer): Promise<void>;
  /** Frees the key after a failure that changed nothing, so that the caller may try again. */
  release(context: Context, key: string): Promise<void>;
}

export type IdempotencyClaim =
  | { readonly kind: 'first' }
  | { readonly kind: 'done'; readonly answer: Answer }
  | { readonly kind: 'running' }
  /** The change was made, and the process died before the answer was kept. */
  | { readonly kind: 'answer lost' }
  | { readonly kind: 'mismatch' };

export function idempotencyKey(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  if (typeof header !== 'string' || !/^[\x21-\x7E]{1,255}$/.test(header))
    throw httpErrors('request.idempotency_key', { field: 'Idempotency-Key' });
  return header;
}

/** Same key and same request → the first answer again. Another request under the key → 409. Failures are not kept. */
export async function withIdempotency<Context>(
  store: IdempotencyStore<Context>,
  context: Context,
  key: string,
  request: { method: string; target: string; body: Buffer },
  run: () => Promise<Answer>,
): Promise<Answer> {
  const requestHash = createHash('sha256').update(`${request.method} ${request.target}\n`).update(request.body).digest();
  const claim = await store.claim(context, key, requestHash);
  if (claim.kind === 'mismatch') throw httpErrors('idempotency.mismatch');
  if (claim.kind === 'answer lost') throw httpErrors('idempotency.answer_lost');
  if (claim.kind === 'running') throw httpErrors('idempotency.in_progress', { retryAfterSeconds: 1 });
  if (claim.kind === 'done') return { ...claim.answer, headers: { ...claim.answer.headers, 'idempotency-replayed': 'true' } };
  const answer = await released(store, context, key, run);
  // Should this fail, the key stays taken until it frees itself: the change has happened, and a second try at once would repeat it.
  await store.complete(context, key, answer);
  return answer;
}

async function released<Context>(
  store: IdempotencyStore<Context>,
  context: Context,
  key: string,
  run: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await run();
  } catch (thrown) {
    await store.release(context, key);
    throw thrown;
  }
}
