import { describe, expect, test } from 'vitest';
import { readRetryAfter, retryDelayMs } from './retry-ladder.ts';

const [second, minute, hour] = [1_000, 60_000, 3_600_000];

describe('W2: the ladder', () => {
  test.each([
    [1, 5 * second],
    [2, 5 * minute],
    [3, 30 * minute],
    [4, 2 * hour],
    [5, 5 * hour],
    [6, 10 * hour],
    [7, 10 * hour],
    [8, null],
  ])('after %i failed attempts the next comes in %s ms', (attempts, wait) => {
    expect(retryDelayMs(attempts, null, 0)).toBe(wait);
    const late = retryDelayMs(attempts, null, 0.999);
    if (wait !== null) expect(late! >= wait && late! <= wait * 1.1).toBe(true);
  });

  test('Retry-After moves a step back, never forward', () => {
    expect(retryDelayMs(1, hour, 0)).toBe(hour);
    expect(retryDelayMs(4, hour, 0)).toBe(2 * hour);
    expect(retryDelayMs(8, hour, 0)).toBeNull();
  });

  test.each([
    ['120', 120 * second],
    ['999999999', 24 * hour],
    ['Thu, 01 Jan 1970 00:01:00 GMT', minute],
    ['Wed, 31 Dec 1969 23:00:00 GMT', null],
    ['0', null],
    ['-5', null],
    ['soon', null],
    ['1e9', null],
    ['', null],
    [null, null],
  ])('Retry-After %s', (value, ms) => {
    expect(readRetryAfter(value, 0)).toBe(ms);
  });
});
