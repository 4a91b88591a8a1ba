import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Backend {
  readonly url: string;
  isReady: boolean;
}

const LOOK_MS = 200;

/**
 * A balancer as one finds them: in turn over the processes whose `/readyz` says 200, by kept connections. It tries another one only
 * where the connection was refused, so before anything was sent; whatever else goes wrong the caller sees as 502.
 */
export class Balancer implements AsyncDisposable {
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #looking: NodeJS.Timeout;
  #backends: Backend[] = [];
  #turn = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (message, response) => this.#forward(message, response, this.#backends.length));
    this.#looking = setInterval(() => void this.#look(), LOOK_MS);
  }

  static async start(): Promise<Balancer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Balancer(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  add(url: string): void {
    this.#backends.push({ url, isReady: true });
  }

  remove(url: string): void {
    this.#backends = this.#backends.filter((backend) => backend.url !== url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#looking);
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #look(): Promise<void> {
    await Promise.all(
      this.#backends.map(async (backend) => {
        const answer = await fetch(`${backend.url}/readyz`, { signal: AbortSignal.timeout(5_000) }).catch(() => null);
        await answer?.arrayBuffer().catch(() => undefined);
        backend.isReady = answer?.status === 200;
      }),
    );
  }

  #forward(message: IncomingMessage, response: ServerResponse, triesLeft: number): void {
    const ready = this.#backends.filter(({ isReady }) => isReady);
    const backend = ready[this.#turn++ % ready.length];
    if (backend === undefined || triesLeft === 0) return void response.writeHead(502).end('no backend');
    const { host: _host, connection: _connection, ...headers } = message.headers;
    const outgoing = request(backend.url + message.url, { method: message.method, headers, agent: this.#agent }, (answer) => {
      const { connection: _own, 'keep-alive': _time, 'transfer-encoding': _form, ...kept } = answer.headers;
      response.writeHead(answer.statusCode ?? 502, kept);
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') return this.#forward(message, response, triesLeft - 1);
      if (response.headersSent) return void response.destroy();
      response.writeHead(502).end(error.code);
    });
    outgoing.end();
  }
}
