import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { type Clock, Secret, systemClock } from '@bulkhead/base';
import { type ConnectClaims, CONTEXT_QSH, queryStringHash, sharedSecretKey, signConnectJwt } from '@bulkhead/protocol';
import type { AppRequest } from '../app-request.ts';
import type { Issuer } from '../issuer.ts';
import type { LifecycleEvent } from '../lifecycle-call.ts';
import type { Fetch } from '../outbound.ts';
import { FakeRecords } from './fake-records.ts';

export interface FakeHostOptions {
  readonly appKey: string;
  readonly appBaseUrl: string;
  readonly clock?: Clock;
  /** Default: `https://host.example`. */
  readonly origin?: string;
  readonly name?: string;
  /** Default: a new RSA pair, which takes a moment to make. */
  readonly keyPair?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
}

/** A call that the App made at the host. */
export interface HostCall {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The host's answer to a call; null: the fake host's own. */
export type HostAnswer = (call: HostCall) => Response | null;

/**
 * A Connect host in memory, for an App's tests: signs what a host signs, answers the key server at `{origin}/keys`, keeps records as
 * Bulkhead does, and remembers what the App asks for. Give its `fetch` and `issuer` to `createAppKit`; nothing is listened on.
 */
export class FakeHost {
  readonly origin: string;
  readonly issuer: Issuer;
  readonly calls: HostCall[] = [];
  /** Set it to answer the App's calls yourself. */
  answer: HostAnswer = () => null;
  readonly kid: string = randomBytes(12).toString('hex');
  readonly privateKey: KeyObject;
  readonly options: FakeHostOptions;
  readonly #pem: string;
  readonly #records = new FakeRecords();

  constructor(options: FakeHostOptions) {
    this.options = options;
    this.origin = options.origin ?? 'https://host.example';
    this.issuer = {
      name: options.name ?? 'fake host',
      keyServers: [`${this.origin}/keys`],
      hosts: [new URL(this.origin).host],
      insecure: true,
    };
    const { publicKey, privateKey } = options.keyPair ?? generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.privateKey = privateKey;
    this.#pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  }

  /** The public key as the key server answers it. */
  get publicKeyPem(): string {
    return this.#pem;
  }

  readonly fetch: Fetch = (url, init) => {
    const call = { method: init.method ?? 'GET', url, headers: init.headers ?? {}, body: Buffer.from(init.body ?? '').toString('utf8') };
    this.calls.push(call);
    const answer = this.answer(call) ?? this.#ownAnswer(call);
    return Promise.resolve(answer);
  };

  tenant(clientKey: string, path = `/t/${clientKey}`): FakeTenant {
    return new FakeTenant(this, clientKey, this.origin + path);
  }

  /** Seconds since the epoch. */
  now(): number {
    return Math.floor((this.options.clock ?? systemClock).now() / 1000);
  }

  #ownAnswer(call: HostCall): Response {
    const { url, method } = call;
    const { origin, pathname } = new URL(url);
    if (origin !== this.origin) throw new TypeError('no such host');
    if (pathname === `/keys/${this.kid}`) return new Response(this.#pem, { headers: { 'content-type': 'text/plain' } });
    if (pathname.startsWith('/keys/')) return new Response('', { status: 404 });
    if (pathname.endsWith('/oauth2/token') && method === 'POST')
      return Response.json({ access_token: randomBytes(16).toString('hex'), expires_in: 900, token_type: 'Bearer' });
    return this.#records.answer(call) ?? Response.json({ ok: true });
  }
}

/** One tenant of the fake host: what it would send to the App. Each `installed` brings a new secret, as hosts do. */
export class FakeTenant {
  readonly clientKey: string;
  readonly baseUrl: string;
  readonly oauthClientId: string = randomBytes(8).toString('hex');
  sharedSecret: Secret = new Secret('');
  readonly #host: FakeHost;

  constructor(host: FakeHost, clientKey: string, baseUrl: string) {
    this.#host = host;
    this.clientKey = clientKey;
    this.baseUrl = baseUrl;
  }

  /** POST of the App's `installed`, with a new secret; `said` replaces fields of the body. */
  installed(said: Readonly<Record<string, unknown>> = {}): AppRequest {
    this.sharedSecret = new Secret(randomBytes(32).toString('base64url'));
    return this.#lifecycle('installed', { sharedSecret: this.sharedSecret.reveal(), ...said });
  }

  uninstalled(said: Readonly<Record<string, unknown>> = {}): AppRequest {
    return this.#lifecycle('uninstalled', said);
  }

  enabled(said: Readonly<Record<string, unknown>> = {}): AppRequest {
    return this.request('POST', this.#path('/enabled'), { body: this.#body('enabled', said) });
  }

  disabled(said: Readonly<Record<string, unknown>> = {}): AppRequest {
    return this.request('POST', this.#path('/disabled'), { body: this.#body('disabled', said) });
  }

  /** A signed request: a webhook, or a page with its token in the header. */
  request(
    method: string,
    rawTarget: string,
    { body = '', ...claims }: Readonly<Record<string, unknown>> & { readonly body?: string } = {},
  ): AppRequest {
    const token = this.sign({ qsh: this.qsh(method, rawTarget), ...claims });
    return requestWith(method, rawTarget, token, body);
  }

  /** The target of a page as an iframe asks for it: with `?jwt=`. */
  page(rawTarget: string, claims: Readonly<Record<string, unknown>> = {}): AppRequest {
    const token = this.sign({ qsh: this.qsh('GET', rawTarget), context: {}, ...claims });
    const target = `${rawTarget}${rawTarget.includes('?') ? '&' : '?'}jwt=${token}`;
    return { method: 'GET', rawTarget: target, headers: {}, body: new Uint8Array() };
  }

  /** What `AP.context.getToken()` gives the App's page. */
  contextToken(claims: Readonly<Record<string, unknown>> = {}): string {
    const iat = this.#host.now();
    return this.sign({ qsh: CONTEXT_QSH, iat, exp: iat + 900, context: {}, ...claims });
  }

  /** HS256 with the tenant's secret; `claims` stand over the usual ones. `jti` is new each time: two tokens of one second are two. */
  sign(claims: Readonly<Record<string, unknown>>): string {
    const iat = this.#host.now();
    return signConnectJwt({ algorithm: 'HS256', key: sharedSecretKey(this.sharedSecret) }, {
      iss: this.clientKey,
      iat,
      exp: iat + 180,
      jti: randomUUID(),
      ...claims,
    } as ConnectClaims);
  }

  /** RS256 with the host's key, as lifecycle calls are signed. */
  signLifecycle(claims: Readonly<Record<string, unknown>>, kid: string = this.#host.kid): string {
    const iat = this.#host.now();
    return signConnectJwt({ algorithm: 'RS256', key: this.#host.privateKey, kid }, {
      iss: this.clientKey,
      aud: [this.#host.options.appBaseUrl],
      iat,
      exp: iat + 180,
      jti: randomUUID(),
      ...claims,
    } as ConnectClaims);
  }

  qsh(method: string, rawTarget: string): string {
    return queryStringHash({ method, target: rawTarget, basePath: new URL(this.#host.options.appBaseUrl).pathname });
  }

  #lifecycle(event: LifecycleEvent, said: Readonly<Record<string, unknown>>): AppRequest {
    const target = this.#path(`/${event}`);
    return requestWith('POST', target, this.signLifecycle({ qsh: this.qsh('POST', target) }), this.#body(event, said));
  }

  #body(eventType: LifecycleEvent, said: Readonly<Record<string, unknown>>): string {
    const { clientKey, baseUrl, oauthClientId } = this;
    return JSON.stringify({ key: this.#host.options.appKey, clientKey, baseUrl, oauthClientId, eventType, productType: 'fake', ...said });
  }

  #path(path: string): string {
    return new URL(this.#host.options.appBaseUrl).pathname.replace(/\/+$/, '') + path;
  }
}

function requestWith(method: string, rawTarget: string, token: string, body: string): AppRequest {
  return {
    method,
    rawTarget,
    headers: { authorization: `JWT ${token}`, ...(body === '' ? {} : { 'content-type': 'application/json' }) },
    body: Buffer.from(body),
  };
}
