import { Cron } from 'croner';

export interface Timetable {
  /** Five fields: minute, hour, day of month, month, day of week. */
  readonly cron: string;
  /** UTC where none is named. */
  readonly timezone?: string | undefined;
}

/** The first tick after a moment; null where none comes, or `cron` is none. */
export function nextTick({ cron, timezone = 'UTC' }: Timetable, after: Date): Date | null {
  try {
    return new Cron(cron, { timezone, mode: '5-part' }).nextRun(after);
  } catch {
    return null;
  }
}

/** Ticks in (after, until], counted up to `most`, and the last of them. */
export function ticksUntil(timetable: Timetable, after: Date, until: Date, most: number): { readonly count: number; readonly last: Date } {
  let count = 0;
  let last = after;
  for (let next = nextTick(timetable, after); next !== null && next <= until && count < most; next = nextTick(timetable, next)) {
    count++;
    last = next;
  }
  return { count, last };
}
