export interface StopSignal {
  /** Resolves at the first SIGINT, SIGTERM or SIGHUP, and when the process that wraps this one is gone. */
  readonly asked: Promise<void>;
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

/** Listens for the wish to stop. A second wish calls `force`, which ends the process at once. */
export function onStopSignal(force: (exitCode: number) => void): StopSignal {
  const { promise, resolve } = Promise.withResolvers<void>();
  let firstAt: number | null = null;
  const ask = () => {
    const now = performance.now();
    if (firstAt === null) {
      firstAt = now;
      resolve();
    } else if (now - firstAt > SAME_PRESS_MS) {
      force(FORCED_EXIT_CODE);
    }
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, ask);
  const orphaned = () => {
    firstAt ??= performance.now();
    resolve();
  };
  process.once('disconnect', orphaned);
  process.channel?.unref();
  return {
    asked: promise,
    isAsked: () => firstAt !== null,
    release: () => {
      for (const signal of signals) process.off(signal, ask);
      process.off('disconnect', orphaned);
    },
  };
}
