import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AnyRoute, IncomingCall, RawRequest } from './route.ts';

const NO_FIELDS: readonly string[] = [];
const NO_FORM: IncomingCall['form'] = Object.freeze({});

/** A request and its answer, on their way: what the wiring and the handlers see of them. What few ask for is made when asked for. */
export class Exchange implements IncomingCall, RawRequest {
  /** Null where the request found no route. */
  readonly route: AnyRoute | null;
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly method: string;
  readonly target: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | string[]>>;
  readonly remoteAddress: string;
  form: IncomingCall['form'] = NO_FORM;
  answerFields: readonly string[] = NO_FIELDS;
  #leaving: AbortController | null = null;

  constructor(request: FastifyRequest, reply: FastifyReply, route: AnyRoute | null) {
    const message = request.raw;
    this.route = route;
    this.message = message;
    this.response = reply.raw;
    this.requestId = request.id;
    this.method = message.method ?? 'GET';
    this.target = message.url ?? '/';
    this.params = (request.params ?? {}) as Record<string, string>;
    this.query = (request.query ?? {}) as Record<string, string | string[]>;
    this.remoteAddress = request.ip;
  }

  get headers(): IncomingHttpHeaders {
    return this.message.headers;
  }

  /** Stops when the caller leaves before its answer is whole. */
  get signal(): AbortSignal {
    if (this.#leaving !== null) return this.#leaving.signal;
    const leaving = (this.#leaving = new AbortController());
    const { response } = this;
    // The response's close, not the request's: that one comes as soon as the body has been read.
    const closed = (): void => {
      if (!response.writableFinished) leaving.abort();
    };
    if (response.closed) closed();
    else response.once('close', closed);
    return leaving.signal;
  }
}
