import { type Json, storage } from '../index.ts';
import { batches } from './kvs-batch.ts';
import { asked, goodKey } from './kvs-error.ts';
import { EntityIndexQuery, KeyQuery } from './kvs-query.ts';
import { hostOptions, type MetadataFields, type ResultWithMetadata, type SetOptions, withMetadata } from './kvs-set.ts';
import { TransactionBuilder } from './kvs-transaction.ts';

export { Filter, FilterConditions, Sort, WhereConditions } from './conditions.ts';
export { ForgeKvsAPIError } from './kvs-error.ts';
export { MetadataField } from './kvs-set.ts';

interface GetOptions {
  readonly metadataFields?: MetadataFields;
}

type Attributes = { readonly [attribute: string]: Json };

/** What `storage` and an entity of it have in common. */
interface Keeper {
  getRecord(key: string): ReturnType<typeof storage.getRecord>;
  set(key: string, value: never, options: ReturnType<typeof hostOptions>): ReturnType<typeof storage.set>;
  delete(key: string): Promise<boolean>;
}

/** Undefined where there is nothing; the value, or with fields asked for what is known of it. */
async function get(keeper: Keeper, key: string, { metadataFields = [] }: GetOptions = {}): Promise<unknown> {
  const record = await asked(() => keeper.getRecord(goodKey(key)));
  if (record === undefined) return undefined;
  return metadataFields.length === 0 ? record.value : withMetadata(record, metadataFields);
}

/** Undefined, unless `returnValue` asks for what was or is there. */
async function set(keeper: Keeper, key: string, value: Json, options: SetOptions = {}): Promise<ResultWithMetadata | undefined> {
  const { returned } = await asked(() => keeper.set(goodKey(key), value as never, hostOptions(options)));
  return returned == null ? undefined : withMetadata(returned, options.returnMetadataFields ?? []);
}

function entity(name: string) {
  const keeper = storage.entity(name);
  return {
    get: <Value = Attributes>(key: string, options?: GetOptions) => get(keeper, key, options) as Promise<Value | undefined>,
    set: (key: string, value: Attributes, options?: SetOptions) => set(keeper, key, value, options),
    delete: async (key: string): Promise<void> => void (await asked(() => keeper.delete(goodKey(key)))),
    query: () => new EntityIndexQuery(name),
  };
}

export const kvs = {
  ...batches,
  get: <Value = Json>(key: string, options?: GetOptions) => get(storage, key, options) as Promise<Value | undefined>,
  set: (key: string, value: Json, options?: SetOptions) => set(storage, key, value, options),
  delete: async (key: string): Promise<void> => void (await asked(() => storage.delete(goodKey(key)))),
  getSecret: <Value extends Json = Json>(key: string) => asked(() => storage.getSecret<Value>(goodKey(key))),
  setSecret: async (key: string, value: Json, options?: SetOptions): Promise<void> =>
    void (await asked(() => storage.setSecret(goodKey(key), value, hostOptions(options)))),
  deleteSecret: async (key: string): Promise<void> => void (await asked(() => storage.deleteSecret(goodKey(key)))),
  query: () => new KeyQuery(),
  entity,
  transact: () => new TransactionBuilder(),
};

export default kvs;
