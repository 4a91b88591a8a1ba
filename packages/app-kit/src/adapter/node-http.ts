import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AppAnswer, type AppKit, tooLarge } from '../app-kit.ts';
import type { AppRequest } from '../app-request.ts';

const BODY_BYTES_MAX = 65_536;

/** A message of `node:http` as the kit reads it. `url` is the target of the request line where a framework keeps it elsewhere. */
export function requestOf(message: IncomingMessage, body: Uint8Array = new Uint8Array(), url = message.url ?? '/'): AppRequest {
  return { method: message.method ?? 'GET', rawTarget: url, headers: message.headersDistinct, body };
}

/**
 * The body of a message that nothing has read yet. Throws where something has: an App whose parsers run before the kit would otherwise
 * wait for ever.
 */
export async function readBody(message: IncomingMessage): Promise<Uint8Array> {
  if (message.readableDidRead || message.readableEnded)
    throw new Error('The body was read before app-kit saw it: put the kit before every body parser.');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function send(response: ServerResponse, { status, headers, body }: AppAnswer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/**
 * For `http.createServer`: answers what is the kit's and says so. `if (await answerNode(kit, request, response)) return;`
 */
export async function answerNode(kit: AppKit, message: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const request = requestOf(message);
  if (!kit.owns(request.method, request.rawTarget)) return false;
  let answer: AppAnswer | null;
  try {
    answer = await kit.answer({ ...request, body: await readBody(message) });
  } catch (thrown) {
    answer = kit.refusal(thrown);
    if (answer === null) throw thrown;
  }
  if (answer === null) return false;
  send(response, answer);
  return true;
}
