import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A message of HTTP/1.1 as it stood on the wire, read by a parser that forgives nothing (RFC 9112). */
export interface WireMessage {
  /** Request line or status line. */
  readonly start: string;
  /** As they came: order, case, duplicates. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Without its framing. */
  readonly body: Buffer;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
}

/** The message at the beginning of `bytes` and where it ends; null where it is not whole yet. Throws where it is no HTTP/1.1. */
export function readMessage(
  bytes: Buffer,
  kind: 'request' | 'answer',
  options: { head?: boolean; ended?: boolean } = {},
): { message: WireMessage; end: number } | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return null;
  const [start = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const form = kind === 'request' ? /^[A-Z]+ \/[!-~]* HTTP\/1\.1$/ : /^HTTP\/1\.1 [1-5]\d\d [\t -~\x80-\xff]*$/;
  if (!form.test(start)) throw new Error(`not the first line of a ${kind}: ${JSON.stringify(start)}`);
  const fields = lines.map(readField);
  const from = headEnd + 4;
  const framing = framingOf(fields, kind, start, options.head ?? false);
  const done = (body: Buffer, end: number, trailers: WireMessage['trailers'] = []) => ({
    message: { start, fields, body, trailers, framing: framing.kind },
    end,
  });
  if (framing.kind === 'none') return done(Buffer.alloc(0), from);
  if (framing.kind === 'length')
    return bytes.length < from + framing.length ? null : done(bytes.subarray(from, from + framing.length), from + framing.length);
  if (framing.kind === 'close') return options.ended ? done(bytes.subarray(from), bytes.length) : null;
  return readChunks(bytes, from, done);
}

function readField(line: string): [string, string] {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t -~\x80-\xff]*?)[\t ]*$/.exec(line);
  if (match === null) throw new Error(`not a field: ${JSON.stringify(line)}`);
  return [match[1]!, match[2]!];
}

type Framing = { kind: 'none' | 'chunked' | 'close' } | { kind: 'length'; length: number };

function framingOf(fields: readonly (readonly [string, string])[], kind: 'request' | 'answer', start: string, head: boolean): Framing {
  const all = (wanted: string) => fields.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
  const [lengths, codings] = [all('content-length'), all('transfer-encoding')];
  if (lengths.length > 1 || codings.length > 1 || (lengths.length > 0 && codings.length > 0)) throw new Error('framed twice');
  if (kind === 'answer' && (head || /^HTTP\/1.1 (?:1\d\d|204|304)/.test(start))) return { kind: 'none' };
  if (codings[0] !== undefined) {
    if (codings[0] !== 'chunked') throw new Error(`framed by ${codings[0]}`);
    return { kind: 'chunked' };
  }
  if (lengths[0] === undefined) return { kind: kind === 'request' ? 'none' : 'close' };
  if (!/^\d+$/.test(lengths[0])) throw new Error(`a length of ${lengths[0]}`);
  return { kind: 'length', length: Number(lengths[0]) };
}

function readChunks<Done>(bytes: Buffer, from: number, done: (body: Buffer, end: number, trailers: WireMessage['trailers']) => Done) {
  const parts: Buffer[] = [];
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const size = bytes.subarray(at, lineEnd).toString('latin1');
    if (!/^[0-9a-fA-F]{1,8}$/.test(size)) throw new Error(`not a chunk size: ${JSON.stringify(size)}`);
    const length = Number.parseInt(size, 16);
    at = lineEnd + 2;
    if (length === 0) {
      const trailers: (readonly [string, string])[] = [];
      for (;;) {
        const end = bytes.indexOf('\r\n', at);
        if (end === -1) return null;
        if (end === at) return done(Buffer.concat(parts), end + 2, trailers);
        trailers.push(readField(bytes.subarray(at, end).toString('latin1')));
        at = end + 2;
      }
    }
    if (bytes.length < at + length + 2) return null;
    if (bytes.subarray(at + length, at + length + 2).toString() !== '\r\n') throw new Error('a chunk that does not end');
    parts.push(bytes.subarray(at, at + length));
    at += length + 2;
  }
}

/** One connection as the upstream has it. */
export interface WireConnection {
  readonly socket: Socket;
  /** Every byte it has got. */
  received: Buffer;
  /** How many whole requests were read of them so far. */
  answered: number;
}

/** An upstream below HTTP: keeps what it got, byte by byte, and answers what the test says, byte by byte. */
export interface WireUpstream {
  readonly url: string;
  readonly connections: readonly WireConnection[];
  /** Called once for each whole request. */
  answer: (connection: WireConnection, request: WireMessage) => void;
  /** Called for each piece as it comes, before `answer`. */
  piece: (connection: WireConnection, piece: Buffer) => void;
  /** The whole requests of all connections, in the order of connections. Throws where something else was sent. */
  readonly requests: () => WireMessage[];
  /** Forgets what was seen and breaks every connection. */
  readonly reset: () => void;
  readonly close: () => Promise<void>;
}

export async function wireUpstream(): Promise<WireUpstream> {
  const connections: WireConnection[] = [];
  const ok: WireUpstream['answer'] = ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const upstream = { answer: ok, piece: (() => undefined) as WireUpstream['piece'] };
  const server = createServer((socket) => {
    const connection: WireConnection = { socket, received: Buffer.alloc(0), answered: 0 };
    let begin = 0;
    connections.push(connection);
    socket
      .on('error', () => undefined)
      .on('data', (piece: Buffer) => {
        connection.received = Buffer.concat([connection.received, piece]);
        upstream.piece(connection, piece);
        for (;;) {
          let read: ReturnType<typeof readMessage>;
          try {
            read = readMessage(connection.received.subarray(begin), 'request');
          } catch {
            return void socket.destroy(); // requests() tells what it was
          }
          if (read === null) return;
          begin += read.end;
          connection.answered += 1;
          upstream.answer(connection, read.message);
        }
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const drop = (): void => {
    for (const { socket } of connections.splice(0)) socket.destroy();
  };
  return Object.assign(upstream, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    requests: () => connections.flatMap(({ received }) => readAll(received, 'request')),
    reset: () => {
      drop();
      upstream.answer = ok;
      upstream.piece = () => undefined;
    },
    close: async () => {
      drop();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** Every message of a stream. Throws where one is not whole or something is left over. */
export function readAll(bytes: Buffer, kind: 'request' | 'answer', options: { head?: boolean; ended?: boolean } = {}): WireMessage[] {
  const messages: WireMessage[] = [];
  for (let at = 0; at < bytes.length; ) {
    const read = readMessage(bytes.subarray(at), kind, options);
    if (read === null) throw new Error(`cut off: ${JSON.stringify(bytes.subarray(at).toString('latin1').slice(0, 200))}`);
    messages.push(read.message);
    at += read.end;
  }
  return messages;
}

export interface WireAnswer {
  readonly bytes: Buffer;
  /** `end`: closed in good order; `reset`: broken; `open`: still open when `until` was satisfied. */
  readonly ended: 'end' | 'reset' | 'open';
}

/** Writes exactly these bytes to `url` and reads until the other side closes, or until `until` has seen enough. */
export function wireCall(
  url: string,
  bytes: string | Buffer | readonly (string | Buffer)[],
  options: { until?: (received: Buffer) => boolean } = {},
): Promise<WireAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    let ended: WireAnswer['ended'] = 'end';
    const finish = (how: WireAnswer['ended']): void => {
      ended = how;
      socket.destroy();
      resolve({ bytes: received, ended });
    };
    const socket = connect(Number(port), hostname, () => {
      for (const piece of Array.isArray(bytes) ? bytes : [bytes]) socket.write(latin1(piece));
    });
    socket
      .on('data', (piece: Buffer) => {
        received = Buffer.concat([received, piece]);
        if (options.until?.(received)) finish('open');
      })
      .on('error', () => finish('reset'))
      .on('end', () => finish('end'));
  });
}

function latin1(piece: string | Buffer): Buffer {
  return typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece;
}
