/** A call of the neighbour: when it began, by the clock of the process, and how long it took. */
export interface NeighbourCall {
  readonly at: number;
  readonly ms: number;
}

export function percentile(part: number, of: readonly NeighbourCall[]): number {
  return of.map(({ ms }) => ms).toSorted((a, b) => a - b)[Math.min(of.length - 1, Math.floor(of.length * part))] ?? 0;
}

/** Spans in which somebody attacked, from the first call of a program until its installation answers again. */
export class Attacks {
  readonly #spans: { readonly from: number; to: number }[] = [];

  /** Answers what ends the span. */
  begin(): () => void {
    const span = { from: performance.now(), to: Number.POSITIVE_INFINITY };
    this.#spans.push(span);
    return () => void (span.to = performance.now());
  }

  /** Takes calls apart: those that had an attack beside them at any moment, and those that had none. */
  split(calls: readonly NeighbourCall[]): { quiet: NeighbourCall[]; during: NeighbourCall[] } {
    const isBeside = ({ at, ms }: NeighbourCall) => this.#spans.some(({ from, to }) => at < to && at + ms > from);
    return { quiet: calls.filter((call) => !isBeside(call)), during: calls.filter(isBeside) };
  }
}

/** Below it a doubling is no matter: the figure that the neighbours of runaways are held to on a quiet machine. */
const P99_MS = 25;
/** So few calls have no 99th percentile. */
const CALLS_MIN = 300;

/**
 * F1: p99 at most doubles. Quiet calls lie between the attacks, not before all of them, so that what else the machine does is in both. More than twice
 * as much counts where it is also more than 25 ms.
 */
export function judge({ quiet, during }: { quiet: readonly NeighbourCall[]; during: readonly NeighbourCall[] }): {
  holds: boolean;
  text: string;
} {
  const [before, beside] = [percentile(0.99, quiet), percentile(0.99, during)];
  const isEnough = quiet.length >= CALLS_MIN && during.length >= CALLS_MIN;
  return {
    holds: isEnough && (beside <= 2 * before || beside <= P99_MS),
    text: `p99 ${beside.toFixed(1)} ms beside attacks (${during.length} calls) against ${before.toFixed(1)} ms between them (${quiet.length} calls): ${(beside / before).toFixed(2)}×`,
  };
}
