import { createServer, type IncomingMessage, request as httpRequest, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net';
import { silentLog, systemClock } from '@bulkhead/base';
import { afterEach } from 'vitest';
import { createEgress, type Egress, type EgressOptions } from './egress.ts';
import { forwardableRequestHeaders } from './headers.ts';
import { pipeTo, type ResponseSinkOptions } from './response-sink.ts';
import type { StreamOutcome, StreamRequest } from './stream.ts';

/** What a test has opened. Egresses close first: a server waits for the connections that they keep. */
const egresses: Egress[] = [];
const servers: (Server | TcpServer)[] = [];
afterEach(async () => {
  await Promise.all(egresses.splice(0).map((egress) => egress.close()));
  for (const server of servers.splice(0).reverse()) await closed(server);
});

export function closed(server: Server | TcpServer): Promise<unknown> {
  if ('closeAllConnections' in server) server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}

/** Listens on a free port of 127.0.0.1 until the test ends. */
export async function listen(server: Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

export const upstream = (listener: RequestListener): Promise<number> => listen(createServer(listener));

/** An upstream below HTTP: it sees what was sent and writes what it likes. */
export const rawUpstream = (onData: (socket: Socket) => void): Promise<number> =>
  listen(createTcpServer((socket) => socket.on('error', () => undefined).on('data', () => onData(socket))));

/** An upstream that answers any request with exactly these bytes. */
export const answering = (bytes: string | Buffer, then: 'close' | 'stay' = 'stay'): Promise<number> =>
  rawUpstream((socket) => void (then === 'close' ? socket.end(bytes) : socket.write(bytes)));

/** Tells its caller what it was asked. */
export const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { method, url, rawHeaders } = request;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ method, url, headers: rawHeaders, body: Buffer.concat(chunks).toString() }));
  });
};
export const echoed = (body: Buffer): { method: string; url: string; headers: string[]; body: string } => JSON.parse(body.toString());

/** Counts the connections it gets; answers each request with the Host it saw. */
export async function counted(): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const server = createServer((request, response) => response.end(request.headers.host));
  server.on('connection', () => (connections += 1));
  return { port: await listen(server), connections: () => connections };
}

/** An egress that reaches 127.0.0.1 unless told otherwise. */
export function egressWith(options: Partial<EgressOptions> = {}): Egress {
  const egress = createEgress({ allow: ['127.0.0.1'], ownListeners: () => [], log: silentLog, clock: systemClock, ...options });
  egresses.push(egress);
  return egress;
}

/** A connection is free again one turn of the loop after its answer. */
export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** The value `read` comes to rest at. */
export async function settled(read: () => number): Promise<number> {
  let last = read();
  for (let same = 0; same < 10; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    same = read() === last ? same + 1 : 0;
    last = read();
  }
  return last;
}

export interface Proxy {
  readonly port: number;
  /** Outcomes and errors, as they come. */
  readonly ended: (StreamOutcome | Error)[];
  /** The next one. */
  next(): Promise<StreamOutcome | Error>;
}

/** A server that streams every request through egress to `port`, as the pass-through does. */
export async function proxyTo(port: number, more: Partial<StreamRequest> = {}, sink: ResponseSinkOptions = {}): Promise<Proxy> {
  const egress = egressWith();
  const ended: (StreamOutcome | Error)[] = [];
  const waiting: ((outcome: StreamOutcome | Error) => void)[] = [];
  const settle = (outcome: StreamOutcome | Error): void => {
    ended.push(outcome);
    waiting.shift()?.(outcome);
  };
  const proxyPort = await upstream((request, response) => {
    const headers = [...forwardableRequestHeaders(request.rawHeaders), 'Authorization', 'Bearer upstream'];
    const { method = '', url: target = '/' } = request;
    const call = {
      url: `http://127.0.0.1:${port}/base`,
      target,
      policy: 'upstream',
      tenant: null,
      method,
      headers,
      body: request,
    } as const;
    egress.stream({ ...call, ...more }, pipeTo(response, sink)).then(settle, (error: Error & { status?: number; code?: string }) => {
      settle(error);
      if (!response.headersSent) response.writeHead(error.status ?? 500, { 'x-error': error.code ?? '' }).end();
    });
  });
  return { port: proxyPort, ended, next: () => new Promise((resolve) => waiting.push(resolve)) };
}

export interface Answer {
  readonly status: number;
  readonly raw: string[];
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly trailers: string[];
  /** Whether it ended as its framing says. */
  readonly whole: boolean;
}

/** Calls `port` with plain `node:http`. */
export function call(
  port: number,
  path = '/',
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const sent = httpRequest({ host: '127.0.0.1', port, path, ...rest }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
      answer.on('close', () => {
        const { statusCode: status = 0, rawHeaders: raw, headers, rawTrailers: trailers, complete: whole } = answer;
        resolve({ status, raw, headers, body: Buffer.concat(chunks), trailers, whole });
      });
    });
    sent.on('error', reject).end(body);
  });
}

/** Calls `port` and hands over the answer as soon as its head is there. */
export function begin(port: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => httpRequest({ host: '127.0.0.1', port }, resolve).on('error', reject).end());
}
