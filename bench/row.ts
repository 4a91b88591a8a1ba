import type { Tool } from './machine/tools.ts';
import type { Lab } from './lab.ts';

/** The figure a row has to reach. */
export type Reach = { readonly atLeast: number } | { readonly atMost: number };

/** One alternation: ours and the yardstick in the same minute, in the unit of what was measured (not of the row). */
export interface Sample {
  readonly ours: number;
  readonly yardstick: number | null;
}

export interface Measured {
  /** In the row's unit: for a ratio the median of the rounds' ratios. */
  readonly value: number;
  readonly samples: readonly Sample[];
  /** Smallest and largest of what `value` is the median of. */
  readonly spread: readonly [number, number];
  /** What was measured, in words: absolute figures, sizes used. */
  readonly note: string;
  /** False where something besides the figure was wrong (an answer missing, a status other than 200). */
  readonly sound?: boolean;
}

/** One figure we are held to: what is measured, against what, how far. */
export interface Row {
  readonly id: string;
  readonly what: string;
  readonly yardstick: string;
  readonly unit: 'ratio' | 'ms' | 'MB' | 's' | 'calls' | 'processes';
  readonly reach: Reach;
  readonly needs: readonly Tool[];
  readonly measure: (lab: Lab) => Promise<Measured>;
}

export interface Result {
  readonly row: Row;
  readonly measured: Measured;
}

export function reaches(reach: Reach, value: number): boolean {
  return 'atLeast' in reach ? value >= reach.atLeast : value <= reach.atMost;
}

export function passes({ row, measured }: Result): boolean {
  return measured.sound !== false && reaches(row.reach, measured.value);
}
