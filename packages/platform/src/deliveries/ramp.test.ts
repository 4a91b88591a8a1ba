import { applicationId } from '@bulkhead/base';
import { expect, test } from 'vitest';
import { BusyLanes } from './busy-lanes.ts';
import { Ramp } from './ramp.ts';

test('what may be sent twice stays a sixteenth of what is written, beside the first, and has a bound', () => {
  const ramp = new Ramp(128);
  expect(ramp.places).toBe(1);
  ramp.widen(15);
  expect(ramp.places).toBe(1);
  ramp.widen(1);
  expect(ramp.places).toBe(2);
  ramp.widen(1_000_000);
  expect(ramp.places).toBe(128);
  ramp.fallBack();
  expect(ramp.places).toBe(1);
});

test('whoever never answers opens a place beside itself, so it does not keep a process from widening', async () => {
  const busy = new BusyLanes({ quickMax: 10, slowMax: 10 });
  const id = applicationId.generate();
  for (const places of [1, 2, 4]) {
    await expect.poll(() => busy.free(1), { timeout: 10_000 }).toBe(places);
    for (let n = 0; n < places; n++) busy.begin(id, 'blackhole');
    // The control: as long as these are quick, they are what there was room for.
    expect(busy.free(1)).toBeLessThanOrEqual(places * 2);
  }
  expect(busy.free(0)).toBeLessThanOrEqual(busy.free(1));
});
