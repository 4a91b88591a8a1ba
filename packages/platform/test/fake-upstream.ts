import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One authorization request as the fake received it. */
export interface SeenRequest {
  readonly parameters: URLSearchParams;
  readonly redirectUri: string;
  readonly state: string;
}

/** An upstream service that does what a test tells it: an authorization server, an identity, and a key-guarded API. */
export class FakeUpstream implements AsyncDisposable {
  readonly clientId = 'upstream-client';
  readonly clientSecret = 'upstream-secret';
  /** Who signs in next. */
  person = { id: 'ada', name: 'ada@example.com' };
  /** Replaces the token answer. */
  tokenAnswer: { status: number; type: string; body: string } | null = null;
  /** Whether the metadata promises `iss`. */
  issPromised = true;
  /** Of the metadata's answer. */
  metadataStatus = 200;
  /** The key that opens the API. */
  apiKey = 'correct-key';
  /** Of the identity's answer; null: 200, or 401 without a good credential. */
  identityStatus: number | null = null;
  /** Called at the token endpoint before it answers. */
  beforeToken: () => Promise<void> = async () => undefined;
  tokenRequests = 0;
  metadataRequests = 0;
  readonly #codes = new Map<string, { challenge: string; redirectUri: string; person: { id: string; name: string } }>();
  readonly #tokens = new Map<string, { id: string; name: string }>();
  readonly #server: Server;
  #url = '';

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<FakeUpstream> {
    const upstream = new FakeUpstream();
    upstream.#server.listen(0, '127.0.0.1');
    await once(upstream.#server, 'listening');
    upstream.#url = `http://127.0.0.1:${(upstream.#server.address() as AddressInfo).port}`;
    return upstream;
  }

  get url(): string {
    return this.#url;
  }

  /** For the allow list of outbound calls. */
  get address(): string {
    return this.#url.slice('http://'.length);
  }

  /** As a custom service with OAuth. */
  service(id: string) {
    return {
      id,
      friendly_name: `Service ${id}`,
      apis: ['raw'],
      auth: { type: 'oauth2', issuer: this.#url, scopes: ['files'], token_endpoint_auth_method: 'client_secret_basic' },
      api: { base_url: `${this.#url}/api` },
      identity: { url: `${this.#url}/me`, id: '/id', name: '/name' },
    };
  }

  /** The same without discovery: an authorization server that has no issuer. */
  plainService(id: string) {
    const auth = {
      type: 'oauth2',
      authorization_endpoint: `${this.#url}/authorize`,
      token_endpoint: `${this.#url}/token`,
      scopes: ['files'],
    };
    return { ...this.service(id), auth };
  }

  /** As a custom service opened by a key. */
  keyService(id: string) {
    return { ...this.service(id), auth: { type: 'api_key', in: 'header', name: 'X-Api-Key' } };
  }

  /** What the browser would be sent back with if `person` said yes. */
  approve(authorizationUrl: string): string {
    const { parameters, redirectUri, state } = this.read(authorizationUrl);
    const code = randomBytes(16).toString('hex');
    this.#codes.set(code, { challenge: parameters.get('code_challenge') ?? '', redirectUri, person: this.person });
    return `${redirectUri}?${new URLSearchParams({ code, state, iss: this.#url }).toString()}`;
  }

  /** … if the person said no. */
  deny(authorizationUrl: string, error = 'access_denied'): string {
    const { redirectUri, state } = this.read(authorizationUrl);
    return `${redirectUri}?${new URLSearchParams({ error, state, iss: this.#url }).toString()}`;
  }

  read(authorizationUrl: string): SeenRequest {
    const url = new URL(authorizationUrl);
    if (url.origin + url.pathname !== `${this.#url}/authorize`) throw new Error(`not an address of this upstream: ${authorizationUrl}`);
    return {
      parameters: url.searchParams,
      redirectUri: url.searchParams.get('redirect_uri') ?? '',
      state: url.searchParams.get('state') ?? '',
    };
  }

  /** Makes `token` a token of `person`, as if it had been issued here. */
  know(token: string): void {
    this.#tokens.set(token, this.person);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.#url);
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (url.pathname === '/.well-known/openid-configuration' || url.pathname === '/.well-known/oauth-authorization-server') {
      this.metadataRequests += 1;
      return void json(this.metadataStatus, {
        issuer: this.#url,
        authorization_endpoint: `${this.#url}/authorize`,
        token_endpoint: `${this.#url}/token`,
        response_types_supported: ['code'],
        ...(this.issPromised ? { authorization_response_iss_parameter_supported: true } : {}),
      });
    }
    if (url.pathname === '/token') return this.#token(request, response);
    if (url.pathname === '/me') {
      if (this.identityStatus !== null) return void json(this.identityStatus, {});
      const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
      const person = request.headers['x-api-key'] === this.apiKey ? this.person : this.#tokens.get(token ?? '');
      return void (person === undefined ? json(401, {}) : json(200, person));
    }
    json(404, {});
  }

  async #token(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.tokenRequests += 1;
    await this.beforeToken();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (this.tokenAnswer !== null) {
      response.writeHead(this.tokenAnswer.status, { 'content-type': this.tokenAnswer.type }).end(this.tokenAnswer.body);
      return;
    }
    const code = form.get('code') ?? '';
    const issued = this.#codes.get(code);
    this.#codes.delete(code);
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const client = `Basic ${Buffer.from(`${this.clientId}:${this.clientSecret}`).toString('base64')}`;
    if (request.headers.authorization !== client) return void answer(401, { error: 'invalid_client' });
    if (issued === undefined || issued.challenge !== challenge || issued.redirectUri !== form.get('redirect_uri'))
      return void answer(400, { error: 'invalid_grant' });
    const token = randomBytes(16).toString('hex');
    this.#tokens.set(token, issued.person);
    answer(200, { access_token: token, token_type: 'Bearer', expires_in: 3600, refresh_token: randomBytes(16).toString('hex') });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
