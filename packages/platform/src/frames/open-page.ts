import { type ApplicationId, applicationId as applicationIds } from '@bulkhead/base';
import { type Answer, httpErrors } from '@bulkhead/http';
import { isAbsoluteItem, type PageModule } from '@bulkhead/protocol';
import type { RequestContext } from '../access/index.ts';
import { type ApplicationSettings, getApplicationSettings } from '../applications/index.ts';
import { frameErrors } from './frame-errors.ts';
import { pageAddress } from './page-address.ts';
import { type PageSession, pageTickets, sessionIds } from './page-session.ts';
import { findByTicket, findSession, openSession } from './page-session-store.ts';
import { holdsSession, issueSessionCookie } from './session-cookie.ts';
import { openShownInstall, type ShownInstall } from './shown-install.ts';
import { type FrameParts, isShown } from './shown-modules.ts';

/** What the address of a page names. */
export interface NamedPage {
  readonly application_id: string;
  readonly app_key: string;
  readonly module_key: string;
}

/**
 * Opens a page session by its ticket, once: the browser gets its cookie, and an address without the ticket. In the browser that has opened
 * it before, the same link leads there again. Throws `page.*`.
 */
export async function showTicket(
  { db, publicUrl }: FrameParts,
  context: RequestContext<null>,
  page: NamedPage,
  ticket: string,
): Promise<Answer> {
  const { call, now } = context;
  const { 'sec-purpose': secPurpose = '', purpose = '' } = call.headers;
  if (`${String(secPurpose)} ${String(purpose)}`.includes('prefetch')) throw frameErrors('page.prefetch');
  const parsed = pageTickets.parse(ticket);
  if (parsed === null || parsed.applicationId !== page.application_id) throw frameErrors('page.link_unknown');
  const { applicationId } = parsed;
  const { session, cookie } = await db.withTenant(applicationId, async (tx) => {
    const found = await findByTicket(tx, parsed.hash, now);
    if (found === null || found.appKey !== page.app_key || found.moduleKey !== page.module_key) throw frameErrors('page.link_unknown');
    if (found.browserHash !== null) {
      if (!holdsSession(call.headers['cookie'], found, publicUrl())) throw frameErrors('page.link_opened');
      return { session: found, cookie: null };
    }
    const issued = issueSessionCookie(found, publicUrl());
    const endsAt = new Date(now.getTime() + found.lifetimeSeconds * 1_000);
    if (!(await openSession(tx, { sessionId: found.sessionId, browserHash: issued.hash, endsAt }))) throw frameErrors('page.link_opened');
    return { session: found, cookie: issued.cookie };
  });
  const location = `${pageAddress(publicUrl(), session)}?session=${session.sessionId}`;
  return { status: 303, headers: { location, ...(cookie === null ? {} : { 'set-cookie': cookie }) } };
}

/** A session that this browser has open, and the App as it is now. */
export interface OpenPage {
  readonly session: PageSession;
  readonly install: ShownInstall;
  readonly settings: ApplicationSettings;
}

/**
 * The session of a page, for the browser that has opened it, at the address it was opened for. Throws `page.session_over` for any other, and
 * `not_found` where the App is not enabled any more.
 */
export async function openPage(
  { db, vault, publicUrl }: FrameParts,
  { call, now }: RequestContext<null>,
  page: NamedPage,
  sessionId: string,
): Promise<OpenPage> {
  if (!applicationIds.is(page.application_id) || !sessionIds.is(sessionId)) throw frameErrors('page.session_over');
  const applicationId: ApplicationId = page.application_id;
  return db.withTenant(applicationId, async (tx) => {
    const session = await findSession(tx, sessionId, now);
    if (session === null || !holdsSession(call.headers['cookie'], session, publicUrl())) throw frameErrors('page.session_over');
    if (session.appKey !== page.app_key || session.moduleKey !== page.module_key) throw frameErrors('page.session_over');
    const settings = await getApplicationSettings(tx, applicationId);
    const install = await openShownInstall(tx, vault, session.appKey, now);
    if (settings === null || install === null) throw httpErrors('not_found');
    return { session, install, settings };
  });
}

/** A module of the App whose page is open, for the same person. Throws `not_found` where it is none, or not shown to them now. */
export async function shownModule(parts: FrameParts, { install, session }: OpenPage, moduleKey: string): Promise<PageModule> {
  const module = install.modules.find(({ key }) => key === moduleKey);
  if (module === undefined || isAbsoluteItem(module) || !(await isShown(parts, install, module, session))) throw httpErrors('not_found');
  return module;
}
