import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const LOOK_MS = 50;
/** What a request that has begun to arrive may take to do so, once nobody new is let in. */
const HEAD_MS = 2_000;

/**
 * Takes a server out of service without an error for anybody. From `begin` on every answer carries `Connection: close`, so that
 * callers with a kept connection come by a new one, which the balancer sends elsewhere. Node itself would keep a connection open
 * behind an answer that was under way, and its `close` would wait for it until the keep-alive time ends (RFC 9112 §9.6); it would
 * wait longer still for one on which nothing was ever asked, such as a browser opens in advance.
 */
export class Drain {
  readonly #server: Server;
  /** Each open connection with the answer that was begun on it last, done or not. */
  readonly #sockets = new Map<Socket, ServerResponse | null>();
  #hasBegun = false;

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#sockets.set(socket, null);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    // Before whoever answers.
    server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      if (this.#hasBegun) response.shouldKeepAlive = false;
      if (this.#sockets.has(socket)) this.#sockets.set(socket, response);
    });
  }

  /** From now on no connection outlives its answer; those whose head is out already are closed by `until`. */
  begin(): void {
    this.#hasBegun = true;
    for (const response of this.#sockets.values()) if (response?.headersSent === false) response.shouldKeepAlive = false;
  }

  /** Waits for `closed`, closing each connection as it falls idle; after `msMax` those that are left are broken. */
  async until(closed: Promise<void>, msMax: number): Promise<void> {
    const since = performance.now();
    const looking = setInterval(() => this.#closeUnused(performance.now() - since > HEAD_MS), LOOK_MS);
    const enough = setTimeout(() => this.#server.closeAllConnections(), msMax);
    await closed.finally(() => {
      clearInterval(looking);
      clearTimeout(enough);
    });
  }

  #closeUnused(isLate: boolean): void {
    this.#server.closeIdleConnections();
    for (const [socket, response] of this.#sockets) {
      const isAnswering = response !== null && !response.closed;
      if (!isAnswering && (isLate || socket.bytesRead === 0)) socket.destroy();
    }
  }
}
