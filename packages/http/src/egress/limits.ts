/** Bounds of every outbound call. Callers choose smaller ones where a call has its own; nobody chooses larger by accident. */
export const limits = {
  /** Resolving a name and connecting, TLS included. */
  connectTimeoutMs: 10_000,
  /** A name server that says nothing. */
  resolveTimeoutMs: 5_000,
  /** From a request being written until the head of its answer. */
  headersTimeoutMs: 60_000,
  /** Waiting for a free connection of the pool, connecting included. */
  queueTimeoutMs: 15_000,
  /** Between two pieces of an answer. */
  bodyIdleTimeoutMs: 120_000,
  /** A caller that reads nothing while an answer waits for it. */
  stallTimeoutMs: 120_000,
  /** A whole buffered call. */
  fetchTimeoutMs: 15_000,
  /** The body of a buffered answer, after decoding. */
  fetchBodyBytesMax: 1_048_576,
  redirectsMax: 5,
  urlLengthMax: 8_192,
  responseHeaderBytesMax: 32_768,
  /** Connections of one tenant to one origin. */
  connectionsPerPoolMax: 64,
  /** Pools kept; the least recently used one closes when another is needed. */
  poolsMax: 1_000,
  /** An idle connection, unless the server names a shorter time. */
  keepAliveMs: 10_000,
  keepAliveMsMax: 60_000,
  /** Connections are renewed after this, so that a changed name or rule takes effect on a busy pool too. */
  connectionLifetimeMs: 300_000,
} as const;
