import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AppAnswer, AppKit } from '../app-kit.ts';
import type { AppRequest } from '../app-request.ts';
import { appRefusals } from '../refusals.ts';
import type { VerifiedToken } from '../token/verify-tenant-token.ts';
import { type Guard, keepVerified, verifyBy } from './guard.ts';

const BODY_BYTES_MAX = 65_536;
const BODY_TIMEOUT_MS = 10_000;

/** A message of `node:http` as the kit reads it; `rawTarget` where a framework keeps the target of the request line elsewhere. */
export function requestOf(message: IncomingMessage, rawTarget = message.url ?? '/', body: Uint8Array = new Uint8Array()): AppRequest {
  return { method: message.method ?? 'GET', rawTarget, headers: message.headersDistinct, body };
}

/** For `http.createServer`: answers what is the kit's and says whether it was. */
export async function answerNode(kit: AppKit, message: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const answer = await answerMessage(kit, message, message.url ?? '/');
  if (answer !== null) sendNode(response, answer);
  return answer !== null;
}

/** For `http.createServer`: who called, or null once a caller without a good token was answered. */
export async function guardNode(
  kit: AppKit,
  guard: Guard,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<VerifiedToken | null> {
  const token = await verifyMessage(kit, guard, message, message.url ?? '/');
  if (!('status' in token)) return token;
  sendNode(response, token);
  return null;
}

/** The kit's answer to a message, whose body nothing has read yet; null where it is not the kit's to answer. */
export async function answerMessage(kit: AppKit, message: IncomingMessage, rawTarget: string): Promise<AppAnswer | null> {
  if (!kit.owns(message.method ?? 'GET', rawTarget)) return null;
  try {
    return await kit.answer(requestOf(message, rawTarget, await readBody(message)));
  } catch (thrown) {
    return answerTo(kit, thrown);
  }
}

/** Who called, or what is to be answered to somebody who may not. */
export async function verifyMessage(
  kit: AppKit,
  guard: Guard,
  message: IncomingMessage,
  rawTarget: string,
): Promise<VerifiedToken | AppAnswer> {
  try {
    const token = await verifyBy(kit, guard, requestOf(message, rawTarget));
    keepVerified(message, token);
    return token;
  } catch (thrown) {
    return answerTo(kit, thrown);
  }
}

export function sendNode(response: ServerResponse, { status, headers, body }: AppAnswer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** A refusal is an answer; whatever else was thrown is the App's own to handle. */
export function answerTo(kit: AppKit, thrown: unknown): AppAnswer {
  const answer = kit.refusal(thrown);
  if (answer === null) throw thrown;
  return answer;
}

/** The body, of at most 64 KiB and 10 s. Throws where something has read it already: an App whose parsers run before the kit would otherwise wait for ever. */
export async function readBody(message: IncomingMessage): Promise<Uint8Array> {
  if (message.readableDidRead || message.readableEnded)
    throw new Error('The body was read before app-kit saw it: put the kit before every body parser.');
  const late = setTimeout(() => message.destroy(new Error('The body did not come in time.')), BODY_TIMEOUT_MS);
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of message as AsyncIterable<Buffer>) {
      size += chunk.byteLength;
      if (size > BODY_BYTES_MAX) throw appRefusals('app_kit.too_large');
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(late);
  }
}
