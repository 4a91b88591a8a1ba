import type { EgressRequest, EgressResponse } from './fetch.ts';

export type CustomFetchOptions = Pick<EgressRequest, 'policy' | 'tenant' | 'maxBytes' | 'timeoutMs'>;

const NULL_BODY = new Set([204, 205, 304]);

/**
 * A function with the shape of WHATWG `fetch`, for libraries that take one (oauth4webapi and jose: `[customFetch]`).
 * It never follows a redirect: a 3xx is returned, or thrown as egress.unreachable if the library asked for
 * `redirect: 'error'`. Failures are PlatformErrors, never TypeErrors.
 */
export function customFetch(
  call: (url: string, request: EgressRequest) => Promise<EgressResponse>,
  refuseRedirect: () => Error,
  options: CustomFetchOptions,
): typeof globalThis.fetch {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    // The platform's own Request turns every form of body and headers into bytes and pairs. Its URL is a stand-in:
    // it would normalise ours before the form check has seen it.
    const request = new Request(input instanceof Request ? input : 'https://stand-in.invalid/', init);
    const bytes = request.body === null ? null : new Uint8Array(await request.arrayBuffer());
    const answer = await call(url, {
      ...options,
      method: request.method,
      headers: [...request.headers],
      body: bytes,
      redirects: 'none',
      signal: request.signal,
    });
    if (request.redirect === 'error' && answer.status >= 300 && answer.status < 400 && answer.headers.has('location'))
      throw refuseRedirect();
    const response = new Response(NULL_BODY.has(answer.status) ? null : new Uint8Array(answer.body), {
      status: answer.status,
      headers: answer.headers,
    });
    Object.defineProperty(response, 'url', { value: answer.url });
    return response;
  };
}
