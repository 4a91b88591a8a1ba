import type { Json } from '../index.ts';

export const InvocationErrorCode = {
  FUNCTION_RETRY_REQUEST: 'FUNCTION_RETRY_REQUEST',
  FUNCTION_UPSTREAM_RATE_LIMITED: 'FUNCTION_UPSTREAM_RATE_LIMITED',
} as const;

export interface RetryOptions {
  /** Seconds; 900 at most. */
  readonly retryAfter: number;
  readonly retryReason?: string;
  /** Told to the next attempt. */
  readonly retryData?: Json;
}

/** What a consumer returns to be called again for the same event. */
export class InvocationError {
  readonly _retry = true;
  readonly retryOptions: RetryOptions;

  constructor(retryOptions: RetryOptions) {
    this.retryOptions = { retryReason: InvocationErrorCode.FUNCTION_RETRY_REQUEST, ...retryOptions };
  }
}
