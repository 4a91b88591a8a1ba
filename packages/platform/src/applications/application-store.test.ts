import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TenantWorld, tenantWorld } from '../../test/tenant-world.ts';
import { updateApplication, updateBranding, updateEventSettings } from './application-store.ts';

let world: TenantWorld;
beforeAll(async () => {
  world = await tenantWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

describe('two changes of one Application at the same moment', () => {
  test.each(['branding', 'event settings'] as const)('wait for each other, whichever of them begins below, in its %s', async (below) => {
    const db = world.database.database;
    const id = await world.application();
    await db.withTenant(id, async (tx) => {
      await tx.execute(sql`insert into branding (application_id) values (${id})`);
      await tx.execute(sql`insert into event_settings (application_id) values (${id})`);
    });
    const change = (tx: Parameters<typeof updateBranding>[0], retentionHours: number) =>
      below === 'branding'
        ? updateBranding(tx, id, { displayName: String(retentionHours) })
        : updateEventSettings(tx, id, { retentionHours }, world.now());
    let second: Promise<void> = Promise.resolve();
    await db.withTenant(id, async (tx) => {
      await updateApplication(tx, id, { description: 'above' }, world.now());
      second = db.withTenant(id, (other) => change(other, 2));
      second.catch(() => undefined);
      const isWaiting = async () =>
        (await tx.one<{ waits: boolean }>(sql`select exists (select from pg_locks where not granted) as waits`)).waits;
      await expect.poll(isWaiting).toBe(true);
      await change(tx, 1);
    });
    await second;
    const [row] = await db.tenantQuery<{ name: string | null; hours: number }>(
      id,
      sql`select b.display_name as name, e.retention_hours as hours from branding b join event_settings e using (application_id) where b.application_id = ${id}`,
    );
    expect(below === 'branding' ? row?.name : String(row?.hours)).toBe('2');
  });
});
