import { type AnyRoute, httpErrors, type RawRequest, readBytes } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { type InstallPrincipal, type RequestContext, route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import type { Vault } from '../vault/index.ts';
import {
  type AppRecord,
  COLLECTIONS_MAX,
  deleteRecord,
  findRecord,
  listCollections,
  listRecords,
  type PutOutcome,
  putRecord,
  type RecordCondition,
  RECORDS_BYTES_MAX,
  RECORDS_MAX,
  recordUsage,
} from './app-record-store.ts';
import { installErrors } from './install-errors.ts';
import { enterInstall, type InstallTx } from './install-scope.ts';
import { invalid, isStorable, readJsonText } from './json-text.ts';

const KEY_MAX = 255;
const VALUE_BYTES_MAX = 65_536;
const PAGE_BYTES_MAX = 1024 * 1024;
const BODY_LIMIT = { bytes: 2 * VALUE_BYTES_MAX, ms: 10_000 } as const;

const base = '/t/{application_id}/rest/bulkhead/1/records';
const below = z.object({ application_id: z.string() });
const COLLECTION = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$/;
const inCollection = below.extend({ collection: z.string() });
const one = inCollection.extend({ record_key: z.string() });

const recordAnswer = z.object({
  key: z.string(),
  version: z
    .int()
    .meta({ description: 'Changes with each change, and is never given twice in one install. The ETag is the same, in quotes.' }),
  value: z.unknown(),
  created: z.iso.datetime(),
  modified: z.iso.datetime(),
});
const putAnswer = z.object({ key: z.string(), version: z.int() });

type AppContext = RequestContext<InstallPrincipal>;

/** What an App keeps with its host about one install, in collections. The App's own: needs no scope, and takes no token for a user. */
export function appRecordRoutes({ db, vault }: { db: Database; vault: Vault }): AnyRoute[] {
  const within = <T>({ principal, applicationId }: AppContext, work: (tx: InstallTx) => Promise<T>): Promise<T> =>
    db.withTenant(applicationId, async (tx) => work(await enterInstall(tx, principal.clientKey)));
  const common = { credentials: ['install'], scope: null, rateClass: 'api' } as const;
  return [
    route({
      ...common,
      id: 'app_record.usage',
      method: 'GET',
      path: base,
      summary: 'List the collections of records that an App keeps for this install, and what it may still keep',
      audit: null,
      params: below,
      answers: {
        200: z.object({
          collections: z.array(z.string()),
          records: z.object({ used: z.int(), most: z.int() }),
          bytes: z.object({ used: z.int(), most: z.int() }).meta({ description: 'Of the values as JSON.' }),
        }),
      },
      handler: async (context) => {
        const { collections, usage } = await within(context, async (tx) => ({
          collections: await listCollections(tx),
          usage: await recordUsage(tx),
        }));
        return {
          status: 200,
          body: {
            collections,
            records: { used: usage.records, most: RECORDS_MAX },
            bytes: { used: usage.bytes, most: RECORDS_BYTES_MAX },
          },
        };
      },
    }),
    route({
      ...common,
      id: 'app_record.list',
      method: 'GET',
      path: `${base}/{collection}`,
      summary: 'List the records of a collection in the order of their keys, a page at a time; a page ends early at about 1 MiB',
      audit: null,
      params: inCollection,
      query: z.object({
        prefix: z.string().max(KEY_MAX).default('').meta({ description: 'Only keys that begin so.' }),
        cursor: z.string().max(2_000).optional().meta({ description: 'Of the page before.' }),
        page_size: z.coerce.number().int().min(1).max(1_000).default(100),
      }),
      answers: {
        200: z.object({
          records: z.array(recordAnswer),
          cursor: z.string().nullable().meta({ description: 'Of the next page; null: there is none.' }),
        }),
      },
      handler: async (context, { params: { collection }, query }) => {
        const after = query.cursor === undefined ? null : keyOf(query.cursor);
        if (!isStorable(query.prefix)) throw invalid('A prefix is the beginning of a key.');
        const { records, more } = await within(context, (tx) =>
          listRecords(tx, vault, { collection, prefix: query.prefix, after, limit: query.page_size, bytesMax: PAGE_BYTES_MAX }),
        );
        return { status: 200, body: { records: records.map(shape), cursor: more ? cursorOf(records.at(-1)!.recordKey) : null } };
      },
    }),
    route({
      ...common,
      id: 'app_record.get',
      method: 'GET',
      path: `${base}/{collection}/{record_key}`,
      summary: 'Retrieve a record of an App',
      audit: null,
      params: one,
      answers: { 200: recordAnswer },
      handler: async (context, { params: { collection, record_key: recordKey } }) => {
        const record = isKey(recordKey) ? await within(context, (tx) => findRecord(tx, vault, { collection, recordKey })) : null;
        if (record === null) throw httpErrors('not_found');
        return { status: 200, body: shape(record), headers: { etag: `"${record.version}"` } };
      },
    }),
    route({
      ...common,
      id: 'app_record.put',
      method: 'PUT',
      path: `${base}/{collection}/{record_key}`,
      summary:
        'Put a record of an App: any JSON of at most 65,536 bytes. With If-Match only over that version, with "If-None-Match: *" only where there is none',
      audit: 'app_record.put',
      bodyForm: 'stream',
      params: one,
      answers: { 200: putAnswer, 201: putAnswer },
      handler: async (context, { params: { collection, record_key: recordKey }, raw }) => {
        if (!COLLECTION.test(collection))
          throw invalid('A collection is named by 1 to 100 letters, digits, ".", "_" and "-", a letter or digit first.');
        if (!isKey(recordKey)) throw invalid(`The key of a record is a text of 1 to ${KEY_MAX} characters without control characters.`);
        const condition = conditionOf(raw);
        const body = await readBytes(raw.message, BODY_LIMIT);
        if (body.byteLength > VALUE_BYTES_MAX) throw installErrors('app_record.too_large', { params: { limit: VALUE_BYTES_MAX } });
        const json = readJsonText(body, 'record');
        const put = await within(context, async (tx) => {
          const done = made(await putRecord(tx, vault, { collection, recordKey, json, condition, now: context.now }));
          await audit(tx, context, { target: context.principal.appKey, detail: { collection } });
          return done;
        });
        const answer = { body: { key: recordKey, version: put.version }, headers: { etag: `"${put.version}"` } };
        return put.kind === 'created' ? { status: 201, ...answer } : { status: 200, ...answer };
      },
    }),
    route({
      ...common,
      id: 'app_record.delete',
      method: 'DELETE',
      path: `${base}/{collection}/{record_key}`,
      summary: 'Delete a record of an App; with If-Match only that version',
      audit: 'app_record.deleted',
      params: one,
      answers: { 204: null },
      handler: async (context, { params: { collection, record_key: recordKey }, raw }) => {
        if (!isKey(recordKey)) throw httpErrors('not_found');
        const condition = conditionOf(raw);
        await within(context, async (tx) => {
          const outcome = await deleteRecord(tx, { collection, recordKey, condition });
          if (outcome === 'missing') throw httpErrors('not_found');
          if (outcome === 'differs') throw installErrors('app_record.version_differs');
          await audit(tx, context, { target: context.principal.appKey, detail: { collection } });
        });
        return { status: 204 };
      },
    }),
  ];
}

/** Throws `app_record.*` for what was not made. */
function made(outcome: PutOutcome): Extract<PutOutcome, { readonly version: number }> {
  switch (outcome.kind) {
    case 'differs':
      throw installErrors('app_record.version_differs');
    case 'too_many':
      throw installErrors('app_record.limit', { params: { limit: RECORDS_MAX } });
    case 'too_large':
      throw installErrors('app_record.bytes_limit', { params: { limit: RECORDS_BYTES_MAX } });
    case 'too_many_collections':
      throw installErrors('app_record.collection_limit', { params: { limit: COLLECTIONS_MAX } });
    default:
      return outcome;
  }
}

/** RFC 9110 §13.1.1 and §13.1.2, as far as they make sense for records: one version, any, or none. Throws `request.invalid`. */
function conditionOf({ message: { headers } }: RawRequest): RecordCondition {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (match !== undefined && noneMatch !== undefined) throw invalid('Send If-Match or If-None-Match, not both.');
  if (noneMatch !== undefined) {
    if (noneMatch.trim() !== '*') throw invalid('If-None-Match can be "*" only: put it where there is no record yet.');
    return 'absent';
  }
  if (match === undefined) return null;
  if (match.trim() === '*') return 'present';
  const version = /^"(\d{1,15})"$/.exec(match.trim())?.[1];
  if (version === undefined) throw invalid('If-Match is the ETag of one version, such as "17" with its quotes, or *.');
  return { version: Number(version) };
}

function shape({ recordKey, version, json, createdAt, modifiedAt }: AppRecord): z.input<typeof recordAnswer> {
  const value: unknown = JSON.parse(json);
  return { key: recordKey, version, value, created: createdAt.toISOString(), modified: modifiedAt.toISOString() };
}

function isKey(text: string): boolean {
  return text !== '' && text.length <= KEY_MAX && isStorable(text);
}

/** Where a page ended. Means nothing beyond the App's own records, and so needs no secret. */
function cursorOf(key: string): string {
  return Buffer.from(key, 'utf8').toString('base64url');
}

function keyOf(cursor: string): string {
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!isKey(key) || cursorOf(key) !== cursor) throw invalid('The cursor is none of ours. Send that of the page before, unchanged.');
  return key;
}
