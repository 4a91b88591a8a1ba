import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log, PlatformError } from '@bulkhead/base';
import cors from '@fastify/cors';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type Admission, admission, type AdmissionOptions } from './admission.ts';
import { answerClientError } from './client-error.ts';
import { Drain } from './drain.ts';
import { asPlatformError, logError, oauthErrorBody, restErrorBody } from './error-response.ts';
import { httpErrors } from './http-errors.ts';
import { type IdempotencyStore, idempotencyKey, withIdempotency } from './idempotency.ts';
import { type HttpLimits, httpLimits } from './limits.ts';
import { refuseOddRequest } from './odd-request.ts';
import { refuseUnstorableEncoding } from './plain-text.ts';
import { decodeBody, decodeQuery, readBytes, refuseLongQuery } from './read-body.ts';
import { ALREADY_SENT, type Answer, type AnyRoute, type IncomingCall, type RawRequest } from './route.ts';
import { parsePart } from './validate.ts';
import { watchBody } from './watch-body.ts';

/** What the server must be told: it knows routes and wires, not credentials or tenants. */
export interface ServerOptions<Context> {
  readonly routes: readonly AnyRoute[];
  readonly log: Log;
  /** Most bytes of a body that is read into memory. */
  readonly bodyBytesMax: number;
  /** Smaller limits than the usual ones. */
  readonly limits?: Partial<HttpLimits>;
  /** Other numbers of places for requests than the usual ones. */
  readonly admission?: Omit<AdmissionOptions, 'log'>;
  /** Longest time that running requests get to end when the server closes, in milliseconds. Default 30,000. */
  readonly drainMsMax?: number;
  /** Authenticates by what the route accepts and makes the handler's context. Throws a PlatformError to refuse. */
  readonly open: (request: IncomingCall, route: AnyRoute) => Promise<Context>;
  /** Called once after every answered handler, for checks such as "the declared audit entry was written". */
  readonly close: (context: Context, route: AnyRoute) => void;
  /** `WWW-Authenticate` for an error of a route, null for none. The route is null where the request found none. Default: never any. */
  readonly challenge?: (error: PlatformError, route: AnyRoute | null, call: IncomingCall) => string | null;
  readonly idempotency: IdempotencyStore<Context>;
  /** HTML for an error on a page route. */
  readonly errorPage: (error: PlatformError, requestId: string, call: IncomingCall) => Promise<Answer>;
  /** CIDRs of proxies whose `X-Forwarded-*` count. */
  readonly trustProxy: readonly string[];
}

export interface HttpServer {
  /** Binds; answers the port in use. */
  listen(port: number, host: string): Promise<number>;
  /**
   * For `graceMs` (default 0) goes on serving, with `Connection: close` on every answer, so that whoever watches `/readyz` can turn
   * away. Then stops accepting, lets running requests end, and closes.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

const DRAIN_MS_MAX = 30_000;
const ANY_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const SECURITY_HEADERS = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' } as const;

export async function createServer<Context>(options: ServerOptions<Context>): Promise<HttpServer> {
  const limits = httpLimits(options.limits);
  const server = Fastify({
    logger: false,
    genReqId: () => randomUUID(),
    bodyLimit: Number.MAX_SAFE_INTEGER, // bodies are read by readBytes, which has the limit; the pass-through has none
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 512, querystringParser: decodeQuery },
    requestTimeout: 0,
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    // Whoever gets in on a connection of before is answered, not turned away.
    return503OnClosing: false,
    trustProxy: options.trustProxy.length > 0 ? [...options.trustProxy] : false,
    http: { headersTimeout: limits.headersMs, connectionsCheckingInterval: limits.lookEveryMs, maxHeaderSize: limits.headBytes },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => {
      void sendError(options, asPlatformError(error), 'rest', callOf(request, {}, new AbortController().signal), reply);
    },
  });
  const drain = new Drain(server.server);
  server.server.maxConnections = limits.connections;
  server.server.maxRequestsPerSocket = limits.requestsPerConnection;
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, payload, done) => done(null, payload));

  const corsPaths = corsMatcher(options.routes);
  const methodsOf = methodFinder(options.routes);
  await server.register(cors, {
    hook: 'onRequest',
    delegator: (request, done) =>
      done(
        null,
        corsPaths(request.url ?? '')
          ? { origin: true, methods: ANY_METHODS, maxAge: 600, exposedHeaders: ['x-request-id', 'retry-after', 'www-authenticate'] }
          : { origin: false },
      ),
  });
  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    refuseOddRequest(request.raw, reply.raw, limits.targetBytes);
  });
  // What fails before a handler runs: an unreadable header, an odd target.
  server.setErrorHandler((thrown, request, reply) => {
    const error = asPlatformError(thrown);
    logError(options.log.child({ requestId: request.id }), error);
    return sendError(options, error, 'rest', callOf(request, {}, new AbortController().signal), reply);
  });
  server.setNotFoundHandler((request, reply) => {
    const signal = new AbortController().signal;
    const allowed = methodsOf(request.raw.url ?? '/');
    const error =
      allowed.length === 0 ? httpErrors('not_found') : httpErrors('method.not_allowed', { params: { allowed: allowed.join(', ') } });
    if (allowed.length > 0) reply.header('allow', allowed.join(', '));
    return sendError(options, error, 'rest', callOf(request, {}, signal), reply);
  });
  const gate = admission({ ...options.admission, log: options.log });
  for (const route of options.routes) register(server, { options, limits, gate }, route);

  return {
    async listen(port, host) {
      await server.listen({ port, host });
      return (server.server.address() as AddressInfo).port;
    },
    async close({ graceMs = 0 } = {}) {
      drain.begin();
      if (graceMs > 0) await delay(graceMs);
      await drain.until(Promise.resolve(server.close()), options.drainMsMax ?? DRAIN_MS_MAX).finally(() => gate.close());
    },
  };
}

interface Serving<Context> {
  readonly options: ServerOptions<Context>;
  readonly limits: HttpLimits;
  readonly gate: Admission;
}

function register<Context>(server: FastifyInstance, { options, limits, gate }: Serving<Context>, route: AnyRoute): void {
  const url = route.path.replace(/\{(\w+)\.\.\.\}$/, '*').replaceAll(/\{(\w+)\}/g, ':$1');
  server.route({
    method: route.method === 'ANY' ? ANY_METHODS : [route.method],
    url,
    exposeHeadRoute: route.method === 'GET',
    handler: async (request, reply) => {
      const leaving = new AbortController();
      // The response's close, not the request's: that one comes as soon as the body has been read.
      reply.raw.once('close', () => {
        if (!reply.raw.writableFinished) leaving.abort();
      });
      let call = callOf(request, {}, leaving.signal);
      let leave: (() => void) | undefined;
      let unwatch: (() => void) | undefined;
      try {
        leave = await gate.enter(route.rateClass);
        refuseLongQuery(call.query);
        const stream = request.body as Readable | undefined;
        const bytes =
          route.bodyForm === 'stream' || stream === undefined
            ? Buffer.alloc(0)
            : await readBytes(stream, { bytes: options.bodyBytesMax, ms: limits.bodyMs });
        if (route.bodyForm === 'stream') unwatch = watchBody(request.raw, limits.bodyMs);
        // A provider may send a person back with words in an encoding of its own: that must not end the flow.
        else refuseUnstorableEncoding(call.target, { lenient: route.errors === 'page' });
        const decoded =
          route.bodyForm === 'stream' || route.body === undefined
            ? undefined
            : decodeBody(bytes, request.headers, route.bodyForm ?? 'json');
        if (route.bodyForm === 'form-or-json') call = callOf(request, decoded as Record<string, string | string[]>, leaving.signal);
        const context = await options.open(call, route);
        const raw: RawRequest = { message: request.raw, response: reply.raw, target: request.raw.url ?? '/', signal: leaving.signal };
        const run = async (): Promise<Answer | typeof ALREADY_SENT> => {
          const answer = await route.handler(context, {
            params: parsePart(route.params, restNamed(route, call.params), 'path'),
            query: parsePart(route.query, { ...call.query }, 'query'),
            body: parsePart(route.body, decoded, 'body'),
            raw,
          });
          options.close(context, route);
          return answer;
        };
        const key = route.method === 'POST' && route.idempotent !== false ? idempotencyKey(request.headers['idempotency-key']) : null;
        if (route.bodyForm === 'stream') reply.hijack();
        const answer =
          key === null
            ? await run()
            : await withIdempotency(
                options.idempotency,
                context,
                key,
                { method: request.method, target: call.target, body: bytes },
                async () => shaped(route, await run()),
              );
        if (answer === ALREADY_SENT) return reply;
        return send(reply, shaped(route, answer));
      } catch (thrown) {
        const error = asPlatformError(thrown);
        logError(options.log.child({ requestId: request.id, route: route.id }), error);
        return sendError(options, error, route.errors ?? 'rest', call, reply, route);
      } finally {
        unwatch?.();
        leave?.();
      }
    },
  });
}

/** The rest-of-path place under its declared name. */
function restNamed(route: AnyRoute, params: Readonly<Record<string, string>>): Record<string, string> {
  const { '*': rest, ...named } = params;
  const name = /\{(\w+)\.\.\.\}$/.exec(route.path)?.[1];
  return name === undefined ? named : { ...named, [name]: rest ?? '' };
}

/** Parses the answer by its declared schema: a field that is not declared cannot leave. */
function shaped(route: AnyRoute, answer: Answer | typeof ALREADY_SENT): Answer {
  if (answer === ALREADY_SENT)
    throw httpErrors('server_error', { detail: `${route.id} sent its answer itself, yet takes an Idempotency-Key` });
  if (!(answer.status in route.answers))
    throw httpErrors('server_error', { detail: `${route.id} does not declare status ${answer.status}` });
  const schema = route.answers[answer.status];
  if (!schema || answer.body === undefined || typeof answer.body === 'string') return answer;
  return { ...answer, body: schema.parse(answer.body) };
}

function send(reply: FastifyReply, answer: Answer): FastifyReply {
  reply.code(answer.status).headers(SECURITY_HEADERS);
  if (answer.headers) reply.headers(answer.headers as Record<string, string>);
  if (answer.body === undefined) return reply.send();
  if (typeof answer.body === 'string') return reply.send(Buffer.from(answer.body, 'utf8'));
  // Exactly `application/json`: Kloudless's clients compare the whole header. A buffer keeps the charset from being added.
  return reply.header('content-type', 'application/json').send(Buffer.from(JSON.stringify(answer.body), 'utf8'));
}

async function sendError<Context>(
  options: ServerOptions<Context>,
  error: PlatformError,
  shape: 'rest' | 'oauth' | 'page',
  call: IncomingCall,
  reply: FastifyReply,
  route: AnyRoute | null = null,
): Promise<FastifyReply> {
  if (reply.raw.headersSent) {
    reply.raw.destroy();
    return reply;
  }
  // What the router refuses itself has passed no hook.
  reply.header('x-request-id', call.requestId);
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', String(error.retryAfterSeconds));
  const answer =
    shape === 'page'
      ? await options.errorPage(error, call.requestId, call)
      : { status: error.status, body: shape === 'oauth' ? oauthErrorBody(error, call.requestId) : restErrorBody(error, call.requestId) };
  const challenge = options.challenge?.(error, route, call) ?? null;
  if (challenge !== null) reply.header('www-authenticate', challenge);
  if (reply.sent) return sendHijacked(reply, answer);
  return send(reply, answer);
}

/** An error before the first byte of a hijacked (streaming) answer. */
function sendHijacked(reply: FastifyReply, answer: Answer): FastifyReply {
  const body = Buffer.from(JSON.stringify(answer.body), 'utf8');
  const headers = { ...reply.getHeaders(), ...SECURITY_HEADERS, 'content-type': 'application/json', 'content-length': body.byteLength };
  reply.raw.writeHead(answer.status, headers as Record<string, string | number>).end(body);
  return reply;
}

function callOf(request: FastifyRequest, form: Record<string, string | string[]>, signal: AbortSignal): IncomingCall {
  return {
    requestId: request.id,
    method: request.method,
    target: request.raw.url ?? '/',
    headers: request.headers,
    params: (request.params ?? {}) as Record<string, string>,
    query: (request.query ?? {}) as Record<string, string | string[]>,
    form,
    remoteAddress: request.ip,
    signal,
  };
}

function corsMatcher(routes: readonly AnyRoute[]): (target: string) => boolean {
  const forms = routes.filter((route) => route.cors).map(pathForm);
  return (target) => forms.some((form) => form.test(pathOf(target)));
}

/** The methods that a path has, for telling a wrong method from a wrong path; the same for everybody, whoever asks. */
function methodFinder(routes: readonly AnyRoute[]): (target: string) => string[] {
  const known = routes.map((route) => {
    const methods = route.method === 'ANY' ? ANY_METHODS : route.method === 'GET' ? ['GET', 'HEAD'] : [route.method];
    return { form: pathForm(route), methods };
  });
  return (target) => {
    const path = pathOf(target);
    return [...new Set(known.filter(({ form }) => form.test(path)).flatMap(({ methods }) => methods))].sort();
  };
}

function pathForm(route: AnyRoute): RegExp {
  return new RegExp(
    `^${route.path
      .replaceAll('.', '\\.')
      .replace(/\/?\{\w+(\\\.){3}\}$/, '(/.*)?')
      .replaceAll(/\{\w+\}/g, '[^/]+')}/?$`,
  );
}

function pathOf(target: string): string {
  return target.split('?')[0]!.replaceAll(/\/{2,}/g, '/');
}
