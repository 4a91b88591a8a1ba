import { FakeRunner, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { openTestHost, type TestHost } from '@bulkhead/functions-kit/testing';
import { afterAll, beforeAll, describe, expect, vi } from 'vitest';
import { type ContractHost, CONTRACT_STORAGE, expectStorage } from './storage-contract.ts';

const PLACE = Symbol.for('bulkhead.host');
const places = globalThis as Record<symbol, unknown>;

/** One contract, two hosts: what is true in a unit test is true at a server. */
describe('storage of the functions-kit at the host in memory', () => {
  const hosts: TestHost[] = [];
  let other: unknown;
  let host: ContractHost;

  beforeAll(() => {
    const open = (): unknown => {
      const opened = openTestHost({ storage: CONTRACT_STORAGE });
      hosts.push(opened);
      const placed = places[PLACE];
      delete places[PLACE];
      return placed;
    };
    other = open();
    places[PLACE] = open();
    host = {
      advance: async (ms) => hosts.forEach((each) => each.advance(ms)),
      switchTenant: async () => void ([places[PLACE], other] = [other, places[PLACE]]),
    };
  });
  afterAll(() => void delete places[PLACE]);

  expectStorage(() => host);
});

describe('storage of the functions-kit at a server', () => {
  let world: World;
  let app: FakeApp;
  let tenants: readonly string[];
  const runner = new FakeRunner();
  let token = '';

  /** Begins a call for the first of the tenants; its token is what the host speaks by. */
  async function begin(): Promise<void> {
    runner.release();
    runner.calls.length = 0;
    void world.meta('POST', `/applications/${tenants[0]}/installs/notes/invoke`, { function: 'held' }).catch(() => undefined);
    await vi.waitUntil(() => runner.calls.length === 1, { timeout: 15_000 });
    token = runner.calls[0]!.token;
  }

  beforeAll(async () => {
    app = await startFakeApp({ key: 'notes' });
    world = await World.create({ runner, egressAllow: [app.address] });
    await world.meta('POST', '/apps', { descriptor: app.descriptor });
    const manifest = { app: 'notes', functions: [{ key: 'held', handler: 'index.held' }], storage: CONTRACT_STORAGE };
    const deployed = await world.meta('POST', '/apps/notes/deployments', { environment: 'production', manifest, code: 'export {};' });
    expect(deployed.status, deployed.text).toBe(201);
    const made = [(await world.application()).id, (await world.application()).id];
    for (const id of made) await world.meta('POST', `/applications/${id}/installs`, { app_key: 'notes' });
    tenants = made;
    await begin();
    places[PLACE] = {
      fetch: (url: string, { body }: { body: string }) =>
        fetch(url.replace('http://host.bulkhead.internal', `${world.url}/internal/functions`), {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body,
        }),
    };
  });
  afterAll(async () => {
    delete places[PLACE];
    await world[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  expectStorage(() => ({
    async advance(ms) {
      world.clock.advance(ms);
      await begin();
    },
    async switchTenant() {
      tenants = tenants.toReversed();
      await begin();
    },
  }));
});
