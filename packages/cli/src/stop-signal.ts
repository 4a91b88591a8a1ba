const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export type StopReason = (typeof SIGNALS)[number] | 'orphaned';

export interface StopSignal {
  /** Resolves at the first SIGINT, SIGTERM or SIGHUP, and when the process that wraps this one is gone: with which it was. */
  readonly asked: Promise<StopReason>;
  readonly isAsked: () => boolean;
  /** Back to the signals' own meaning. */
  release(): void;
}

/**
 * One press of Ctrl-C arrives up to three times: from the terminal (to the whole group), from npm and from the older
 * Node that wraps this one. Only what comes later than this is a second press.
 */
const SAME_PRESS_MS = 1_000;
const FORCED_EXIT_CODE = 130;

export interface StopSignalOptions {
  /** Called at a second wish: ends the process at once. */
  readonly force: (exitCode: number) => void;
  /** Milliseconds, for tests. */
  readonly now?: () => number;
  /** The process, or what stands for it in tests. */
  readonly source?: NodeJS.EventEmitter;
}

/** Listens for the wish to stop, until `release`. */
export function onStopSignal({ force, now = () => performance.now(), source = process }: StopSignalOptions): StopSignal {
  const { promise, resolve } = Promise.withResolvers<StopReason>();
  let firstAt: number | null = null;
  const ask = (signal: StopReason) => {
    if (firstAt === null) {
      firstAt = now();
      resolve(signal);
    } else if (now() - firstAt > SAME_PRESS_MS) {
      force(FORCED_EXIT_CODE);
    }
  };
  // Node hands each listener the name of its signal.
  for (const signal of SIGNALS) source.on(signal, ask);
  const orphaned = () => {
    firstAt ??= now();
    resolve('orphaned');
  };
  source.once('disconnect', orphaned);
  return {
    asked: promise,
    isAsked: () => firstAt !== null,
    release: () => {
      for (const signal of SIGNALS) source.off(signal, ask);
      source.off('disconnect', orphaned);
    },
  };
}
