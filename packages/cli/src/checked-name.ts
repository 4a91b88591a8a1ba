import { UsageError } from './usage-error.ts';

/** A name for people, as `--name` takes it. */
export function checkedName(text: string): string {
  const name = text.trim();
  if (name.length >= 1 && name.length <= 200 && !/\p{Cc}/u.test(name)) return name;
  throw new UsageError('--name: expected 1 to 200 printable characters.');
}
