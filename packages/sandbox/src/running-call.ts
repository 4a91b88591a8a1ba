import type { InvocationResult, Limits, LogLine, Outcome } from './contract.ts';
import type { EngineLine } from './engine.ts';

/** A call that an instance has been given. */
export class RunningCall {
  readonly id: string;
  readonly token: string;
  /** Its share of what the process has used since it began. */
  cpuMs = 0;
  denials = 0;
  readonly #limits: Limits;
  readonly #began = performance.now();
  readonly #abort = new AbortController();
  readonly #logs: LogLine[] = [];
  #dropped = 0;

  constructor(id: string, token: string, limits: Limits) {
    this.id = id;
    this.token = token;
    this.#limits = limits;
  }

  /** Stops when the call has its outcome, whatever that is. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  log(level: LogLine['level'], { at, message }: Pick<EngineLine, 'at' | 'message'>): void {
    if (this.#logs.length >= this.#limits.logLinesMax) this.#dropped++;
    else this.#logs.push({ at, level, message: message.slice(0, this.#limits.logLineBytesMax) });
  }

  end(outcome: Outcome): InvocationResult {
    this.#abort.abort();
    return { outcome, durationMs: Math.round(performance.now() - this.#began), logs: this.#logs, logsDropped: this.#dropped };
  }
}
