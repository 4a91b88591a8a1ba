import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { ManualClock, Secret } from '@bulkhead/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AppKit, createAppKit } from './app-kit.ts';
import { defineDescriptor } from './descriptor.ts';
import { memoryTenantStore } from './store/memory-tenant-store.ts';
import { sqliteTenantStore } from './store/sqlite-tenant-store.ts';
import type { TenantStore } from './store/tenant-store.ts';
import { FakeHost, type FakeTenant } from './testkit/fake-host.ts';

const key = 'issue-notes';
const keyPair = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** What a host does with one tenant. `lost`: it has our 204 never seen, and goes on with the secret before. `failing`: the App's own part throws. */
type Step = {
  readonly do: 'install' | 'uninstall' | 'enable' | 'disable' | 'use' | 'wait';
  readonly lost: boolean;
  readonly failing: boolean;
  readonly times: number;
};

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('install', 'install', 'install', 'uninstall', 'enable', 'disable', 'use', 'use', 'wait'),
  lost: fc.boolean(),
  failing: fc.integer({ min: 0, max: 4 }).map((of) => of === 0),
  times: fc.constantFrom(1, 1, 1, 2, 6),
});

interface Model {
  /** What the host signs with; null: it has no install that it knows of. */
  secret: Secret | null;
  /** Whether the App has one, too. */
  installed: boolean;
  readonly ever: Secret[];
}

const stores: readonly (readonly [string, () => TenantStore])[] = [
  ['memory', () => memoryTenantStore({ appKey: key })],
  ['sqlite', () => sqliteTenantStore({ appKey: key, database: new DatabaseSync(':memory:'), sealingKeys: { current: randomBytes(32) } })],
];

describe.each(stores)('I5: lifecycle sequences, %s', (_, makeStore) => {
  test('whatever a host does, in any order, twice, in parallel and half failed: the App accepts what the host signs with, and nothing after an uninstall', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        const clock = new ManualClock();
        const host = new FakeHost({ appKey: key, appBaseUrl: 'https://app.example', clock, keyPair });
        let failing = false;
        const kit = createAppKit({
          descriptor: defineDescriptor({ key, baseUrl: 'https://app.example' }),
          issuers: [host.issuer],
          store: makeStore(),
          sessionSecret: new Secret('a session secret of thirty-two characters'),
          fetch: host.fetch,
          clock,
          onLifecycle: (event) => (failing && event === 'installed' ? Promise.reject(new Error('not now')) : Promise.resolve()),
        });
        const tenant = host.tenant('tenant-a');
        const model: Model = { secret: null, installed: false, ever: [] };
        for (const one of steps) {
          clock.advance(1_000);
          failing = one.failing;
          await play(kit, tenant, model, one, clock);
          await agree(kit, tenant, model);
        }
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});

async function play(kit: AppKit, tenant: FakeTenant, model: Model, one: Step, clock: ManualClock): Promise<void> {
  switch (one.do) {
    case 'install': {
      const calls = Array.from({ length: one.times }, () => [tenant.installed(), tenant.sharedSecret] as const);
      const answers = await Promise.all(calls.map(async ([request]) => (await kit.answer(request))?.status));
      expect(answers).toEqual(calls.map(() => (one.failing ? 500 : 204)));
      model.ever.push(...calls.map(([, secret]) => secret));
      if (!one.failing) model.installed = true;
      // Of several at once the host keeps one, whichever; of one whose answer got lost, none.
      if (!one.failing && !one.lost) Object.assign(model, { secret: calls[Math.floor(calls.length / 2)]?.[1] ?? null });
      return;
    }
    case 'uninstall': {
      for (let time = 0; time < one.times; time++) expect((await kit.answer(tenant.uninstalled()))?.status).toBe(204);
      Object.assign(model, { secret: null, installed: false });
      return;
    }
    case 'enable':
    case 'disable': {
      if (model.secret === null) return;
      tenant.sharedSecret = model.secret;
      expect((await kit.answer(one.do === 'enable' ? tenant.enabled() : tenant.disabled()))?.status).toBe(204);
      expect(await kit.settings.store.find('tenant-a')).toMatchObject({ enabled: one.do === 'enable' });
      return;
    }
    case 'use':
      return;
    case 'wait':
      clock.advance(20 * 60_000);
  }
}

async function agree(kit: AppKit, tenant: FakeTenant, model: Model): Promise<void> {
  if (model.secret !== null) {
    tenant.sharedSecret = model.secret;
    expect(await kit.verifyRequest(tenant.request('GET', '/page'))).toMatchObject({ tenant: { clientKey: 'tenant-a' } });
  }
  if (!model.installed)
    for (const secret of model.ever.slice(-10)) {
      tenant.sharedSecret = secret;
      await expect(kit.verifyRequest(tenant.request('GET', '/page'))).rejects.toMatchObject({ status: 401 });
    }
  tenant.sharedSecret = new Secret('a secret that no install has ever brought');
  await expect(kit.verifyRequest(tenant.request('GET', '/page'))).rejects.toMatchObject({ status: 401 });
}
