import { Agent, request } from 'node:http';
import type { CallAnswer, CallRequest } from './engine.ts';

/** Calls into one instance, over its own socket: a file in a folder that only we have made. */
export class InstanceSocket {
  readonly #path: string;
  readonly #agent: Agent;
  readonly #answerBytesMax: number;

  constructor(path: string, { inFlightMax, answerBytesMax }: { inFlightMax: number; answerBytesMax: number }) {
    this.#path = path;
    this.#answerBytesMax = answerBytesMax;
    this.#agent = new Agent({ keepAlive: true, maxSockets: inFlightMax });
  }

  /** Never rejects. The answer is the guest's word; only its size is ours. */
  call({ invocationId, functionName, payload, context, signal }: CallRequest): Promise<CallAnswer> {
    const body = Buffer.from(
      `{"id":${JSON.stringify(invocationId)},"name":${JSON.stringify(functionName)},"payload":${payload},"context":${context}}`,
    );
    return new Promise((resolve) => {
      const broken = (error: Error) => resolve({ kind: 'broken', detail: error.message });
      const outgoing = request(
        {
          socketPath: this.#path,
          agent: this.#agent,
          method: 'POST',
          path: '/invoke',
          headers: { host: 'function', 'content-type': 'application/json', 'content-length': body.length },
          signal,
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          let size = 0;
          incoming.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size <= this.#answerBytesMax) return void chunks.push(chunk);
            resolve({ kind: 'too_large' });
            incoming.destroy();
          });
          incoming.on('end', () => resolve({ kind: 'answer', text: Buffer.concat(chunks).toString('utf8') }));
          incoming.on('error', broken);
          incoming.on('close', () => broken(new Error('the answer was cut off')));
        },
      );
      outgoing.on('error', broken);
      outgoing.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
