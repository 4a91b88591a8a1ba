import { Agent, request } from 'node:http';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

const SOCKETS_MAX = 64;
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
/** Said by us alone, whatever a guest says. */
const OURS = new Set(['authorization', 'connection', 'content-length', 'cookie', 'host', 'proxy-authorization', 'transfer-encoding']);

function pairsOf(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, at) => [raw[2 * at]!, raw[2 * at + 1]!]);
}

/** Calls of the runner to the api role beside it: the only way it has to anything. Its address is the host's word, never a guest's. */
export class ApiClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });

  /** Rejects where no answer came. */
  call(
    url: string,
    { method, token, body, signal }: { method: 'GET' | 'POST'; token: string; body?: Buffer; signal?: AbortSignal },
  ): Promise<ApiAnswer> {
    const headers = body === undefined ? [] : (['content-type', 'application/json', 'content-length', String(body.length)] as const);
    return this.#send(url, undefined, {
      method,
      token,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /**
   * Hands on a request of a guest: its method, fields and bytes. `path` goes out as it is, so that nothing here makes another address of it. Rejects
   * where no answer came.
   */
  forward(
    apiUrl: string,
    path: string,
    {
      method,
      token,
      headers,
      body,
      signal,
    }: { method: string; token: string; headers: readonly (readonly [string, string])[]; body: Buffer; signal: AbortSignal },
  ): Promise<ApiAnswer> {
    const kept = headers.filter(([name]) => !OURS.has(name.toLowerCase())).flat();
    const length = body.length === 0 ? [] : ['content-length', String(body.length)];
    return this.#send(apiUrl, path, { method, token, headers: [...kept, ...length], body, signal });
  }

  #send(
    url: string,
    path: string | undefined,
    {
      method,
      token,
      headers,
      body,
      signal,
    }: { method: string; token: string; headers: readonly string[]; body?: Buffer; signal?: AbortSignal },
  ): Promise<ApiAnswer> {
    return new Promise((resolve, reject) => {
      const { host } = new URL(url);
      const outgoing = request(
        url,
        {
          agent: this.#agent,
          method,
          ...(path === undefined ? {} : { path }),
          headers: ['host', host, 'authorization', `Bearer ${token}`, ...headers],
          ...(signal === undefined ? {} : { signal }),
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          let size = 0;
          incoming.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > ANSWER_BYTES_MAX) incoming.destroy(new Error('the answer is too large'));
            else chunks.push(chunk);
          });
          incoming.on('end', () =>
            resolve({ status: incoming.statusCode ?? 0, headers: pairsOf(incoming.rawHeaders), body: Buffer.concat(chunks) }),
          );
          incoming.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}
