/** What one connection, one request and all of them together may take. Each can be set smaller by a test. */
export interface HttpLimits {
  /** Time for the head of a request to arrive, in milliseconds. */
  readonly headersMs: number;
  /** Time for a body that is read into memory to arrive, and the time in which a streamed one must bring something. */
  readonly bodyMs: number;
  /** How often slow heads are looked for, in milliseconds. */
  readonly lookEveryMs: number;
  /** Bytes of the whole head. */
  readonly headBytes: number;
  /** Bytes of the request target. */
  readonly targetBytes: number;
  /** Open connections; one more is closed at once. */
  readonly connections: number;
  /** Requests of one connection; it is closed with the answer to the last. */
  readonly requestsPerConnection: number;
}

const LIMITS: HttpLimits = {
  headersMs: 8_000,
  bodyMs: 10_000,
  lookEveryMs: 2_000,
  headBytes: 32_768,
  targetBytes: 16_384,
  connections: 20_000,
  requestsPerConnection: 100_000,
};

export function httpLimits(smaller: Partial<HttpLimits> = {}): HttpLimits {
  return { ...LIMITS, ...smaller };
}
