import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { givenOptions, serving } from './serving.ts';

export interface BareHttpOptions {
  readonly body: string;
}

// The yardstick of an API answer: the same bytes, and nothing that could be left out.
const body = Buffer.from(givenOptions<BareHttpOptions>().body, 'utf8');
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.byteLength }).end(body);
});
server.listen(0, '127.0.0.1', () => {
  serving({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, () => server.closeAllConnections());
});
