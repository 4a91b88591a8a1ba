import type { TenantTx } from '@bulkhead/postgres';
import { enterInstall } from '../installs/index.ts';
import { storageErrors } from './storage-errors.ts';
import { addUsage, holdInstall, listStores, lockStore, type StoreUsage, swapStores } from './storage-store.ts';
import { deleteEnded } from './storage-value-store.ts';

/**
 * Puts a store that an uninstall has left into use for the install of today: the values, secrets and indexes of then. Throws
 * `function.storage_none_kept`, and `function.storage_in_use` where the install keeps values by now and `replace` is not said.
 */
export async function relinkStorage(
  tenantTx: TenantTx,
  {
    clientKey,
    environment,
    store,
    replace,
    now,
  }: { clientKey: string; environment: string; store: string | undefined; replace: boolean; now: Date },
): Promise<StoreUsage> {
  await holdInstall(tenantTx, clientKey);
  const tx = await enterInstall(tenantTx, clientKey);
  const kept = (await listStores(tx, now)).filter((each) => each.environment === environment && each.keptSince !== null);
  const [chosen] = store === undefined ? kept : kept.filter(({ storeId }) => storeId === store);
  if (chosen === undefined) throw storageErrors('function.storage_none_kept', { params: { environment } });
  const inUse = await lockStore(tx, environment);
  if (inUse !== null) {
    const ended = await deleteEnded(tx, inUse, now);
    await addUsage(tx, inUse, { count: -ended.count, bytes: -ended.bytes, lastVersion: inUse.lastVersion });
    const count = inUse.valueCount - ended.count;
    if (count > 0 && !replace) throw storageErrors('function.storage_in_use', { params: { environment, count } });
  }
  await swapStores(tx, { storeId: chosen.storeId, environment, now });
  return { ...chosen, keptSince: null };
}
