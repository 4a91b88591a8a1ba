import type { PlatformError } from '@bulkhead/base';
import { oauthErrorBody, restErrorBody } from './error-response.ts';
import type { Exchange } from './exchange.ts';
import type { Answer, AnyRoute, ErrorShape, IncomingCall } from './route.ts';

/** What an error becomes that is not for every server to know. */
export interface ErrorAnswers {
  /** `WWW-Authenticate` for an error of a route, null for none. The route is null where the request found none. Default: never any. */
  readonly challenge?: (error: PlatformError, route: AnyRoute | null, call: IncomingCall) => string | null;
  /** HTML for an error on a page route. */
  readonly errorPage: (error: PlatformError, requestId: string, call: IncomingCall) => Promise<Answer>;
}

type Headers = Record<string, string | readonly string[]>;

export const EXPOSED_HEADERS = 'x-request-id, retry-after, www-authenticate, ratelimit, ratelimit-policy';
const SECURITY_HEADERS = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' } as const;
const SECURITY_FIELDS: readonly string[] = Object.entries(SECURITY_HEADERS).flat();

/**
 * Writes an answer whole, straight to the connection: `Vary` and, where other origins may call (`isOpen`), the headers of CORS for the
 * origin that asked; the request's id; the headers against misreading; then the answer's own, which win. `known`: the body as JSON, where
 * it has been written before.
 */
export function sendAnswer(exchange: Exchange, answer: Answer, isOpen: boolean, known?: string): void {
  const { response } = exchange;
  const { body } = answer;
  // Whoever has left hears nothing, and writing to it would be an error.
  if (response.destroyed) return;
  if (body === undefined || typeof body === 'string' || answer.headers !== undefined) {
    sendOther(exchange, answer, isOpen);
    return;
  }
  const text = known ?? JSON.stringify(body);
  const fields: string[] = ['vary', 'Origin'];
  if (isOpen) {
    const { origin } = exchange.message.headers;
    if (origin !== undefined && origin !== '') fields.push('access-control-allow-origin', origin);
    fields.push('access-control-expose-headers', EXPOSED_HEADERS);
  }
  fields.push('x-request-id', exchange.requestId, ...SECURITY_FIELDS, ...exchange.answerFields);
  // Exactly `application/json`: Kloudless's clients compare the whole header.
  fields.push('content-type', 'application/json', 'content-length', String(Buffer.byteLength(text)));
  response.writeHead(answer.status, fields).end(text);
}

/** The same for an answer with headers of its own, a text, or no body. */
function sendOther(exchange: Exchange, { status, body, headers: own = {} }: Answer, isOpen: boolean): void {
  const headers: Headers = { vary: 'Origin' };
  const { origin } = exchange.message.headers;
  if (isOpen && origin !== undefined && origin !== '') headers['access-control-allow-origin'] = origin;
  if (isOpen) headers['access-control-expose-headers'] = EXPOSED_HEADERS;
  headers['x-request-id'] = exchange.requestId;
  Object.assign(headers, SECURITY_HEADERS);
  const { answerFields } = exchange;
  for (let at = 0; at < answerFields.length; at += 2) headers[answerFields[at]!] = answerFields[at + 1]!;
  for (const [name, value] of Object.entries(own)) headers[name.toLowerCase()] = value;
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  if (typeof body === 'string') headers['content-type'] ??= 'application/octet-stream';
  else if (body !== undefined) headers['content-type'] = 'application/json';
  // RFC 9110 §8.6: none on a 204; a HEAD without a body of its own would say 0 where GET has more.
  if (text !== undefined) headers['content-length'] = String(Buffer.byteLength(text));
  else if (status !== 204 && status !== 304 && exchange.method !== 'HEAD') headers['content-length'] = '0';
  exchange.response.writeHead(status, headers as Record<string, string | string[]>).end(text);
}

/** Answers an error in the shape that the route has for its errors; cuts the connection where an answer is under way. */
export async function sendError(
  answers: ErrorAnswers,
  error: PlatformError,
  exchange: Exchange,
  { shape = 'rest', isOpen, headers = {} }: { readonly shape?: ErrorShape; readonly isOpen: boolean; readonly headers?: Answer['headers'] },
): Promise<void> {
  const { response, requestId, route } = exchange;
  if (response.headersSent) return void response.destroy();
  const answer: Answer =
    shape === 'page'
      ? await answers.errorPage(error, requestId, exchange)
      : { status: error.status, body: shape === 'oauth' ? oauthErrorBody(error, requestId) : restErrorBody(error, requestId) };
  const challenge = answers.challenge?.(error, route, exchange) ?? null;
  const retryAfter = error.retryAfterSeconds;
  sendAnswer(
    exchange,
    {
      ...answer,
      headers: {
        ...headers,
        ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
        ...(challenge === null ? {} : { 'www-authenticate': challenge }),
        ...answer.headers,
      },
    },
    isOpen,
  );
}
