import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { DoorResponse, Doors, InstanceIdentity } from './contract.ts';

/** A call on whose behalf something leaves. */
export interface CallBehind {
  readonly token: string;
  readonly signal: AbortSignal;
  /** Something it asked for was refused by policy. */
  onDenied(): void;
}

export interface GatewayOptions {
  /** Of the socket: a path in the folder of one instance. */
  readonly path: string;
  readonly identity: InstanceIdentity;
  readonly doors: Doors;
  /** The running call of this instance that has this id, or the oldest; null: none is running. */
  readonly callOf: (invocationId: string | null) => CallBehind | null;
  /** The guest has done something. */
  readonly onSign: () => void;
}

export interface Gateway {
  close(): void;
}

const BODY_BYTES_MAX = 512 * 1024;
/** A service of the host takes more: a transaction over what is kept. Few at a time, since all of it is in memory. */
const HOST_BODY_BYTES_MAX = 4_608 * 1024;
const LARGE_BODIES_MAX = 4;
const HOST_SERVICES = 'http://host.bulkhead.internal/';
const REQUESTS_MAX = 16;
const HEADER_BYTES_MAX = 16 * 1024;
const REQUEST_MS_MAX = 30_000;

/** Of one connection (RFC 9110 §7.6.1), or said by us. */
const NOT_FORWARDED = new Set(
  (
    'connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade ' +
    'host content-length expect'
  ).split(' '),
);

/**
 * The way out of one instance. Who asks is known by the socket: there is one per instance, in a folder that no other instance sees, and
 * nothing in a request says who it is. Refuses tunnels and upgrades, and whatever comes while no call is running.
 */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  let open = 0;
  const large = { open: 0 };
  const sockets = new Set<Socket>();
  // A request to a proxy carries no Host field.
  const server: Server = createServer(
    { requireHostHeader: false, maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_MS_MAX },
    (request, response) => {
      options.onSign();
      if (open >= REQUESTS_MAX) return deny(response, 429, `At most ${REQUESTS_MAX} requests of one instance are under way at a time`);
      open++;
      response.on('close', () => open--);
      void answer(options, large, request, response);
    },
  );
  for (const event of ['connect', 'upgrade'] as const)
    server.on(event, (_request: IncomingMessage, socket: Socket) => {
      options.onSign();
      socket.end('HTTP/1.1 403 Forbidden\r\nbulkhead-denied: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.path, resolve);
  });
  return {
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function answer(options: GatewayOptions, large: { open: number }, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { identity, doors, callOf } = options;
  const named = request.headers['bulkhead-invocation'];
  const call = callOf(typeof named === 'string' ? named : null);
  if (call === null) return deny(response, 403, 'No call of this function is running: what is asked for after its answer is not done');
  const left = new AbortController();
  response.on('close', () => left.abort());
  try {
    const url = request.url ?? '';
    const bytesMax = url.startsWith(HOST_SERVICES) ? HOST_BODY_BYTES_MAX : BODY_BYTES_MAX;
    const body = await readBody(request, bytesMax, () => {
      if (large.open >= LARGE_BODIES_MAX) return false;
      large.open++;
      response.on('close', () => large.open--);
      return true;
    });
    if (body === null) return deny(response, 413, `A request of a function has at most ${bytesMax} bytes`, call);
    if (body === 'many')
      return deny(response, 429, `At most ${LARGE_BODIES_MAX} requests of more than ${BODY_BYTES_MAX} bytes are under way at a time`);
    if (!/^https?:\/\//.test(url)) return deny(response, 403, 'Only http and https leave a function', call);
    const signal = AbortSignal.any([call.signal, left.signal, AbortSignal.timeout(REQUEST_MS_MAX)]);
    const answered = await doors({
      identity,
      token: call.token,
      method: request.method ?? 'GET',
      url,
      headers: forwarded(pairsOf(request.rawHeaders)),
      body,
      signal,
    });
    if (answered.denied === true) call.onDenied();
    send(response, answered);
  } catch {
    // What went wrong is the host's: nothing of it is told.
    send(response, { status: 502, headers: [], body: Buffer.from('The request could not be made') });
  }
}

function deny(response: ServerResponse, status: number, text: string, call?: CallBehind): void {
  call?.onDenied();
  send(response, { status, headers: [['content-type', 'text/plain']], body: Buffer.from(text), denied: true });
}

function send(response: ServerResponse, { status, headers, body, denied = false }: DoorResponse): void {
  if (response.headersSent || response.destroyed) return;
  const flat = forwarded(headers).flatMap(([name, value]) => [name, value]);
  response.writeHead(status, [...flat, ...(denied ? ['bulkhead-denied', '1'] : []), 'content-length', String(body.length)]);
  response.end(body);
}

function forwarded(headers: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  return headers.filter(([name]) => !NOT_FORWARDED.has(name.toLowerCase()) && !name.toLowerCase().startsWith('bulkhead-'));
}

function pairsOf(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) pairs.push([raw[index]!, raw[index + 1]!]);
  return pairs;
}

/** Null: larger than it may be. `many`: it is large, and `enterLarge` has no place for it. */
async function readBody(request: IncomingMessage, bytesMax: number, enterLarge: () => boolean): Promise<Buffer | null | 'many'> {
  const chunks: Buffer[] = [];
  let size = 0;
  let isLarge = false;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bytesMax) return null;
    if (size > BODY_BYTES_MAX && !isLarge) {
      if (!enterLarge()) return 'many';
      isLarge = true;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
