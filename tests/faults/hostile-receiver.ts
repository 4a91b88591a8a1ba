import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What a receiver has got of one message at one endpoint. */
export interface Got {
  /** Bodies of all attempts. */
  readonly bodies: Set<string>;
  attempts: number;
  /** How often it was answered with 200, to the end. */
  accepted: number;
  /** Taken, and the connection cut in the middle of saying so: nobody on the other side can know. */
  cut: number;
}

/** What happens to the first attempt at every so-manieth message. A second attempt is always accepted. */
const MISHAPS: readonly (readonly [every: number, mishap: (response: ServerResponse, request: IncomingMessage, got: Got) => unknown])[] = [
  [10, (response) => response.writeHead(500).end('not today')],
  [13, (_, request) => request.socket.destroy()],
  [
    17,
    async (response, request, got) => {
      got.cut++;
      response.writeHead(200, { 'content-length': '100' }).write('half of it');
      await delay(20);
      request.socket.destroy();
    },
  ],
  [
    61,
    async (response) => {
      await delay(20_000, undefined, { ref: false });
      response.end('late');
    },
  ],
];

/** Endpoints of companies whose servers have bad days: they answer 500, cut the connection, accept and cut the connection, or stall. */
export class HostileReceiver implements AsyncDisposable {
  readonly #server = createServer((request, response) => void this.#take(request, response));
  /** By endpoint and message. */
  readonly got = new Map<string, Got>();
  /** While true it takes everything and answers nothing. */
  isSilent = false;
  #messages = 0;

  static async start(): Promise<HostileReceiver> {
    const receiver = new HostileReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  url(endpoint: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${endpoint}`;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const key = `${request.url!.slice(1)} ${String(request.headers['webhook-id'])}`;
    const known = this.got.get(key) ?? { bodies: new Set<string>(), attempts: 0, accepted: 0, cut: 0 };
    this.got.set(key, known);
    known.bodies.add(Buffer.concat(chunks).toString());
    known.attempts++;
    if (this.isSilent) return;
    if (known.attempts === 1) {
      const at = ++this.#messages;
      const mishap = MISHAPS.find(([every]) => at % every === 0);
      if (mishap !== undefined) return void mishap[1](response, request, known);
    }
    response.end('ok', () => known.accepted++);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
