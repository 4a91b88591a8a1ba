import { type AnyRoute, httpErrors, parsePart, readBytes } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { entitiesOf, type Entity, STORAGE_LIMITS, storageAnswer, type StorageCall, storageCall } from '@bulkhead/protocol';
import { type InvocationPrincipal, route } from '../access/index.ts';
import { enterInstall } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import { findVersion } from './deployment-store.ts';
import { answerStorageCall, namesEntity } from './storage-call.ts';

/** A transaction with its keys, and conditions on them. */
const BODY_LIMIT = { bytes: STORAGE_LIMITS.itemsBytes + 256 * 1024, ms: 10_000 } as const;

/** What a running call keeps: by the token of that call, so of its install and environment. */
export function storageRunnerRoute({ db, vault }: { db: Database; vault: Vault }): AnyRoute {
  return route({
    credentials: ['invocation'],
    scope: null,
    rateClass: 'api',
    audit: null,
    id: 'function_runner.storage',
    method: 'POST',
    path: '/internal/functions/storage',
    summary: 'For the runner: what the running call keeps, of its install and environment',
    idempotent: false,
    // A body as the server reads others loses names such as "constructor": a value is kept as it came.
    bodyForm: 'stream',
    answers: { 200: storageAnswer },
    handler: async ({ principal, applicationId, now }, { raw }) => {
      const call = parsePart(storageCall, readJson(await readBytes(raw.message, BODY_LIMIT)), 'body') as StorageCall;
      const entities = namesEntity(call) ? await declaredEntities(db, principal) : new Map<string, Entity>();
      const { environment, clientKey } = principal;
      const body = await db.withTenant(applicationId, async (tx) =>
        answerStorageCall({ tx: await enterInstall(tx, clientKey), vault, environment, entities, now, signal: raw.signal }, call),
      );
      return { status: 200, body };
    },
  });
}

async function declaredEntities(
  db: Database,
  { organizationId, appKey, environment, version }: InvocationPrincipal,
): Promise<ReadonlyMap<string, Entity>> {
  const deployed = await db.withOrganization(organizationId, (tx) => findVersion(tx, { organizationId, appKey, environment, version }));
  return entitiesOf(deployed?.manifest.storage);
}

function readJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw httpErrors('request.malformed_json', { params: { problem: 'the body is not JSON' } });
  }
}
