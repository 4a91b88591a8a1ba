import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Hears what jobs of functions do, and is the App whose functions they are. */
export class JobReceiver implements AsyncDisposable {
  readonly #server: Server;
  readonly url: string;
  /** How often each job was heard of, by its id. */
  readonly heard = new Map<string, number>();

  private constructor(server: Server, heard: Map<string, number>) {
    this.#server = server;
    this.heard = heard;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<JobReceiver> {
    const heard = new Map<string, number>();
    const server = createServer((request, response) => {
      const job = /^\/jobs\/(\w+)$/.exec(request.url ?? '')?.[1];
      if (job !== undefined) heard.set(job, (heard.get(job) ?? 0) + 1);
      request.resume().on('end', () => response.writeHead(204).end());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new JobReceiver(server, heard);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
