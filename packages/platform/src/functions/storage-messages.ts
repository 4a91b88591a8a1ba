import { environmentName, STORAGE_LIMITS } from '@bulkhead/protocol';
import { z } from 'zod';
import { STORES_KEPT_MS, type StoreUsage } from './storage-store.ts';

const used = z.object({ used: z.int(), most: z.int() });

const storeAnswer = z.object({
  id: z.string(),
  environment: z.string(),
  values: used,
  bytes: used.meta({ description: 'Of the values as JSON.' }),
  created: z.iso.datetime(),
  kept_since: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'When the App was uninstalled, or another store took its place; null: in use.' }),
  forgotten: z.iso.datetime().nullable().meta({ description: 'When it is deleted unless it is put back; null: in use.' }),
});

export const storageUsageAnswer = z.object({
  stores: z.array(storeAnswer).meta({ description: 'One in use per environment, and those that are kept.' }),
  type: z.literal('function_storage'),
  api: z.literal('meta'),
});

export function storageUsageShape(stores: readonly StoreUsage[]): z.input<typeof storageUsageAnswer> {
  return {
    stores: stores.map(({ storeId, environment, valueCount, valueBytes, createdAt, keptSince }) => ({
      id: storeId,
      environment,
      values: { used: valueCount, most: STORAGE_LIMITS.values },
      bytes: { used: valueBytes, most: STORAGE_LIMITS.bytes },
      created: createdAt.toISOString(),
      kept_since: keptSince?.toISOString() ?? null,
      forgotten: keptSince === null ? null : new Date(keptSince.getTime() + STORES_KEPT_MS).toISOString(),
    })),
    type: 'function_storage',
    api: 'meta',
  };
}

export const storageExportQuery = z.object({ environment: environmentName.default('production') });

export const relinkBody = z.strictObject({
  environment: environmentName.default('production'),
  store: z.string().max(100).optional().meta({ description: 'Which of those that are kept; absent: the one that was in use last.' }),
  replace: z.boolean().default(false).meta({ description: 'Also where values are in use: those are kept in turn.' }),
});
