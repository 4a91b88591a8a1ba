import type { ApplicationId } from '@bulkhead/base';
import type { BusyLane } from './delivery-store.ts';

/** A call that takes longer than this no longer counts against the quick ones. */
const SLOW_AFTER_MS = 200;

/**
 * Which calls this process is making. A call that drags on gives its place among the quick ones away after a moment, up to a bound
 * of its own: endpoints that never answer fill that bound and not the places of the others.
 */
export class BusyLanes {
  readonly #quickMax: number;
  readonly #slowMax: number;
  readonly #calls = new Map<symbol, { readonly lane: BusyLane; readonly startedAt: number }>();
  readonly #lanes = new Map<string, BusyLane>();

  constructor(options: { readonly quickMax: number; readonly slowMax: number }) {
    this.#quickMax = options.quickMax;
    this.#slowMax = options.slowMax;
  }

  /** Notes a call; what is answered ends it. */
  begin(applicationId: ApplicationId, endpointId: string): () => void {
    const call = Symbol();
    this.#calls.set(call, { lane: { applicationId, endpointId, running: 1 }, startedAt: performance.now() });
    this.#change(applicationId, endpointId, 1);
    return () => {
      if (this.#calls.delete(call)) this.#change(applicationId, endpointId, -1);
    };
  }

  #change(applicationId: ApplicationId, endpointId: string, by: number): void {
    const key = `${applicationId} ${endpointId}`;
    const running = (this.#lanes.get(key)?.running ?? 0) + by;
    if (running === 0) this.#lanes.delete(key);
    else this.#lanes.set(key, { applicationId, endpointId, running });
  }

  /**
   * How many calls may begin now. `room`: how many quick ones may be under way, counted without those that have turned slow; each of
   * these opens a place beside itself, or whoever never answers would keep a process from widening.
   */
  free(room = Infinity): number {
    const since = performance.now() - SLOW_AFTER_MS;
    let slow = 0;
    for (const { startedAt } of this.#calls.values()) {
      // In the order they began: the first quick one ends the slow ones.
      if (startedAt > since) break;
      slow++;
    }
    const quick = this.#calls.size - slow;
    return Math.max(0, Math.min(this.#quickMax - quick - Math.max(0, slow - this.#slowMax), room + slow - quick));
  }

  lanes(): BusyLane[] {
    return [...this.#lanes.values()];
  }
}
