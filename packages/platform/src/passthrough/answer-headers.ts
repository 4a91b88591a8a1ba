/** Of the upstream's own browsers and ours: each speaks for its own origin only. */
function isCors(name: string): boolean {
  return name.startsWith('access-control-');
}

/**
 * The headers of an upstream's answer as our caller gets them: unchanged, but for CORS, which we answer for ourselves, `Vary`, and the
 * request's id where the upstream has set none of its own. Hop-by-hop headers and cookies are gone already.
 */
export function answerHeaders(headers: readonly string[], { origin, requestId }: { origin: string | null; requestId: string }): string[] {
  const kept: string[] = [];
  let hasRequestId = false;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at]!.toLowerCase();
    if (isCors(name)) continue;
    hasRequestId ||= name === 'x-request-id';
    kept.push(headers[at]!, headers[at + 1]!);
  }
  if (!hasRequestId) kept.push('X-Request-Id', requestId);
  // The upstream sees one credential where we see one per caller: what a cache keeps for one must not answer another.
  kept.push('Vary', 'Authorization, Origin');
  if (origin !== null) kept.push('Access-Control-Allow-Origin', origin, 'Access-Control-Expose-Headers', '*');
  return kept;
}
