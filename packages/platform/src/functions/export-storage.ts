import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ApplicationId } from '@bulkhead/base';
import { httpErrors } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { enterInstall, type InstallTx } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import { chunksOf } from './storage-index-store.ts';
import { findStore, type Store } from './storage-store.ts';
import { listAllHeads, openHeads, recordOf, type ValueHead, type ValuePlace } from './storage-value-store.ts';

const BATCH = 200;
const READER_MS = 30_000;
const SECRET = 'secret';
const ENTITY = 'entity:';

interface Exported {
  readonly applicationId: ApplicationId;
  readonly clientKey: string;
  readonly appKey: string;
  readonly environment: string;
}

/** A line: what it is of, and the value with its times; of a secret the key alone. */
function lineOf(head: ValueHead, value: unknown): Record<string, unknown> {
  const record = recordOf(head, value);
  if (head.collection === SECRET) return { type: 'secret', key: head.key };
  const { key, ...rest } = record;
  return head.collection.startsWith(ENTITY)
    ? { type: 'entity', entity: head.collection.slice(ENTITY.length), key, ...rest }
    : { type: 'value', key, ...rest };
}

/**
 * Writes what an install keeps in an environment as lines of JSON, about a mebibyte at a time, each of them read in a transaction of its own: no
 * moment is frozen. `begin` is called once the first of it is read. The last line counts the others; an answer without it is cut. Throws where the
 * reader takes nothing for 30 seconds, or the store went out of use meanwhile.
 */
export async function exportStorage(
  { db, vault, now }: { db: Database; vault: Vault; now: () => Date },
  { response, begin }: { response: ServerResponse; begin: () => void },
  { applicationId, clientKey, appKey, environment }: Exported,
): Promise<void> {
  const write = async (line: Record<string, unknown>): Promise<void> => {
    if (response.destroyed) throw httpErrors('server_error', { detail: 'the reader of an export has left' });
    if (!response.write(`${JSON.stringify(line)}\n`)) await once(response, 'drain', { signal: AbortSignal.timeout(READER_MS) });
  };
  const within = <T>(work: (tx: InstallTx) => Promise<T>): Promise<T> =>
    db.withTenant(applicationId, async (tx) => work(await enterInstall(tx, clientKey)));
  let values = 0;
  let of: string | null = null;
  for (let after: ValuePlace | null = null; ; ) {
    const from: ValuePlace | null = after;
    const next: Chunk | null = await within(async (tx) => {
      const store = await findStore(tx, environment);
      if (of !== null && store?.storeId !== of) throw httpErrors('server_error', { detail: 'the store of an export went out of use' });
      of = store?.storeId ?? '';
      return store === null ? null : chunkAfter(tx, vault, store, from, now());
    });
    if (from === null) {
      begin();
      await write({
        type: 'storage',
        application_id: applicationId,
        app_key: appKey,
        environment,
        exported: now().toISOString(),
        format: 1,
      });
    }
    if (next === null || next.last === null) break;
    for (const line of next.lines) await write(line);
    values += next.lines.length;
    after = next.last;
  }
  await write({ type: 'end', values });
  response.end();
}

interface Chunk {
  readonly lines: readonly Record<string, unknown>[];
  readonly last: ValuePlace | null;
}

async function chunkAfter(tx: InstallTx, vault: Vault, store: Store, after: ValuePlace | null, now: Date): Promise<Chunk> {
  const [chunk = []] = chunksOf(await listAllHeads(tx, store, { after, limit: BATCH }, now));
  const plain = chunk.filter(({ collection }) => collection !== SECRET);
  const records = await openHeads(tx, vault, store, plain, now);
  // Two collections may have a key in common: by place, each once and in order.
  const lines: Record<string, unknown>[] = [];
  let opened = 0;
  for (const head of chunk) {
    if (head.collection === SECRET) lines.push(lineOf(head, undefined));
    else if (records[opened]?.key === head.key) lines.push(lineOf(head, records[opened++]!.value));
  }
  return { lines, last: chunk.at(-1) ?? null };
}
