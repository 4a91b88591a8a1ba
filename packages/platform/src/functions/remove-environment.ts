import { httpErrors } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { MetaTokenPrincipal, RequestContext } from '../access/index.ts';
import { auditOrganization } from '../audit/index.ts';
import { lockApp } from './deployment-store.ts';
import { PRODUCTION } from './environment-install-store.ts';
import { deleteEnvironment, deleteOfEnvironment, deleteVersions, hasEnvironment, tablesOfEnvironments } from './environment-store.ts';
import { functionErrors } from './function-errors.ts';

const BATCH = 1_000;
/** Of rows that each may take thousands of others along. */
const PARENTS_BATCH = 5;
/** What one request deletes: some seconds of work. */
const BATCHES_MAX = 100;

/**
 * Takes an environment away: its versions first, so that nothing runs in it from then on, then what its installs have there, batch by batch, its
 * variables last. Throws `not_found`, `function.production_stays`; and `function.environment_large` where the rest is left to the next call.
 */
export async function removeEnvironment(
  db: Database,
  context: RequestContext<MetaTokenPrincipal>,
  { appKey, environment }: { appKey: string; environment: string },
): Promise<void> {
  const { organizationId } = context.principal;
  const of = { organizationId, appKey, environment };
  if (environment === PRODUCTION) throw functionErrors('function.production_stays');
  await db.withOrganization(organizationId, async (tx) => {
    await lockApp(tx, of);
    if (!(await hasEnvironment(tx, of))) throw httpErrors('not_found');
    await deleteVersions(tx, of);
    await auditOrganization(tx, context, organizationId, { target: appKey, detail: { environment } });
  });
  const tables = await db.withSystem('find what installs have per environment', tablesOfEnvironments);
  let batches = 0;
  for (const { name, parent } of tables) {
    const limit = parent ? PARENTS_BATCH : BATCH;
    const deleteSome = () => db.withSystem('remove an environment', (tx) => deleteOfEnvironment(tx, name, { ...of, limit }));
    while ((await deleteSome()) === limit)
      if (++batches >= BATCHES_MAX) throw functionErrors('function.environment_large', { params: { environment }, retryAfterSeconds: 1 });
  }
  await db.withOrganization(organizationId, async (tx) => {
    await lockApp(tx, of);
    await deleteEnvironment(tx, of);
  });
}
