import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { PlatformError } from '@bulkhead/base';
import cors from '@fastify/cors';
import Fastify, { type FastifyInstance } from 'fastify';
import { admission, type AdmissionOptions } from './admission.ts';
import { answerClientError } from './client-error.ts';
import { Drain } from './drain.ts';
import { asPlatformError, logError } from './error-response.ts';
import { Exchange } from './exchange.ts';
import { httpErrors } from './http-errors.ts';
import { type HttpLimits, httpLimits } from './limits.ts';
import { refuseOddRequest } from './odd-request.ts';
import { decodeQuery } from './read-body.ts';
import { RepeatCallers } from './repeat-callers.ts';
import type { AnyRoute } from './route.ts';
import { ANY_METHODS, type RoutePaths, routePaths } from './route-paths.ts';
import { EXPOSED_HEADERS, sendError } from './send-answer.ts';
import { serveRoute, type ServingParts } from './serve-route.ts';

/** What the server must be told: it knows routes and wires, not credentials or tenants. */
export interface ServerOptions<Context> extends ServingParts<Context> {
  readonly routes: readonly AnyRoute[];
  /** Smaller limits than the usual ones. */
  readonly limits?: Partial<HttpLimits>;
  /** Other numbers of places for requests than the usual ones. */
  readonly admission?: Omit<AdmissionOptions, 'log'>;
  /** Longest time that running requests get to end when the server closes, in milliseconds. Default 30,000. */
  readonly drainMsMax?: number;
  /** CIDRs of proxies whose `X-Forwarded-*` count. */
  readonly trustProxy: readonly string[];
}

/**
 * Connections that the kernel holds until they are accepted; it takes no more than its own limit (`net.core.somaxconn`). Node's 511 are
 * fewer than come at once in an overload, and whoever finds it full is heard a second later, when it asks again (RFC 6298 §2).
 */
const BACKLOG = 4_096;

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
    frameworkErrors: (error, request, reply) => refuse(asPlatformError(error), new Exchange(request, reply, null)),
  });
  const drain = new Drain(server.server);
  server.server.maxConnections = limits.connections;
  server.server.maxRequestsPerSocket = limits.requestsPerConnection;
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, payload, done) => done(null, payload));

  const paths = routePaths(options.routes);
  /** Answers what no route does. */
  function refuse(error: PlatformError, exchange: Exchange, headers?: Readonly<Record<string, string>>): void {
    const isOpen = paths.isOpen(exchange.target);
    void sendError(options, error, exchange, { isOpen, ...(headers === undefined ? {} : { headers }) });
  }

  server.addHook('onRequest', (request, reply, done) => {
    refuseOddRequest(request.raw, reply.raw, limits.targetBytes);
    done();
  });
  await server.register(async (scope) => preflights(scope, paths));
  // What fails before a handler runs: an unreadable header, an odd target.
  server.setErrorHandler((thrown, request, reply) => {
    const error = asPlatformError(thrown);
    logError(options.log, error, { requestId: request.id });
    refuse(error, new Exchange(request, reply, null));
  });
  server.setNotFoundHandler((request, reply) => {
    const allowed = paths.methods(request.raw.url ?? '/').join(', ');
    const exchange = new Exchange(request, reply, null);
    if (allowed === '') refuse(httpErrors('not_found'), exchange);
    else refuse(httpErrors('method.not_allowed', { params: { allowed } }), exchange, { allow: allowed });
  });
  const gate = admission({ ...options.admission, log: options.log });
  const repeats = new RepeatCallers();
  for (const route of options.routes) {
    server.route({
      method: route.method === 'ANY' ? ANY_METHODS : [route.method],
      url: route.path.replace(/\{(\w+)\.\.\.\}$/, '*').replaceAll(/\{(\w+)\}/g, ':$1'),
      exposeHeadRoute: route.method === 'GET',
      handler: serveRoute(options, { limits, gate, repeats }, route),
    });
  }

  return {
    async listen(port, host) {
      await server.listen({ port, host, backlog: BACKLOG });
      return (server.server.address() as AddressInfo).port;
    },
    async close({ graceMs = 0 } = {}) {
      drain.begin();
      if (graceMs > 0) await delay(graceMs);
      await drain.until(Promise.resolve(server.close()), options.drainMsMax ?? DRAIN_MS_MAX).finally(() => gate.close());
    },
  };
}

/** Answers OPTIONS for what browsers of other origins may call. In a scope of its own: nothing else passes its hooks. */
async function preflights(scope: FastifyInstance, paths: RoutePaths): Promise<void> {
  scope.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  await scope.register(cors, {
    hook: 'onRequest',
    delegator: (request, done) =>
      done(
        null,
        paths.isOpen(request.url ?? '')
          ? { origin: true, methods: ANY_METHODS, maxAge: 600, exposedHeaders: EXPOSED_HEADERS }
          : { origin: false },
      ),
  });
}
