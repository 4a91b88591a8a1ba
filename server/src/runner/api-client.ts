import { Agent, request } from 'node:http';

export interface ApiAnswer {
  readonly status: number;
  readonly body: Buffer;
}

const SOCKETS_MAX = 64;
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

/** Calls of the runner to the api role beside it: the only way it has to anything. Its address is the host's word, never a guest's. */
export class ApiClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });

  /** Rejects where no answer came. */
  call(
    url: string,
    { method, token, body, signal }: { method: 'GET' | 'POST'; token: string; body?: Buffer; signal?: AbortSignal },
  ): Promise<ApiAnswer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        url,
        {
          agent: this.#agent,
          method,
          headers: {
            authorization: `Bearer ${token}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
          },
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
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks) }));
          incoming.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}
