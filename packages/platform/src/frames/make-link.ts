import { isAbsoluteItem } from '@bulkhead/protocol';
import type { z } from 'zod';
import type { ApiKeyPrincipal, RequestContext } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { ADDRESS_MAX, signGet } from './frame-address.ts';
import { frameErrors } from './frame-errors.ts';
import type { linkBody } from './module-messages.ts';
import { pageAddress } from './page-address.ts';
import { pageTickets, sessionIds, type Viewer } from './page-session.ts';
import { insertSession } from './page-session-store.ts';
import { openShownInstall } from './shown-install.ts';
import { type FrameParts, isShown } from './shown-modules.ts';

/** A link is followed at once; it is not for a mailbox. */
const TICKET_SECONDS = 120;
const SESSIONS_MAX = 10_000;

/**
 * A link to a page of an App for one person, which opens once. Throws `module.*`, `module_link.limit`: a page that would not be shown is
 * refused now, where the company's server can say so, and again when it is opened.
 */
export async function makeLink(
  parts: FrameParts,
  context: RequestContext<ApiKeyPrincipal>,
  body: z.output<typeof linkBody>,
): Promise<{ url: string; expires: Date }> {
  const { db, vault, publicUrl } = parts;
  const { applicationId, now } = context;
  const viewer: Viewer = { endUser: body.end_user ?? null, isAdmin: body.is_admin, context: body.context };
  const install = await db.withTenant(applicationId, (tx) => openShownInstall(tx, vault, body.app_key, now));
  const module = install?.modules.find(({ key }) => key === body.module_key);
  if (install === null || module === undefined || isAbsoluteItem(module) || !(await isShown(parts, install, module, viewer)))
    throw frameErrors('module.not_shown', { field: 'module_key' });
  if (URL.parse(install.baseUrl)?.origin === publicUrl()) throw frameErrors('module.own_origin', { field: 'app_key' });
  if (signGet(install, { url: module.url, viewer, parameters: [], now }) === null)
    throw frameErrors('module.url_unusable', { field: 'context', params: { limit: ADDRESS_MAX } });
  const ticket = pageTickets.issue(applicationId);
  const expires = new Date(now.getTime() + TICKET_SECONDS * 1_000);
  await db.withTenant(applicationId, async (tx) => {
    const isKept = await insertSession(
      tx,
      {
        ...viewer,
        sessionId: sessionIds.generate(),
        clientKey: install.clientKey,
        moduleKey: module.key,
        ticketHash: ticket.hash,
        frameAncestors: body.frame_ancestors,
        lifetimeSeconds: body.lifetime_seconds,
        endsAt: expires,
      },
      { now, most: SESSIONS_MAX },
    );
    if (!isKept) throw frameErrors('module_link.limit', { params: { limit: SESSIONS_MAX } });
    await audit(tx, context, { target: install.appKey, detail: { module_key: module.key } });
  });
  const address = pageAddress(publicUrl(), { applicationId, appKey: install.appKey, moduleKey: module.key });
  return { url: `${address}?ticket=${ticket.secret.reveal()}`, expires };
}
