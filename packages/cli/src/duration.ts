import { UsageError } from './usage-error.ts';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };
const LONGEST_SECONDS = 100 * 366 * 86_400;

/** `90m`, `12h`, `30d` or plain seconds, as seconds; throws UsageError naming `option`. */
export function parseDuration(text: string, option: string): number {
  const match = /^(\d{1,10})([smhdw]?)$/.exec(text);
  const seconds = Number(match?.[1]) * (SECONDS[match?.[2] || 's'] ?? Number.NaN);
  if (seconds >= 1 && seconds <= LONGEST_SECONDS) return seconds;
  throw new UsageError(
    `${option}: expected a number with s, m, h, d or w behind it, such as 12h or 30d, up to a hundred years; got "${text}".`,
  );
}
