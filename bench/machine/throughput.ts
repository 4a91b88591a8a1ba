import { median } from '../alternate.ts';
import type { Child } from './child.ts';
import type { LoadResult } from './wrk.ts';

/** Runs of load against one server: how many requests, what they cost it, whether all went well. */
export class Throughput {
  readonly #child: Child | null;
  readonly #run: () => Promise<LoadResult>;
  readonly #microseconds: number[] = [];
  #failures = 0;

  constructor(run: () => Promise<LoadResult>, child: Child | null = null) {
    this.#run = run;
    this.#child = child;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Median of the server's own processor time per request, in µs: says more than requests per second where others use the machine. */
  get cpuPerRequest(): number {
    return median(this.#microseconds);
  }

  async perSecond(): Promise<number> {
    const before = this.#child?.cpuSeconds() ?? 0;
    const result = await this.#run();
    if (this.#child !== null) this.#microseconds.push(((this.#child.cpuSeconds() - before) * 1e6) / result.requests);
    this.#failures += result.failures;
    return result.perSecond;
  }
}
