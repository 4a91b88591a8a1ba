import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TokenRequest {
  readonly path: string;
  readonly form: URLSearchParams;
  readonly authorization: string | undefined;
}

/** An upstream's token and revocation endpoints over real HTTP. The test says what they answer. */
export interface TokenEndpoint extends AsyncDisposable {
  readonly url: string;
  readonly requests: TokenRequest[];
  /** Replaces the answer: status and JSON body, or anything done to the response by hand. */
  answer: (request: TokenRequest, response: ServerResponse) => void | Promise<void>;
}

export function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Rotating refresh tokens: `refresh-1` gives `access-2` and `refresh-2`, and so on. A used one is refused. */
export function rotating(): TokenEndpoint['answer'] {
  let newest = 1;
  return ({ path, form }, response) => {
    if (path === '/revoke') return sendJson(response, 200, {});
    if (form.get('refresh_token') !== `refresh-${newest}`) return sendJson(response, 400, { error: 'invalid_grant' });
    newest++;
    sendJson(response, 200, {
      access_token: `access-${newest}`,
      refresh_token: `refresh-${newest}`,
      token_type: 'Bearer',
      expires_in: 3600,
    });
  };
}

export async function tokenEndpoint(): Promise<TokenEndpoint> {
  const endpoint = { url: '', requests: [] as TokenRequest[], answer: rotating() };
  const server = createServer((message: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = [];
    message.on('data', (part: Buffer) => parts.push(part));
    message.on('end', () => {
      const request = {
        path: message.url ?? '',
        form: new URLSearchParams(Buffer.concat(parts).toString()),
        authorization: message.headers.authorization,
      };
      endpoint.requests.push(request);
      void endpoint.answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(endpoint, {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
