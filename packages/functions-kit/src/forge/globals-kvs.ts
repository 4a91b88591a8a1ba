import type { Json } from '../storage-types.ts';
import { type Condition, Filter, type SortOrder } from './conditions.ts';
import { kvs } from './kvs.ts';
import { ForgeKvsAPIError } from './kvs-error.ts';
import type { SetOptions } from './kvs-set.ts';
import type { TransactionOptions } from './kvs-transaction.ts';

// What a bundle that was built before asks of `__forge_fetch__` for storage: the operations of Forge's storage API, as JSON.

interface Asked {
  readonly property?: string;
  readonly condition: string;
  readonly values?: Condition['values'];
}
interface Change {
  readonly key: string;
  readonly value?: Json;
  readonly entityName?: string;
  readonly conditions?: { readonly and?: readonly Asked[]; readonly or?: readonly Asked[] };
}
interface Body extends Change {
  readonly options?: SetOptions;
  readonly limit?: number;
  readonly after?: string;
  readonly where?: readonly Asked[];
  readonly indexName?: string;
  readonly partition?: readonly string[];
  readonly range?: Asked;
  readonly filters?: Change['conditions'];
  readonly sort?: SortOrder;
  readonly cursor?: string;
  readonly set?: readonly Change[];
  readonly delete?: readonly Change[];
  readonly check?: readonly Change[];
}

/** `BEGINS_WITH` and the like, as the host spells them. */
function condition({ condition: name, values = [] }: Asked): Condition {
  const spelled = name.toLowerCase().replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return { condition: spelled as Condition['condition'], values };
}

function filter({ and = [], or = [] }: NonNullable<Change['conditions']>): Filter {
  const made = new Filter();
  for (const each of and) made.and(each.property ?? '', condition(each));
  for (const each of or) made.or(each.property ?? '', condition(each));
  return made;
}

function options({ entityName, conditions }: Change): TransactionOptions {
  return { ...(entityName === undefined ? {} : { entityName }), ...(conditions === undefined ? {} : { conditions: filter(conditions) }) };
}

const METADATA = { metadataFields: ['CREATED_AT', 'UPDATED_AT', 'EXPIRE_TIME'] } as const;

async function found(value: Promise<unknown>): Promise<unknown> {
  const there = await value;
  if (there === undefined) throw new ForgeKvsAPIError('KEY_NOT_FOUND', 'There is nothing under this key');
  return there;
}

const page = ({ results, nextCursor }: { results: readonly unknown[]; nextCursor?: string }): unknown => ({
  data: results,
  ...(nextCursor === undefined ? {} : { cursor: nextCursor }),
});

const operations: Readonly<Record<string, (body: Body) => Promise<unknown>>> = {
  get: ({ key }) => found(kvs.get(key, METADATA)),
  set: ({ key, value, options: set }) => kvs.set(key, value ?? null, set),
  delete: ({ key }) => kvs.delete(key),
  'secret/get': async ({ key }) => ({ key, value: await found(kvs.getSecret(key)) }),
  'secret/set': ({ key, value, options: set }) => kvs.setSecret(key, value ?? null, set),
  'secret/delete': ({ key }) => kvs.deleteSecret(key),
  'entity/get': ({ entityName = '', key }) => found(kvs.entity(entityName).get(key, METADATA)),
  'entity/set': ({ entityName = '', key, value, options: set }) => kvs.entity(entityName).set(key, value as never, set),
  'entity/delete': ({ entityName = '', key }) => kvs.entity(entityName).delete(key),
  query: async ({ limit, after, where: [first] = [] }) => {
    const prefix = first === undefined ? kvs.query() : kvs.query().where('key', condition(first));
    const limited = limit === undefined ? prefix : prefix.limit(limit);
    return page(await (after === undefined ? limited : limited.cursor(after)).getMany());
  },
  'entity/query': async ({ entityName = '', indexName = 'by-key', partition, range, filters, sort, limit, cursor }) => {
    let query = kvs
      .entity(entityName)
      .query()
      .index(indexName, partition === undefined ? {} : { partition });
    if (range !== undefined) query = query.where(condition(range));
    if (filters !== undefined) query = query.filters(filter(filters));
    if (sort !== undefined) query = query.sort(sort);
    if (limit !== undefined) query = query.limit(limit);
    if (cursor !== undefined) query = query.cursor(cursor);
    return page(await query.getMany());
  },
  transaction: ({ set = [], delete: removed = [], check = [] }) => {
    const transaction = kvs.transact();
    for (const each of set) transaction.set(each.key, each.value ?? null, options(each));
    for (const each of removed) transaction.delete(each.key, options(each));
    for (const each of check) transaction.check(each.key, options(each));
    return transaction.execute();
  },
};

/** Answers an operation by its path, such as `/api/v1/entity/get`: JSON, or `{code, message}` with a status that is no success. */
export async function answerKvs(path: string, body: string): Promise<Response> {
  const operation = operations[path.replace(/^\/?api\/v1\//, '')];
  try {
    if (operation === undefined) throw new ForgeKvsAPIError('NOT_FOUND', `There is no operation ${path} here`);
    const value = await operation(JSON.parse(body) as Body);
    return value === undefined ? new Response(null, { status: 204 }) : Response.json(value);
  } catch (thrown) {
    if (!(thrown instanceof ForgeKvsAPIError)) throw thrown;
    const status = thrown.code.endsWith('NOT_FOUND') ? 404 : thrown.code === 'KEY_CONFLICT' ? 409 : 400;
    return Response.json({ code: thrown.code, message: thrown.message }, { status });
  }
}
