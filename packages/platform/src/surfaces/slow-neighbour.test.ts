import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { World } from '@bulkhead/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** Of the 1,024 places for calls that pass through: two. */
const SHARE = 0.002;

let service: Server;
let held: ServerResponse[];
let world: World | undefined;
beforeEach(async () => {
  held = [];
  service = createServer((request, response) => {
    if (request.url === '/slow') held.push(response);
    else response.end('quick');
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
});
afterEach(async () => {
  for (const response of held) response.end('slow');
  await world?.[Symbol.asyncDispose]();
  world = undefined;
  service.closeAllConnections();
  service.close();
});

/** An Application with an account at the service; answers how it calls it. */
async function tenant(world: World): Promise<(path: string) => Promise<{ status: number; code?: string; hasRetryAfter: boolean }>> {
  const { port } = service.address() as AddressInfo;
  const { id, apiKey } = await world.application();
  const headers = { authorization: `APIKey ${apiKey}` };
  await world.meta('POST', `/applications/${id}/services`, {
    id: 'files',
    friendly_name: 'Files',
    auth: { type: 'api_key', in: 'header', name: 'X-Api-Key' },
    api: { base_url: `http://127.0.0.1:${port}` },
  });
  const account = await world.call('POST', '/v1/accounts', { headers, body: { service: 'files', account: 'ada', token: 'key' } });
  return async (path) => {
    const answer = await world.call('GET', `/v1/accounts/${account.json.id}/proxy${path}`, { headers });
    return { status: answer.status, code: answer.json?.code, hasRetryAfter: answer.headers.has('retry-after') };
  };
}

async function start(tenantShare: number): Promise<World> {
  return (world = await World.create({ egressAllow: [`127.0.0.1:${(service.address() as AddressInfo).port}`], tenantShare }));
}

describe('T5: a tenant whose service is slow', () => {
  it('takes its own places only: the calls of another pass, and its own that are too many are answered 429', async () => {
    const started = await start(SHARE);
    const [slow, quick] = [await tenant(started), await tenant(started)];
    const calls = Array.from({ length: 6 }, () => slow('/slow'));
    await expect.poll(() => held.length).toBe(2);
    expect(await quick('/anything')).toMatchObject({ status: 200 });
    // It may let two wait; the others hear at once, and those two as soon as theirs is no burst any more.
    const refused = { status: 429, code: 'server.too_many_at_once', hasRetryAfter: true };
    const outcomes: unknown[] = [];
    for (const call of calls) void call.then((outcome) => outcomes.push(outcome));
    await expect.poll(() => outcomes, { timeout: 30_000 }).toEqual([refused, refused, refused, refused]);
    expect(held).toHaveLength(2);
    expect(await quick('/anything')).toMatchObject({ status: 200 });
    for (const response of held) response.end('slow');
    expect((await Promise.all(calls)).filter(({ status }) => status === 200)).toHaveLength(2);
    expect(await slow('/anything')).toMatchObject({ status: 200 });
  });

  it('takes as many as it likes where no share is set (the control)', async () => {
    const slow = await tenant(await start(1));
    const calls = Array.from({ length: 6 }, () => slow('/slow'));
    await expect.poll(() => held.length).toBe(6);
    for (const response of held) response.end('slow');
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 200));
  });
});
