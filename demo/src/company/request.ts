import type { HeldCredential } from './held-credential.ts';

export type FormValue = string | HeldCredential;

/** A request to Bulkhead, with its credentials marked, so that it can be sent and shown. */
export interface BulkheadRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the base URL, with query. */
  readonly path: string;
  readonly credential?: { readonly scheme: 'Bearer' | 'APIKey'; readonly held: HeldCredential };
  /** May hold credentials at any depth. */
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, FormValue>>;
  /** Any other body. */
  readonly text?: string;
}

/** What came back. */
export interface BulkheadAnswer {
  readonly request: BulkheadRequest;
  readonly status: number;
  readonly requestId: string | null;
  readonly text: string;
  /** The body as JSON; undefined where it is none. */
  readonly json: unknown;
}

export function bearer(held: HeldCredential): NonNullable<BulkheadRequest['credential']> {
  return { scheme: 'Bearer', held };
}

export function apiKey(held: HeldCredential): NonNullable<BulkheadRequest['credential']> {
  return { scheme: 'APIKey', held };
}
