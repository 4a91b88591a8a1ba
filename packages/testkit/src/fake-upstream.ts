import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What an upstream was asked. */
export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Who is signed in at the upstream: whoever comes to the authorization endpoint is sent back at once as this person. */
export interface UpstreamPerson {
  readonly id: string;
  readonly name: string;
}

export interface FakeUpstream extends AsyncDisposable {
  readonly url: string;
  /** `host:port`, for the list of private addresses that outbound calls may reach. */
  readonly address: string;
  readonly requests: readonly UpstreamRequest[];
  /** Every token it gave out, in order: what must never be found anywhere but here. */
  readonly issued: readonly string[];
  person: UpstreamPerson;
  /** The next authorization is refused by its owner. */
  deny: boolean;
  /** A custom service by OAuth, with this client. */
  oauthService(id: string, name: string): Record<string, unknown>;
  /** A custom service by API key; any key of the form `key:{id}:{anything}` opens the account `id`. */
  keyService(id: string, name: string): Record<string, unknown>;
}

type Grants = Map<string, UpstreamPerson>;

/** An upstream service in-process: authorization, token and revocation endpoints, an API that answers with what it was sent. */
export async function startFakeUpstream(): Promise<FakeUpstream> {
  const requests: UpstreamRequest[] = [];
  const issued: string[] = [];
  const codes: Grants = new Map();
  const access: Grants = new Map();
  const refresh: Grants = new Map();
  const state = { person: { id: 'ada', name: 'ada@upstream.example' } as UpstreamPerson, deny: false };
  const give = (kind: string, grants: Grants, person: UpstreamPerson): string => {
    const text = `upstream-${kind}-${randomBytes(18).toString('hex')}`;
    if (kind !== 'code') issued.push(text);
    grants.set(text, person);
    return text;
  };

  const authorize = (query: URLSearchParams, response: ServerResponse): void => {
    const back = new URL(query.get('redirect_uri') ?? 'http://nowhere.example');
    if (state.deny) {
      state.deny = false;
      back.searchParams.set('error', 'access_denied');
    } else {
      back.searchParams.set('code', give('code', codes, state.person));
    }
    back.searchParams.set('state', query.get('state') ?? '');
    response.writeHead(302, { location: back.href }).end();
  };
  const token = (form: URLSearchParams, response: ServerResponse): void => {
    const [grants, name] = form.get('grant_type') === 'refresh_token' ? [refresh, 'refresh_token'] : [codes, 'code'];
    const presented = form.get(name) ?? '';
    const person = grants.get(presented);
    if (person === undefined) return json(response, 400, { error: 'invalid_grant' });
    grants.delete(presented);
    json(response, 200, {
      access_token: give('access', access, person),
      refresh_token: give('refresh', refresh, person),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'files.read',
    });
  };
  const api = (request: UpstreamRequest, person: UpstreamPerson | undefined, response: ServerResponse): void => {
    if (person === undefined) return json(response, 401, { error: 'unauthorized' });
    if (request.path.endsWith('/me')) return json(response, 200, { id: person.id, name: person.name });
    json(response, 200, {
      person: person.id,
      method: request.method,
      path: request.path,
      query: Object.fromEntries(request.query),
      body: request.body,
    });
  };

  const server = createServer((message, response) => {
    const parts: Buffer[] = [];
    message.on('data', (part: Buffer) => parts.push(part));
    message.on('end', () => {
      const target = new URL(message.url ?? '/', 'http://upstream.example');
      const request = {
        method: message.method ?? 'GET',
        path: target.pathname,
        query: target.searchParams,
        headers: message.headers,
        body: Buffer.concat(parts).toString('utf8'),
      };
      requests.push(request);
      if (request.path === '/authorize') return authorize(request.query, response);
      if (request.path === '/token') return token(new URLSearchParams(request.body), response);
      if (request.path === '/revoke') return json(response, 200, {});
      // The App of a twin: it accepts whatever it is told.
      if (request.path.startsWith('/app/')) return json(response, 200, {});
      if (request.path.startsWith('/api')) return api(request, access.get(bearerOf(message)), response);
      if (request.path.startsWith('/keyed')) return api(request, personOfKey(message), response);
      json(response, 404, { error: 'not_found' });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = `http://${address}`;

  return Object.assign(state, {
    url,
    address,
    requests,
    issued,
    oauthService: (id: string, name: string) => ({
      id,
      friendly_name: name,
      apis: ['raw'],
      auth: {
        type: 'oauth2',
        authorization_endpoint: `${url}/authorize`,
        token_endpoint: `${url}/token`,
        revocation_endpoint: `${url}/revoke`,
        scopes: ['files.read'],
        pkce: true,
        token_endpoint_auth_method: 'client_secret_basic',
      },
      api: { base_url: `${url}/api` },
      identity: { url: `${url}/api/me`, id: '/id', name: '/name' },
    }),
    keyService: (id: string, name: string) => ({
      id,
      friendly_name: name,
      apis: ['raw'],
      auth: { type: 'api_key', in: 'header', name: 'X-Api-Key' },
      api: { base_url: `${url}/keyed` },
      identity: { url: `${url}/keyed/me`, id: '/id', name: '/name' },
    }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function bearerOf(message: IncomingMessage): string {
  return /^Bearer (.+)$/i.exec(message.headers.authorization ?? '')?.[1] ?? '';
}

function personOfKey(message: IncomingMessage): UpstreamPerson | undefined {
  const key = message.headers['x-api-key'];
  const id = typeof key === 'string' ? /^key:([^:]+):/.exec(key)?.[1] : undefined;
  return id === undefined ? undefined : { id, name: `${id}@keyed.example` };
}
