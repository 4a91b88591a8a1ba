import { applicationId } from '@bulkhead/base';
import { expect, test } from 'vitest';
import { BusyLanes } from './busy-lanes.ts';

test('calls are counted by Application and endpoint, and leave nothing behind', () => {
  const [one, other] = [applicationId.generate(), applicationId.generate()];
  const busy = new BusyLanes({ quickMax: 3, slowMax: 10 });
  const ends = [busy.begin(one, 'same-name'), busy.begin(one, 'same-name'), busy.begin(other, 'same-name')];
  expect(busy.lanes()).toEqual([
    { applicationId: one, endpointId: 'same-name', running: 2 },
    { applicationId: other, endpointId: 'same-name', running: 1 },
  ]);
  for (const end of ends) {
    end();
    // The second time it means nothing.
    end();
  }
  expect(busy.lanes()).toEqual([]);
  expect(busy.free()).toBe(3);
});

test('calls that drag on leave the places of the quick ones, up to a bound', async () => {
  const busy = new BusyLanes({ quickMax: 2, slowMax: 3 });
  const id = applicationId.generate();
  for (let n = 0; n < 2; n++) busy.begin(id, 'blackhole');
  await expect.poll(() => busy.free(), { timeout: 10_000 }).toBe(2);
  for (let n = 0; n < 2; n++) busy.begin(id, 'blackhole');
  // Four slow ones: one more than the bound, which takes a place of the quick ones.
  await expect.poll(() => busy.free(), { timeout: 10_000 }).toBe(1);
});
