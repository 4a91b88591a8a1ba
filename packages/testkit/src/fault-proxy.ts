import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Flow, FlowPump } from './fault-flow.ts';

/** Both directions of a connection; what is not named passes. */
export interface Flows {
  readonly toTarget?: Flow;
  readonly toClient?: Flow;
}

export const HELD: Flows = { toTarget: 'hold', toClient: 'hold' };
const PASSING: Flows = {};
const PORT_MS = 15_000;
const GOODBYE_MS = 1_000;

/** One connection through the proxy. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #toTarget: FlowPump;
  readonly #toClient: FlowPump;
  /** Both sides are closed. */
  readonly closed: Promise<void>;

  constructor(client: Socket, target: Socket, flows: Flows) {
    this.#client = client;
    this.#target = target;
    const cut = () => this.reset();
    this.#toTarget = new FlowPump(client, target, flows.toTarget ?? 'pass', cut);
    this.#toClient = new FlowPump(target, client, flows.toClient ?? 'pass', cut);
    this.closed = Promise.all([client, target].map((socket) => new Promise((resolve) => socket.once('close', resolve)))).then(
      () => undefined,
    );
    for (const socket of [client, target]) {
      socket.on('error', cut);
      socket.once('close', () => {
        this.#toTarget.wake();
        this.#toClient.wake();
      });
    }
    void this.#toTarget.run();
    void this.#toClient.run();
  }

  /** Bytes handed on so far. */
  get bytesToTarget(): number {
    return this.#toTarget.bytes;
  }

  get bytesToClient(): number {
    return this.#toClient.bytes;
  }

  set(flows: Flows): void {
    this.#toTarget.set(flows.toTarget ?? 'pass');
    this.#toClient.set(flows.toClient ?? 'pass');
  }

  /** RST to the client, as a firewall or a dead machine that came back sends it; the target's side is dropped. */
  reset(): void {
    if (!this.#client.destroyed) this.#client.resetAndDestroy();
    // A socket that is a file knows no reset.
    this.#target.destroy();
  }
}

export interface FaultProxyOptions {
  /** Where the bytes go: an address or the path of a socket. */
  readonly target: { readonly host: string; readonly port: number } | { readonly path: string };
  /** Called with each connection before its first byte; answers what is done to it. Default: what `set` said last. */
  readonly onConnection?: (connection: ProxiedConnection, number: number) => Flows | undefined;
}

/**
 * A TCP proxy that a test puts between two parties to make the network between them fail: late, slow, silent, reset, refused,
 * cut after so many bytes, per connection and per direction. It listens on a free port of 127.0.0.1.
 */
export class FaultProxy implements AsyncDisposable {
  readonly #options: FaultProxyOptions;
  readonly #open = new Set<ProxiedConnection>();
  #server: Server;
  #flows: Flows = PASSING;
  #count = 0;
  readonly port: number;

  private constructor(options: FaultProxyOptions, server: Server) {
    this.#options = options;
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#take(client));
  }

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    return new FaultProxy(options, await listening(0));
  }

  /** `127.0.0.1:port`. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The connections that are open now, oldest first. */
  get connections(): readonly ProxiedConnection[] {
    return [...this.#open];
  }

  /** How many connections there have been. */
  get count(): number {
    return this.#count;
  }

  /** What is done to every connection, those that are open included. */
  set(flows: Flows): void {
    this.setNew(flows);
    for (const connection of this.#open) connection.set(flows);
  }

  /** What is done to connections from now on: those that are open stay as they are, such as dead for ever behind a firewall that forgot them. */
  setNew(flows: Flows): void {
    this.#flows = flows;
  }

  /** Resets every open connection. */
  reset(): void {
    for (const connection of this.#open) connection.reset();
  }

  /** Listens no more: a new connection is refused by the machine. Open ones stay. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    // `close` waits for the connections, but the port is free at once.
    await new Promise(setImmediate);
  }

  /** Takes connections again, on the same port: as soon as it is free, since somebody else's connection may have it meanwhile. */
  async accept(): Promise<void> {
    if (this.#server.listening) return;
    for (const limit = performance.now() + PORT_MS; ; await delay(100)) {
      const server = await listening(this.port).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRINUSE' || performance.now() > limit) throw error;
        return null;
      });
      if (server === null) continue;
      this.#server = server;
      break;
    }
    this.#server.on('connection', (client) => this.#take(client));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.refuse();
    const closed = [...this.#open].map((connection) => connection.closed);
    this.reset();
    // A reset waits until what is written has gone out, which it never does where the other side has stopped reading.
    const enough = new AbortController();
    await Promise.race([Promise.all(closed), delay(GOODBYE_MS, undefined, { signal: enough.signal }).catch(() => undefined)]);
    enough.abort();
  }

  #take(client: Socket): void {
    client.pause();
    const target = connect({ ...this.#options.target, allowHalfOpen: true } as NetConnectOpts);
    const connection = new ProxiedConnection(client, target, this.#flows);
    this.#open.add(connection);
    void connection.closed.finally(() => this.#open.delete(connection));
    this.#count++;
    const own = this.#options.onConnection?.(connection, this.#count);
    if (own !== undefined) connection.set(own);
  }
}

async function listening(port: number): Promise<Server> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
