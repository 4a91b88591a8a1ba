import { Secret } from '@bulkhead/base';
import { parseServiceDefinition } from './service-definition.ts';
import { customService, type UpstreamService } from './service.ts';
import type { UpstreamCall, UpstreamFetch } from './upstream-http.ts';
import type { UpstreamServer } from './upstream-server.ts';

export interface Sent {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly form: URLSearchParams;
  readonly text: string;
}

/** An upstream that answers what it is told and remembers what it was asked. */
export function fakeUpstream(answer: (sent: Sent) => Response | Promise<Response>): { call: UpstreamCall; sent: Sent[] } {
  const sent: Sent[] = [];
  const fetch: UpstreamFetch = async (url, init = {}) => {
    const text = typeof init.body === 'string' ? init.body : '';
    const asked = { url, method: init.method ?? 'GET', headers: new Headers(init.headers), form: new URLSearchParams(text), text };
    sent.push(asked);
    return answer(asked);
  };
  return { call: { fetch }, sent };
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } });
}

export const issuer = 'https://harbour.example';

export function harbour(auth: object = {}, rest: object = {}): UpstreamService {
  return customService(
    parseServiceDefinition({
      id: 'harbour',
      friendly_name: 'Harbour Files',
      auth: {
        type: 'oauth2',
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        revocation_endpoint: `${issuer}/revoke`,
        scopes: ['files:read'],
        ...auth,
      },
      api: { base_url: `${issuer}/api` },
      ...rest,
    }),
  );
}

export const server: UpstreamServer = {
  issuer,
  authorizationEndpoint: `${issuer}/auth`,
  tokenEndpoint: `${issuer}/token`,
  revocationEndpoint: `${issuer}/revoke`,
  issPromised: true,
  idTokenAlgorithms: [],
};

export const client = { clientId: 'client-1', clientSecret: new Secret('s3cret-value') };
