import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serving } from './serving.ts';

export interface WebhookReceiverFacts {
  /** Takes every call with 204. */
  readonly url: string;
  /** Takes connections and never answers. */
  readonly deadUrl: string;
}

/** The answer to `go COUNT`: when so many different messages had come since it was said, in milliseconds since 1970. */
export interface Received {
  readonly atMs: number;
}

const seen = new Set<string>();
let expected = Number.POSITIVE_INFINITY;

function receive(request: IncomingMessage): void {
  seen.add(`${request.url} ${String(request.headers['webhook-id'])}`);
  if (seen.size < expected) return;
  expected = Number.POSITIVE_INFINITY;
  const received: Received = { atMs: performance.timeOrigin + performance.now() };
  process.stdout.write(`result ${JSON.stringify(received)}\n`);
}

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const url = await listen((request, response) => {
  request.resume().once('end', () => {
    receive(request);
    response.writeHead(204).end();
  });
});
const deadUrl = await listen(() => undefined);
const facts: WebhookReceiverFacts = { url, deadUrl };
serving(facts, () => undefined);
process.stdin.on('data', (line) => {
  const [, count] = /^go (\d+)/.exec(String(line)) ?? [];
  seen.clear();
  expected = Number(count);
});
