import { captureRejectionSymbol, EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { queryValues, readConnectJwt } from '@bulkhead/protocol';
import type { ExpressHandler } from '../adapter/express.ts';
import { keepVerified } from '../adapter/guard.ts';
import { answerMessage, answerTo, readBody, requestOf, sendNode } from '../adapter/node-http.ts';
import { type AppKit, createAppKit, type CreateAppKitOptions } from '../app-kit.ts';
import { type AppRequest, oneHeader } from '../app-request.ts';
import type { AppDescriptor } from '../descriptor.ts';
import type { JsonValue } from '../store/tenant-store.ts';
import type { TenantClient } from '../tenant-client.ts';
import type { TenantRecord } from '../tenant-record.ts';
import type { RequestRules, VerifiedToken } from '../token/verify-tenant-token.ts';
import { type AceHttpClient, aceHttpClient } from './host-client.ts';

/** `req.context` and `res.locals` of a verified request, under the names that pages of atlassian-connect-express use. */
export interface AceContext {
  readonly title: string;
  readonly addonKey: string;
  readonly clientKey: string;
  /** A session token for the page's own calls, 15 minutes at most after the host's; empty at a route that a session opened. */
  readonly token: string;
  readonly license: string | undefined;
  readonly localBaseUrl: string;
  readonly hostBaseUrl: string;
  readonly hostUrl: string;
  readonly hostScriptUrl: string;
  readonly userAccountId: string | undefined;
  readonly context: unknown;
  readonly http: AceHttpClient;
}

/** What was kept of `installed`, without its secret. */
export interface AceClientInfo {
  readonly key: string;
  readonly clientKey: string;
  readonly baseUrl: string;
  readonly productType: string | undefined;
  readonly oauthClientId: string | undefined;
  readonly installationId: string | undefined;
}

export interface AceOptions extends CreateAppKitOptions {
  /** Default: the host's `all.js`, which its pages bring. */
  readonly hostScriptUrl?: string;
}

/** The hosts of these Apps put no `jti` into their tokens; from one that does, a token counts once. */
const AS_BEFORE: RequestRules = { repeatable: 'without-jti' };

type AceRequest = IncomingMessage & { readonly originalUrl?: string; context?: AceContext };
type AceServerResponse = ServerResponse & { locals?: Record<string, unknown> };

/**
 * The kit under the method names of atlassian-connect-express, for an App that moves over: replace `ac(app)` by `new AceAddon({…})`, put
 * `middleware()` before every body parser, and leave the routes as they are. What that library accepts and should not is refused all the
 * same. Events: `host_settings_saved` (clientKey, what was kept), and each webhook's (event, body, request).
 */
export class AceAddon extends EventEmitter {
  readonly kit: AppKit;
  readonly key: string;
  readonly descriptor: AppDescriptor;
  readonly #hostScriptUrl: string | undefined;
  readonly #webhooks: ReadonlyMap<string, string>;

  constructor({ hostScriptUrl, onLifecycle, ...options }: AceOptions) {
    super({ captureRejections: true });
    this.kit = createAppKit({
      ...options,
      onLifecycle: async (event, tenant) => {
        await onLifecycle?.(event, tenant);
        if (event === 'installed') this.emit('host_settings_saved', tenant.clientKey, this.#infoOf(tenant));
      },
    });
    this.descriptor = options.descriptor;
    this.key = this.kit.key;
    this.#hostScriptUrl = hostScriptUrl;
    this.#webhooks = new Map((this.descriptor.modules?.webhooks ?? []).map(({ url, event }) => [url.split('?')[0] ?? url, event]));
  }

  /** A listener that fails later has been answered already; it is logged, and the process lives on. */
  override [captureRejectionSymbol](failure: Error, event: string): void {
    this.kit.settings.log.error('a listener of the App failed', { event, failure });
  }

  /** Descriptor, lifecycle calls and webhooks. Before every body parser. */
  middleware(): ExpressHandler {
    return (request, response, next) => {
      this.#receive(request, response).then((answered) => {
        if (!answered) next();
      }, next);
    };
  }

  /** A request that the host signed for exactly this target. `skipQsh` is `checkValidToken`: a token of another request never counts. */
  authenticate(skipQsh = false): ExpressHandler {
    return skipQsh ? this.checkValidToken() : this.#guard((request) => this.kit.verifyRequest(request, AS_BEFORE));
  }

  /** A context token, or a session token of this App, which the old front ends send as `JWT …`. */
  checkValidToken(): ExpressHandler {
    return this.#guard((request) => {
      const value = oneHeader(request, 'authorization') ?? '';
      const read = readConnectJwt(value.replace(/^(?:JWT|Bearer) /, ''));
      if ('refused' in read || read.claims.iss !== this.key) return this.kit.verifyContext(request);
      return this.kit.verifySession({ ...request, headers: { ...request.headers, authorization: value.replace(/^JWT /, 'Bearer ') } });
    });
  }

  /** Calls the tenant of a verified request, or of a clientKey, as the App; `asUserByAccountId` as one of its users. */
  httpClient(of: { readonly context?: AceContext } | { readonly clientKey: string; readonly userAccountId?: string }): AceHttpClient {
    if ('clientKey' in of) return aceHttpClient(() => this.#client(of.clientKey), of.userAccountId);
    if (of.context === undefined) throw new TypeError('the request was not verified');
    return of.context.http;
  }

  async loadClientInfo(clientKey: string): Promise<AceClientInfo | null> {
    const tenant = await this.kit.settings.store.find(clientKey);
    return tenant === null ? null : this.#infoOf(tenant);
  }

  /** Values of one tenant. `clientInfo` can be read and not written: only a signed install does that. */
  readonly settings: {
    get(key: string, clientKey: string): Promise<unknown>;
    set(key: string, value: JsonValue, clientKey: string): Promise<void>;
    del(key: string, clientKey: string): Promise<boolean>;
  } = {
    get: (key, clientKey) => (key === 'clientInfo' ? this.loadClientInfo(clientKey) : this.kit.settings.store.records(clientKey).get(key)),
    set: (key, value, clientKey) => {
      if (key === 'clientInfo') throw new TypeError('clientInfo is written by a signed install only');
      return this.kit.settings.store.records(clientKey).put(key, value);
    },
    del: (key, clientKey) => this.kit.settings.store.records(clientKey).delete(key),
  };

  async #receive(message: AceRequest, response: ServerResponse): Promise<boolean> {
    const rawTarget = message.originalUrl ?? message.url ?? '/';
    const answer = await answerMessage(this.kit, message, rawTarget);
    if (answer !== null) sendNode(response, answer);
    if (answer !== null || message.method !== 'POST') return answer !== null;
    const { basePath } = this.kit.settings;
    const path = rawTarget.split('?')[0] ?? '';
    const event = this.#webhooks.get(path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : path);
    if (event === undefined) return false;
    try {
      const verified = await this.kit.verifyRequest(requestOf(message, rawTarget), AS_BEFORE);
      message.context = this.#contextOf(verified, rawTarget);
      this.emit(event, event, parsedBody(await readBody(message)), message);
      sendNode(response, { status: 204, headers: {}, body: '' });
    } catch (thrown) {
      sendNode(response, answerTo(this.kit, thrown));
    }
    return true;
  }

  #guard(verify: (request: AppRequest) => Promise<VerifiedToken>): ExpressHandler {
    return (message: AceRequest, response: AceServerResponse, next) => {
      const rawTarget = message.originalUrl ?? message.url ?? '/';
      verify(requestOf(message, rawTarget)).then(
        (verified) => {
          keepVerified(message, verified);
          message.context = this.#contextOf(verified, rawTarget);
          response.locals = { ...response.locals, ...message.context };
          next();
        },
        (thrown: unknown) => {
          const refused = this.kit.refusal(thrown);
          if (refused === null) next(thrown);
          else sendNode(response, refused);
        },
      );
    };
  }

  #contextOf(verified: VerifiedToken, rawTarget: string): AceContext {
    const { tenant, accountId, claims } = verified;
    return {
      title: this.descriptor.name ?? this.key,
      addonKey: this.key,
      clientKey: tenant.clientKey,
      token: verified.kind === 'session' ? '' : this.kit.issueSession(verified),
      license: queryValues(rawTarget, 'lic')[0],
      localBaseUrl: this.descriptor.baseUrl,
      hostBaseUrl: tenant.baseUrl,
      hostUrl: tenant.baseUrl,
      hostScriptUrl: this.#hostScriptUrl ?? `${new URL(tenant.baseUrl).origin}/atlassian-connect/all.js`,
      userAccountId: accountId ?? undefined,
      context: claims['context'],
      http: aceHttpClient(() => Promise.resolve(this.kit.tenant(tenant))),
    };
  }

  async #client(clientKey: string): Promise<TenantClient> {
    const client = await this.kit.findTenant(clientKey);
    if (client === null) throw new Error('This tenant is not installed.');
    return client;
  }

  #infoOf({ clientKey, baseUrl, details }: TenantRecord): AceClientInfo {
    const { productType, oauthClientId, installationId } = details;
    return { key: this.key, clientKey, baseUrl, productType, oauthClientId, installationId };
  }
}

function parsedBody(body: Uint8Array): unknown {
  const text = Buffer.from(body).toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
