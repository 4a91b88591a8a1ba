import { isDeepStrictEqual } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Reads again and again until what it reads is `expected`; throws with the last value where that has not come within `limitMs`.
 * What `expect.poll` does, for tests that run side by side.
 */
export async function eventually<T>(read: () => T | Promise<T>, expected: Awaited<T>, limitMs = 60_000): Promise<void> {
  const limit = performance.now() + limitMs;
  for (;;) {
    const value = await read();
    if (isDeepStrictEqual(value, expected)) return;
    if (performance.now() > limit) throw new Error(`still ${JSON.stringify(value)} after ${limitMs} ms, not ${JSON.stringify(expected)}`);
    await delay(100);
  }
}
