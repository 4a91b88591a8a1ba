import type { Measured, Sample } from './row.ts';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value at or below which `share` of the others lie (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export interface Alternation {
  readonly rounds: number;
  readonly ours: () => Promise<number>;
  readonly yardstick: () => Promise<number>;
  /** From a round's two figures to the row's value. */
  readonly compare: (ours: number, yardstick: number) => number;
}

/** Ours and the yardstick in turns, the first place changing from round to round; the median of the rounds' values. */
export async function alternate({ rounds, ours, yardstick, compare }: Alternation): Promise<Omit<Measured, 'note'>> {
  const samples: { ours: number; yardstick: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) {
      const mine = await ours();
      samples.push({ ours: mine, yardstick: await yardstick() });
    } else {
      const theirs = await yardstick();
      samples.push({ ours: await ours(), yardstick: theirs });
    }
  }
  const values = samples.map((sample) => compare(sample.ours, sample.yardstick));
  return { value: median(values), samples, spread: spreadOf(values) };
}

export function spreadOf(values: readonly number[]): readonly [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

/** "12,345 of 23,456" for a note: the medians behind a ratio. */
export function medians(samples: readonly Sample[], unit: string): string {
  const ours = median(samples.map((sample) => sample.ours));
  const theirs = median(samples.flatMap((sample) => (sample.yardstick === null ? [] : [sample.yardstick])));
  return `${figure(ours)} against ${figure(theirs)} ${unit}`;
}

/** Three significant digits, thousands set apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const rounded = Number(value.toPrecision(3));
  return Math.abs(rounded) >= 1000 ? Math.round(rounded).toLocaleString('en-US') : String(rounded);
}
