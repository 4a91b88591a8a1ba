/** A request as it came over the wire, before any router or parser: what every verifier looks at. */
export interface AppRequest {
  readonly method: string;
  /** The request target of the request line (`/page?a=1`), undecoded. */
  readonly rawTarget: string;
  /** Names in lower case. A list where a header came more than once. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The bytes as they came; empty where there were none. */
  readonly body: Uint8Array;
}

/** The value of a header that came exactly once. */
export function oneHeader(request: AppRequest, name: string): string | undefined {
  const value = request.headers[name];
  if (typeof value === 'string') return value;
  return value?.length === 1 ? value[0] : undefined;
}

/** Whether a header came at all, however often. */
export function hasHeader(request: AppRequest, name: string): boolean {
  const value = request.headers[name];
  return typeof value === 'string' || (value?.length ?? 0) > 0;
}
