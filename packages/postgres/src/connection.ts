import { Socket } from 'node:net';
import type { Secret } from '@bulkhead/base';
import pg from 'pg';

/** `postgresql://user:password@host/database`, or `…@/database?host=/folder/of/socket`. It holds a password: pass a Secret where you can. */
export type ConnectionUrl = Secret | string;

export function revealUrl(url: ConnectionUrl): string {
  return typeof url === 'string' ? url : url.reveal();
}

const INT8 = 20;
const DATE = 1082;
const TIMESTAMP = 1114;
const TIMESTAMPTZ = 1184;

function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} does not fit a JavaScript number; cast it to text in the statement.`);
  return value;
}

const asText = (text: string): string => text;
const asDate = (text: string): Date => {
  const value = new Date(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
  if (Number.isNaN(value.getTime())) throw new RangeError(`${text} is no time a Date can hold.`);
  return value;
};
const ownParsers = new Map<number, (text: string) => unknown>([
  [INT8, parseInt8],
  [DATE, asText],
  [TIMESTAMP, asText],
  [TIMESTAMPTZ, asDate],
]);

/** int8 → number (an error past 2^53), timestamptz → Date, date and timestamp → text, json → parsed, bytea → Buffer. */
export const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    (format !== 'binary' && ownParsers.get(oid)) || pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};

export interface ConnectionOptions {
  readonly applicationName: string;
  /** Milliseconds until an attempt to connect is given up. */
  readonly connectTimeoutMs: number;
  /** Milliseconds without any answer after which the connection counts as dead. Absent: for ever. */
  readonly answerTimeoutMs?: number;
}

/** The driver's configuration of one connection: pipelined, our types, TCP keep-alive. */
export function clientConfig(url: ConnectionUrl, options: ConnectionOptions): pg.ClientConfig {
  return {
    connectionString: revealUrl(url),
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs,
    ...(options.answerTimeoutMs === undefined ? {} : { query_timeout: options.answerTimeoutMs }),
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    pipeline: true,
    types,
  };
}

/** A single connection, open; for migrations and other rare work. The caller ends it. Throws what the driver throws. */
export async function connect(url: ConnectionUrl, applicationName: string, connectTimeoutMs = 10_000): Promise<pg.Client> {
  const client = new CorkableClient(clientConfig(url, { applicationName, connectTimeoutMs }));
  // A connection that dies while idle emits 'error'; without a listener that would end the process.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

const sockets = new WeakMap<object, Socket>();

/** A client class that remembers its socket: so that several statements can leave in one packet, and for what a dead peer needs. */
export class CorkableClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    const socket = new Socket();
    super({ ...config, stream: () => socket });
    sockets.set(this, socket);
  }
}

/** Holds back what `client` writes until the current turn has ended: one packet for all that is queued in it. */
export function corkUntilNextTick(client: object): void {
  const socket = sockets.get(client);
  if (socket === undefined) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}

/** How many bytes have come from the server: it says something as long as they grow. */
export function bytesHeard(client: object): number {
  return sockets.get(client)?.bytesRead ?? 0;
}

/** Whether a statement has been sent on it whose answer has not come. */
export function isAwaitingAnswer(client: object): boolean {
  // The driver's own mark, which its types do not have.
  return (client as { readonly readyForQuery?: boolean }).readyForQuery === false;
}

/** Drops the connection without a goodbye: the driver's own waits for an answer, which a dead peer does not give. */
export function cutConnection(client: object): void {
  sockets.get(client)?.destroy();
}

/** Whether the connection is gone, although the driver may not have noticed yet. */
export function isCut(client: object): boolean {
  return sockets.get(client)?.destroyed === true;
}
