import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ApplicationId, type Clock, type Log, PlatformError } from '@bulkhead/base';
import { type Egress, httpErrors, pipeTo, readBytes, type StreamOutcome, type StreamRequest } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { RequestContext } from '../access/index.ts';
import { apiBaseUrl, placeCredential, type UpstreamService } from '../services/index.ts';
import type { CredentialRefresher, CredentialUse } from '../vault/index.ts';
import { answerHeaders } from './answer-headers.ts';
import { type Decision, holdUnauthorized } from './held-answer.ts';
import { passthroughErrors } from './passthrough-errors.ts';
import { readForwardedAccount } from './passthrough-store.ts';
import { headerValue, upstreamHeaders } from './request-headers.ts';
import { type ApiBase, apiBase, upstreamTarget, type WantedTarget } from './target.ts';
import { assertAllowed, type ForwardingPrincipal, isLimited, isReached } from './token-limits.ts';
import { watchUpload } from './upload-watch.ts';
import type { UpstreamLimits } from './upstream-limits.ts';

export interface ForwardOptions {
  readonly db: Database;
  readonly egress: Pick<Egress, 'stream'>;
  readonly refresher: Pick<CredentialRefresher, 'currentCredential' | 'forceRefresh'>;
  readonly log: Log;
  readonly clock: Clock;
  /** Longest time that a body which is kept may take to arrive, and that one on its way may rest, in milliseconds. Default 10,000. */
  readonly bodyMsMax?: number;
  /** Of the service: until the head of its answer, and between two pieces. Defaults of egress. */
  readonly upstreamTimes?: Pick<StreamRequest, 'headersTimeoutMs' | 'bodyIdleTimeoutMs'>;
}

/** What the calls of a process share. */
export interface ForwardParts extends ForwardOptions {
  readonly limits: UpstreamLimits;
}

/** A call as a caller wants it, before anything of ours is known. */
export interface WantedCall {
  readonly accountId: number;
  readonly method: string;
  /** The headers to be passed on: as they came, or as the caller wrote others over them. */
  readonly headers: readonly string[];
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  /** The caller wants to ask although the service has told the account to wait. */
  readonly ignoresLimit: boolean;
  /** The place, told where the API is; refuses what is not there. */
  readonly place: (base: ApiBase) => { readonly target: WantedTarget; readonly isRelative: boolean };
}

type ForwardContext = RequestContext<ForwardingPrincipal>;
type Usable = Extract<CredentialUse, { kind: 'usable' }>;

/** Bodies up to this are kept, so that the call can be repeated with a renewed credential. */
const REPLAYABLE_BYTES = 64 * 1024;
const BODY_MS_MAX = 10_000;

/** The body: none, bytes that can be sent again, or a stream that is sent once. */
type Body =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'stream'; readonly stream: IncomingMessage };

/**
 * Sends one call to the upstream API of an account and streams the answer back. Throws before the first byte of the answer:
 * `not_found`, `passthrough.*`, `vault.*`, `egress.*`; after it a broken answer breaks the caller's connection.
 */
export async function forwardCall(options: ForwardParts, context: ForwardContext, call: WantedCall): Promise<void> {
  const { applicationId, principal } = context;
  const account = await readForwardedAccount(options.db, applicationId, call.accountId);
  if (account === null || !isReached(principal, account)) throw httpErrors('not_found');
  if (!account.active) throw passthroughErrors('passthrough.account_inactive');
  const { credential, service } = account;
  if (service === null) throw passthroughErrors('passthrough.service_gone');
  if (credential === null) throw broken(account.brokenReason ?? 'no_credential', call.accountId);

  // For most services the place is known, and so refused, before the credential is opened.
  const early = service.quirks.baseUrlFrom === undefined ? locate(principal, call, apiBase(apiBaseUrl(service))) : null;
  if (!call.ignoresLimit) options.limits.assertNotLimited(applicationId, call.accountId);
  const use = usable(await options.refresher.currentCredential(credential, credential), call.accountId);
  const kept = use.credential.type === 'oauth2' ? use.credential.kept : {};
  const located = early ?? locate(principal, call, apiBase(apiBaseUrl(service, kept)));

  const body = await bodyOf(call, use.refreshable, options.bodyMsMax ?? BODY_MS_MAX);
  const send = new Sending(options, context, call, service, located, body);
  const outcome = await send.first(use);
  if (outcome.status === 401 && use.refreshable && body.kind === 'stream') await send.renewForNextTime(use);
}

function usable(use: CredentialUse | null, accountId: number): Usable {
  if (use === null) throw httpErrors('not_found');
  if (use.kind === 'broken') throw broken(use.reason, accountId);
  return use;
}

function broken(reason: string, accountId: number): PlatformError {
  return passthroughErrors('passthrough.account_broken', { params: { reason, account: accountId } });
}

interface Located {
  readonly origin: string;
  readonly target: string;
}

function locate(principal: ForwardingPrincipal, call: WantedCall, base: ApiBase): Located {
  const { target: wanted, isRelative } = call.place(base);
  const { target, limitedPath } = upstreamTarget(base, wanted, isRelative);
  assertAllowed(principal, { method: call.method, path: limitedPath, query: wanted.query, origin: browserOrigin(call) });
  return { origin: base.origin, target };
}

/**
 * Where the caller's browser is, by its own word: no script can write that header (Fetch §2.2.2). `headers` would not do, because
 * `X-Kloudless-Raw-Headers` writes over them. Two of them are none that any token names.
 */
function browserOrigin({ message }: WantedCall): string | null {
  return message.headers.origin ?? null;
}

async function bodyOf({ headers, message }: WantedCall, refreshable: boolean, ms: number): Promise<Body> {
  const length = headerValue(headers, 'content-length');
  const isChunked = headerValue(headers, 'transfer-encoding') !== undefined;
  if (!isChunked && (length === undefined || Number(length) === 0)) return { kind: 'none' };
  if (!refreshable || isChunked || !(Number(length) <= REPLAYABLE_BYTES)) return { kind: 'stream', stream: message };
  return { kind: 'bytes', bytes: await readBytes(message, { bytes: REPLAYABLE_BYTES, ms }) };
}

class Sending {
  readonly #options: ForwardParts;
  readonly #context: ForwardContext;
  readonly #call: WantedCall;
  readonly #service: UpstreamService;
  readonly #located: Located;
  readonly #body: Body;

  constructor(options: ForwardParts, context: ForwardContext, call: WantedCall, service: UpstreamService, located: Located, body: Body) {
    this.#options = options;
    this.#context = context;
    this.#call = call;
    this.#service = service;
    this.#located = located;
    this.#body = body;
  }

  /** Sends; on a 401 renews the credential once and sends again. */
  async first(use: Usable): Promise<StreamOutcome> {
    if (!use.refreshable || this.#body.kind === 'stream') return this.#send(use, this.#sink());
    let renewed: Usable | undefined;
    const { sink, decided } = holdUnauthorized(this.#sink(), async () => {
      const next = await this.#renew(use);
      if (next === null) return 'pass';
      if (next.kind === 'broken') return broken(next.reason, this.#call.accountId);
      renewed = next;
      return 'again';
    });
    const outcome = await this.#send(use, sink);
    const decision: Decision = await decided();
    if (decision instanceof PlatformError) throw decision;
    return renewed === undefined || this.#call.response.destroyed ? outcome : this.#send(renewed, this.#sink());
  }

  /** The caller has its 401 already; the next call finds a new token. */
  async renewForNextTime(use: Usable): Promise<void> {
    await this.#renew(use);
  }

  /** Null where there is nothing new: then the upstream's own answer says most. */
  async #renew(use: Usable): Promise<CredentialUse | null> {
    try {
      const next = await this.#options.refresher.forceRefresh(
        { applicationId: this.#context.applicationId, credentialId: use.credentialId },
        use.version,
      );
      return next?.kind === 'usable' && next.version === use.version ? null : next;
    } catch (thrown) {
      if (!(thrown instanceof PlatformError)) throw thrown;
      this.#options.log.info('a refused credential could not be renewed', { code: thrown.code, credentialId: use.credentialId });
      return null;
    }
  }

  #sink() {
    const origin = browserOrigin(this.#call);
    return pipeTo(this.#call.response, {
      transformHeaders: (headers, status) => {
        this.#options.limits.note(this.#context.applicationId, this.#call.accountId, status, headers);
        return answerHeaders(headers, { origin, requestId: this.#context.requestId });
      },
    });
  }

  async #send(use: Usable, sink: ReturnType<typeof pipeTo>): Promise<StreamOutcome> {
    const { origin, target } = this.#located;
    const placed = placeCredential(this.#service, use.credential, origin + target);
    const { auth } = this.#service.definition;
    const headers = upstreamHeaders(this.#call.headers, {
      credential: placed.headers,
      reserved: auth.type === 'api_key' && auth.in === 'header' ? [auth.name] : [],
      isLimited: isLimited(this.#context.principal),
    });
    const tenant: ApplicationId = this.#context.applicationId;
    const request: StreamRequest = {
      url: origin,
      target: placed.url.slice(origin.length),
      policy: 'upstream',
      tenant,
      method: this.#call.method,
      headers,
      body: this.#body.kind === 'none' ? null : this.#body.kind === 'bytes' ? this.#body.bytes : this.#body.stream,
      ...this.#options.upstreamTimes,
    };
    return this.#body.kind === 'stream' ? this.#sendWatched(request, sink) : this.#options.egress.stream(request, sink);
  }

  /** A caller that stops in the middle of its body does not hold the service's connection; it hears why where it can. */
  async #sendWatched(request: StreamRequest, sink: ReturnType<typeof pipeTo>): Promise<StreamOutcome> {
    const ms = this.#options.bodyMsMax ?? BODY_MS_MAX;
    const watch = watchUpload(this.#call.message, ms);
    try {
      const outcome = await this.#options.egress.stream({ ...request, signal: watch.signal }, sink);
      if (!watch.signal.aborted || this.#call.response.destroyed) return outcome;
      this.#call.response.shouldKeepAlive = false;
      throw httpErrors('request.too_slow', { params: { limit: Math.ceil(ms / 1000) } });
    } finally {
      watch.stop();
    }
  }
}
