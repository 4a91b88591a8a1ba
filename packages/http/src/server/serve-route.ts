import type { Readable } from 'node:stream';
import type { Log } from '@bulkhead/base';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Admission, Place } from './admission.ts';
import { asPlatformError, logError } from './error-response.ts';
import { Exchange } from './exchange.ts';
import { httpErrors } from './http-errors.ts';
import { type IdempotencyStore, idempotencyKey, withIdempotency } from './idempotency.ts';
import type { HttpLimits } from './limits.ts';
import { refuseUnstorableEncoding } from './plain-text.ts';
import { decodeBody, readBytes, refuseLongQuery } from './read-body.ts';
import type { RepeatCallers } from './repeat-callers.ts';
import { ALREADY_SENT, type Answer, type AnyRoute, type IncomingCall } from './route.ts';
import { type ErrorAnswers, sendAnswer, sendError } from './send-answer.ts';
import { parsePart } from './validate.ts';
import { watchBody } from './watch-body.ts';

export interface ServingParts<Context> extends ErrorAnswers {
  readonly log: Log;
  /** Most bytes of a body that is read into memory. */
  readonly bodyBytesMax: number;
  /** Authenticates by what the route accepts and makes the handler's context. Throws a PlatformError to refuse. */
  readonly open: (request: IncomingCall, route: AnyRoute) => Promise<Context>;
  /** Of whose places an authenticated request takes one; null where it takes nobody's. Default: nobody's. */
  readonly partyOf?: (context: Context, route: AnyRoute) => string | null;
  /** Who a request claims to come from, told by its head alone; `''` where it claims nothing. They take turns where requests wait. */
  readonly claimedBy?: (request: IncomingCall) => string;
  /** Called once after every answered handler, for checks such as "the declared audit entry was written". */
  readonly close: (context: Context, route: AnyRoute) => void;
  readonly idempotency: IdempotencyStore<Context>;
}

const NO_BYTES = Buffer.alloc(0);

/**
 * What the router calls for a route. It answers by itself, straight to the response, and hands nothing back: neither a promise nor a
 * value that the router would have to look after.
 */
export function serveRoute<Context>(
  parts: ServingParts<Context>,
  { limits, gate, repeats }: { readonly limits: HttpLimits; readonly gate: Admission; readonly repeats: RepeatCallers },
  route: AnyRoute,
): (request: FastifyRequest, reply: FastifyReply) => void {
  const isStream = route.bodyForm === 'stream';
  const form = route.bodyForm === 'stream' ? null : (route.bodyForm ?? 'json');
  const honoursKey = route.method === 'POST' && route.idempotent !== false;
  const restName = /\{(\w+)\.\.\.\}$/.exec(route.path)?.[1];
  const isOpen = route.cors === true;
  /** Of bodies that are frozen, and so the same each time. */
  const texts = new WeakMap<object, { readonly status: number; readonly text: string }>();

  function send(exchange: Exchange, answer: Answer | typeof ALREADY_SENT): void {
    const body = answer === ALREADY_SENT || typeof answer.body !== 'object' ? null : answer.body;
    const known = body === null ? undefined : texts.get(body);
    if (known !== undefined && known.status === (answer as Answer).status) {
      sendAnswer(exchange, answer as Answer, isOpen, known.text);
      return;
    }
    const fit = shaped(route, answer);
    if (body === null || !Object.isFrozen(body)) {
      sendAnswer(exchange, fit, isOpen);
      return;
    }
    const text = JSON.stringify(fit.body);
    texts.set(body, { status: fit.status, text });
    sendAnswer(exchange, fit, isOpen, text);
  }

  async function run(context: Context, exchange: Exchange, decoded: unknown): Promise<Answer | typeof ALREADY_SENT> {
    const { params } = exchange;
    const answer = await route.handler(context, {
      params: parsePart(route.params, restName === undefined ? params : restNamed(restName, params), 'path'),
      query: parsePart(route.query, exchange.query, 'query'),
      body: parsePart(route.body, decoded, 'body'),
      raw: exchange,
    });
    parts.close(context, route);
    return answer;
  }

  async function answerOf(exchange: Exchange, stream: Readable | undefined, place: Place): Promise<Answer | typeof ALREADY_SENT> {
    refuseLongQuery(exchange.query);
    // A provider may send a person back with words in an encoding of its own: that must not end the flow.
    if (!isStream) refuseUnstorableEncoding(exchange.target, { lenient: route.errors === 'page' });
    const bytes = isStream || stream === undefined ? NO_BYTES : await readBytes(stream, { bytes: parts.bodyBytesMax, ms: limits.bodyMs });
    const decoded = form === null || route.body === undefined ? undefined : decodeBody(bytes, exchange.headers, form);
    if (form === 'form-or-json') exchange.form = (decoded ?? {}) as IncomingCall['form'];
    const context = await parts.open(exchange, route);
    const party = parts.partyOf?.(context, route) ?? null;
    const waiting = party === null ? undefined : place.belongTo(party);
    if (waiting !== undefined) await waiting;
    const key = honoursKey ? idempotencyKey(exchange.headers['idempotency-key']) : null;
    if (key === null) return run(context, exchange, decoded);
    const request = { method: exchange.method, target: exchange.target, body: bytes };
    return withIdempotency(parts.idempotency, context, key, request, async () => shaped(route, await run(context, exchange, decoded)));
  }

  async function serve(exchange: Exchange, stream: Readable | undefined, entered: Place | Promise<Place>): Promise<void> {
    let place: Place | undefined;
    let unwatch: (() => void) | undefined;
    try {
      place = entered instanceof Promise ? await entered : entered;
      repeats.letIn(exchange.message.socket);
      if (isStream && hasBody(exchange)) unwatch = watchBody(exchange.message, limits.bodyMs);
      const answer = await answerOf(exchange, stream, place);
      if (answer !== ALREADY_SENT || !isStream) send(exchange, answer);
    } catch (thrown) {
      await refuse(exchange, thrown);
    } finally {
      unwatch?.();
      place?.leave();
    }
  }

  async function refuse(exchange: Exchange, thrown: unknown): Promise<void> {
    // Who leaves before it has said all is nobody's failure, and hears nothing.
    if (thrown === exchange.message.errored && (thrown as { code?: unknown } | null)?.code === 'ECONNRESET') return;
    const error = asPlatformError(thrown);
    logError(parts.log, error, { requestId: exchange.requestId, route: route.id });
    await sendError(parts, error, exchange, { shape: route.errors ?? 'rest', isOpen });
  }

  /** Whoever is turned away at the door goes the shortest way. */
  function admitted(exchange: Exchange, stream: Readable | undefined): Promise<void> {
    const { socket } = exchange.message;
    const heard = route.rateClass === 'health' ? null : repeats.heard(socket);
    if (heard !== null) return heard.then(() => entering(exchange, stream));
    return entering(exchange, stream);
  }

  function entering(exchange: Exchange, stream: Readable | undefined): Promise<void> {
    let entered: Place | Promise<Place>;
    try {
      entered = gate.enter(route.rateClass, () => parts.claimedBy?.(exchange) ?? '');
    } catch (thrown) {
      repeats.turnedAway(exchange.message.socket);
      return refuse(exchange, thrown);
    }
    return serve(exchange, stream, entered);
  }

  return (request, reply) => {
    const exchange = new Exchange(request, reply, route);
    // What fails even as an error (its page, say) leaves nobody waiting.
    admitted(exchange, request.body as Readable | undefined).catch((error: unknown) => {
      parts.log.error('an error could not be answered', { requestId: exchange.requestId, route: route.id, err: error });
      exchange.response.destroy();
    });
  };
}

/** Whether a body comes with the request (RFC 9112 §6.3). */
function hasBody({ headers }: Exchange): boolean {
  return headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined;
}

/** The rest-of-path place under its declared name. */
function restNamed(name: string, { '*': rest, ...named }: Readonly<Record<string, string>>): Record<string, string> {
  return { ...named, [name]: rest ?? '' };
}

/** Parses the answer by its declared schema: a field that is not declared cannot leave. */
function shaped(route: AnyRoute, answer: Answer | typeof ALREADY_SENT): Answer {
  if (answer === ALREADY_SENT)
    throw httpErrors('server_error', { detail: `${route.id} sent its answer itself, and is no route that streams` });
  if (!(answer.status in route.answers))
    throw httpErrors('server_error', { detail: `${route.id} does not declare status ${answer.status}` });
  const schema = route.answers[answer.status];
  if (!schema || answer.body === undefined || typeof answer.body === 'string') return answer;
  return { status: answer.status, body: schema.parse(answer.body), ...(answer.headers === undefined ? {} : { headers: answer.headers }) };
}
