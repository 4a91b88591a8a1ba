import type { StreamFlow, StreamSink } from '@bulkhead/http';
import type { PlatformError } from '@bulkhead/base';

/** What to do about an answer that was held: pass it on, drop it and ask again, or drop it and answer with an error. */
export type Decision = 'pass' | 'again' | PlatformError;

/**
 * Holds back an answer of status 401 until `decide` has said what becomes of it; any other goes through untouched. While it
 * decides, the upstream is paused, so no more than a piece of the answer is in memory.
 */
export function holdUnauthorized(
  inner: StreamSink,
  decide: () => Promise<Decision>,
): { readonly sink: StreamSink; readonly decided: () => Promise<Decision> } {
  let flow: StreamFlow | undefined;
  let decision: Promise<Decision> = Promise.resolve('pass');
  /** What came while deciding, in order; null once it is decided or nothing is held. */
  let held: ((sink: StreamSink) => void)[] | null = null;

  const release = (): void => {
    const kept = held ?? [];
    held = null;
    for (const replay of kept) replay(inner);
    flow?.resume();
  };

  const sink: StreamSink = {
    start(started) {
      flow = started;
      inner.start(started);
    },
    head(status, headers) {
      if (status !== 401) return inner.head(status, headers);
      held = [(to) => to.head(status, headers)];
      decision = decide().then((outcome) => {
        if (outcome === 'pass') release();
        else flow?.leave();
        return outcome;
      });
    },
    data(chunk) {
      if (held === null) return inner.data(chunk);
      held.push((to) => void to.data(chunk));
      return false;
    },
    end(trailers) {
      if (held === null) return inner.end(trailers);
      held.push((to) => to.end(trailers));
    },
    fail(error) {
      if (held === null) return inner.fail(error);
      held.push((to) => to.fail(error));
    },
  };
  return { sink, decided: () => decision };
}
