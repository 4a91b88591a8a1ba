import { createInterface } from 'node:readline';
import type { Child } from './child.ts';

/** A program of this folder that measures whenever it is told to on its standard input, and says what it saw as `result JSON`. */
export class Asked<Result> implements AsyncDisposable {
  readonly child: Child;
  readonly #lines: AsyncIterator<string>;

  constructor(child: Child) {
    this.child = child;
    this.#lines = createInterface({ input: child.process.stdout! })[Symbol.asyncIterator]();
  }

  /** Says `go`, with what else it wants to know; waits for the result. */
  async go(more = ''): Promise<Result> {
    this.child.process.stdin!.write(`go ${more}\n`);
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error('it ended before it said anything');
      if (value.startsWith('result ')) return JSON.parse(value.slice('result '.length)) as Result;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.child[Symbol.asyncDispose]();
  }
}
