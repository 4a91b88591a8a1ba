import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { OAuth2Issuer, OAuth2Service } from 'oauth2-mock-server';

/** One request as the provider saw it. */
export interface SeenCall {
  readonly method: string;
  readonly path: string;
  readonly form: URLSearchParams;
}

/** Answers instead of the mock server, at one path. */
type Raw = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * `oauth2-mock-server` with a raw HTTP server in front: its events mangle what it says (`service.on('beforeResponse', …)`), and `raw` answers
 * where a well-formed HTTP answer is not bad enough. Remembers what it was asked and every secret it gave out.
 */
export class MisbehavingProvider implements AsyncDisposable {
  readonly clientId = 'upstream-client';
  readonly clientSecret = 'upstream-secret-0123456789';
  readonly calls: SeenCall[] = [];
  /** Tokens it gave out: none may be found anywhere afterwards. */
  readonly secrets = new Set<string>();
  readonly #raw = new Map<string, Raw>();
  readonly #issuer = new OAuth2Issuer();
  readonly #service = new OAuth2Service(this.#issuer);
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<MisbehavingProvider> {
    const provider = new MisbehavingProvider();
    provider.#server.listen(0, '127.0.0.1');
    await once(provider.#server, 'listening');
    provider.#issuer.url = `http://127.0.0.1:${(provider.#server.address() as AddressInfo).port}`;
    await provider.#issuer.keys.generate('RS256');
    provider.behave();
    return provider;
  }

  get url(): string {
    return this.#issuer.url ?? '';
  }

  get address(): string {
    return this.url.slice('http://'.length);
  }

  get service(): OAuth2Service {
    return this.#service;
  }

  /** Undoes every misbehaviour and forgets what was seen. */
  behave(): void {
    this.#service.removeAllListeners();
    this.#raw.clear();
    this.calls.length = 0;
    this.#service.on('beforeWellKnownOpenIdConfiguration', ({ body }: { body: Record<string, unknown> }) => {
      body['authorization_response_iss_parameter_supported'] = true;
    });
    this.#service.on('beforeAuthorizeRedirect', ({ url }: { url: URL }) => url.searchParams.set('iss', this.url));
    this.#service.on('beforeResponse', ({ body }: { body: Record<string, unknown> }) => {
      for (const name of ['access_token', 'refresh_token', 'id_token']) this.secrets.add(String(body[name]));
    });
  }

  raw(path: string, answer: Raw): void {
    this.#raw.set(path, answer);
  }

  asked(path: string): readonly SeenCall[] {
    return this.calls.filter((call) => call.path === path);
  }

  /** As a custom service. `identity`: where it says who it is: at userinfo, in the ID token, or nowhere. */
  definition(id: string, identity: 'userinfo' | 'id_token' | 'nowhere' = 'userinfo', auth: Readonly<Record<string, unknown>> = {}) {
    return {
      id,
      friendly_name: 'Harbour Files',
      apis: ['raw'],
      auth: { type: 'oauth2', issuer: this.url, scopes: ['openid', 'files'], ...auth },
      api: { base_url: `${this.url}/api` },
      ...(identity === 'nowhere'
        ? {}
        : { identity: { id: '/sub', name: '/email', ...(identity === 'userinfo' ? { url: `${this.url}/userinfo` } : {}) } }),
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0]!;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    this.calls.push({ method: request.method ?? '', path, form: new URLSearchParams(body.toString()) });
    const raw = this.#raw.get(path);
    if (raw !== undefined) return raw(request, response);
    // The body was read; the mock server reads it again.
    const again = Object.assign(new PassThrough(), {
      method: request.method,
      url: request.url,
      headers: request.headers,
    });
    again.end(body);
    this.#service.requestHandler(again as unknown as IncomingMessage, response);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
