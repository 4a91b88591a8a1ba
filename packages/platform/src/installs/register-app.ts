import type { Egress } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { MetaTokenPrincipal, RequestContext } from '../access/index.ts';
import { appendOrganizationAudit, auditOrganization } from '../audit/index.ts';
import type { App } from './app.ts';
import { putApp } from './app-store.ts';
import { fetchDescriptor, readDescriptor } from './read-descriptor.ts';

/** The action of the audit log for an App that is registered on the way to something else. */
const REGISTERED = 'app.registered';

/**
 * Registers an App of the caller's organization by its descriptor, given or fetched. Registered again it gets the new one; its installs keep
 * theirs. Throws `app.*`, `egress.*`.
 */
export async function registerApp(
  { db, egress }: { db: Database; egress: Egress },
  context: RequestContext<MetaTokenPrincipal>,
  given: { readonly url: string } | { readonly descriptor: unknown },
): Promise<{ app: App; isNew: boolean; warnings: readonly string[] }> {
  const { organizationId } = context.principal;
  const read = 'url' in given ? await fetchDescriptor(egress, given.url) : readDescriptor(egress, given.descriptor);
  const { descriptor, warnings } = read;
  const put = await db.withControl('register an App', async (tx) => {
    const done = await putApp(tx, { organizationId, descriptor, descriptorUrl: 'url' in given ? given.url : null, now: context.now });
    const entry = { target: descriptor.key, detail: { base_url: descriptor.baseUrl } };
    // A request that goes on to install it will be recorded for that.
    if (context.auditAction === REGISTERED) await auditOrganization(tx, context, organizationId, entry);
    else {
      const { actor, requestId, now: at } = context;
      await appendOrganizationAudit(tx, { organizationId, actor, action: REGISTERED, at, requestId, ...entry });
    }
    return done;
  });
  return { ...put, warnings };
}
