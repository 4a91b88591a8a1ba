import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AppRequest } from '../src/app-request.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Running {
  readonly port: number;
  close(): Promise<void> | void;
}

/** Sends a request over the wire. The target goes out as it is written; no client tidies it up. */
export function sendRaw(port: number, { method, rawTarget, headers, body }: AppRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', method, path: rawTarget, headers: headers as Record<string, string[]> };
    const request = httpRequest(options, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
    });
    request.on('error', reject);
    request.end(Buffer.from(body));
  });
}

export async function listening(listener: RequestListener): Promise<Running> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
