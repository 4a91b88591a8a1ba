import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';

/** One kind of request of a load; `name` stands in its results. */
export interface LoadRequest {
  readonly name: string;
  readonly url: () => string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface LoadResult {
  readonly name: string;
  /** The status, or the code of the error that the caller got instead. */
  readonly outcome: number | string;
  readonly hasRetryAfter: boolean;
  /** As `performance.now()`. */
  readonly startedAt: number;
  readonly ms: number;
}

const CALL_LIMIT_MS = 60_000;

/** Callers that each send one request after the other, in turn of the kinds, over kept connections, until told to stop. */
export class Load {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #callers: Promise<void>[];
  readonly results: LoadResult[] = [];
  readonly #stop = new AbortController();

  constructor(requests: readonly LoadRequest[], callers: number) {
    this.#callers = Array.from({ length: callers }, (_, at) => this.#run(requests, at));
  }

  /** Waits for the requests under way; answers everything that came. */
  async stop(): Promise<readonly LoadResult[]> {
    this.#stop.abort();
    await Promise.all(this.#callers);
    this.#agent.destroy();
    return this.results;
  }

  async #run(requests: readonly LoadRequest[], offset: number): Promise<void> {
    for (let turn = offset; !this.#stop.signal.aborted; turn++) {
      const result = await this.#send(requests[turn % requests.length]!);
      this.results.push(result);
      // What is refused at once is not asked again in the same breath.
      if (result.outcome !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #send({ name, url, headers }: LoadRequest): Promise<LoadResult> {
    const startedAt = performance.now();
    const done = (outcome: number | string, hasRetryAfter = false): LoadResult => ({
      name,
      outcome,
      hasRetryAfter,
      startedAt,
      ms: performance.now() - startedAt,
    });
    return new Promise((resolve) => {
      const outgoing = request(url(), { headers, agent: this.#agent, signal: AbortSignal.timeout(CALL_LIMIT_MS) }, (message) => {
        text(message).then(
          () => resolve(done(message.statusCode ?? 0, message.headers['retry-after'] !== undefined)),
          (error: NodeJS.ErrnoException) => resolve(done(error.code ?? 'cut')),
        );
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(done(error.name === 'AbortError' ? 'hang' : (error.code ?? 'error'))));
      outgoing.end();
    });
  }
}

/** How often each outcome came, for a readable failure: `{ 'own 200': 812, 'own 503': 4 }`. */
export function counted(results: readonly LoadResult[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { name, outcome } of results) counts[`${name} ${outcome}`] = (counts[`${name} ${outcome}`] ?? 0) + 1;
  return counts;
}
