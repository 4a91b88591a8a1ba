import { describe, expect, it } from 'vitest';
import { OwnTime } from './own-time.ts';

/** Looks after so many milliseconds, in which this process had the processor for so many. */
function looks(...steps: readonly (readonly [wallMs: number, cpuMs: number, matters?: boolean])[]): OwnTime {
  let wall = 500;
  let cpu = 90;
  const time = new OwnTime(10, { wallMs: () => wall, cpuMs: () => cpu });
  time.look(true);
  const before = time.now;
  expect(before).toBe(0);
  for (const [wallMs, cpuMs, matters = true] of steps) {
    wall += wallMs;
    cpu += cpuMs;
    time.look(matters);
  }
  return time;
}

describe('S2: time in a line', () => {
  it.each([
    ['a look on time, by an idle process', [[10, 0]], 10],
    ['a look on time, by a busy one', [[10, 10]], 10],
    ['a late look after work of ours', [[250, 240]], 240],
    ['a late look while others had the processor', [[900, 4]], 10],
    ['a late look of both', [[900, 150]], 150],
    ['work in several threads, which is more than there was time', [[50, 90]], 50],
    [
      'late looks, of which the last was not ours',
      [
        [250, 250],
        [300, 0],
      ],
      260,
    ],
    ['a late look that matters to nobody', [[250, 240, false]], 10],
    [
      'the first look that matters',
      [
        [250, 240, false],
        [250, 240, true],
      ],
      20,
    ],
  ] as const)('is told by %s', (_what, steps, now) => {
    expect(looks(...steps).now).toBe(now);
  });
});
