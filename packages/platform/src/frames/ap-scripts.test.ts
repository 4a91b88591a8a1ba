import { type Log, silentLog } from '@bulkhead/base';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';

const failed: unknown[] = [];
const log: Log = { ...silentLog, error: (message, fields) => void failed.push([message, fields?.['detail']]), child: () => log };
let world: World;
beforeAll(async () => {
  world = await World.create({ log });
});
afterAll(() => world[Symbol.asyncDispose]());

it('the AP JavaScript comes once, is known again by its tag, and nothing of it is a failure in the log', async () => {
  const { id } = await world.application();
  for (const path of ['/atlassian-connect/all.js', `/t/${id}/atlassian-connect/all.js`, '/atlassian-connect/host.js']) {
    const first = await fetch(world.url + path);
    expect([first.status, first.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);
    expect((await first.text()).length).toBeGreaterThan(10_000);
    const again = await fetch(world.url + path, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } });
    expect([again.status, await again.text()]).toEqual([304, '']);
  }
  expect(failed).toEqual([]);
});
