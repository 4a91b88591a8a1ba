import type { Json } from '../index.ts';
import { WhereConditions } from './conditions.ts';
import { kvs } from './kvs.ts';

// The older form: `storage` of `@forge/api`, and `@forge/storage`. It keeps at the very same place as `@forge/kvs`.

export { FilterConditions, Sort as SortOrder, WhereConditions } from './conditions.ts';

export const startsWith = WhereConditions.beginsWith;

export const storage = {
  get: <Value = Json>(key: string) => kvs.get<Value>(key),
  set: async (key: string, value: Json): Promise<void> => void (await kvs.set(key, value)),
  delete: kvs.delete,
  getSecret: kvs.getSecret,
  setSecret: (key: string, value: Json) => kvs.setSecret(key, value),
  deleteSecret: kvs.deleteSecret,
  query: kvs.query,
  entity: kvs.entity,
};

export default storage;
