import type { AnyRoute } from '@bulkhead/http';
import { CONTEXT_QSH } from '@bulkhead/protocol';
import { z } from 'zod';
import { type RequestContext, route } from '../access/index.ts';
import { userToken } from './frame-address.ts';
import { frameErrors } from './frame-errors.ts';
import { frameOf } from './frame.ts';
import { hostPage } from './host-page.ts';
import { openPage, showTicket, shownModule } from './open-page.ts';
import type { FrameParts } from './shown-modules.ts';

const page = '/t/{application_id}/plugins/servlet/ac/{app_key}/{module_key}';
const params = z.object({ application_id: z.string(), app_key: z.string().max(80), module_key: z.string().max(100) });
/** The page has it renewed a minute before it ends. */
const CONTEXT_TOKEN_SECONDS = 300;
const NOTHING = { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } } as const;
const field = z.string().max(512).optional().catch(undefined);

/** The pages of Apps in a browser. Who asks is known by the cookie of the session that the address or the body names. */
export function pageRoutes(parts: FrameParts): AnyRoute[] {
  const { publicUrl } = parts;
  const fromPage = { credentials: [], scope: null, rateClass: 'page', audit: null, params, idempotent: false } as const;
  /** A browser says with every POST where it comes from (Fetch, `Sec-Fetch-Site`; an older one by `Origin`). */
  const assertOwnPage = ({ call: { headers } }: RequestContext<null>): void => {
    const site = headers['sec-fetch-site'];
    if (site === undefined ? headers['origin'] !== publicUrl() : site !== 'same-origin') throw frameErrors('page.cross_site');
  };
  return [
    route({
      id: 'page.show',
      method: 'GET',
      path: page,
      summary: 'The page of an App in its frame: by a ticket, once, then by the session that the ticket has opened',
      credentials: [],
      scope: null,
      rateClass: 'page',
      audit: null,
      errors: 'page',
      params,
      query: z.object({ ticket: field, session: field }),
      answers: { 200: null, 303: null },
      handler: async (context, { params: named, query: { ticket, session } }) => {
        // A HEAD must not open or use up anything: link checkers send it.
        if (context.call.method === 'HEAD') return NOTHING;
        if (ticket !== undefined) return showTicket(parts, context, named, ticket);
        const open = await openPage(parts, context, named, session ?? '');
        const module = await shownModule(parts, open, named.module_key);
        const frame = frameOf(open, module, { publicUrl: publicUrl(), isDialog: module.type === 'dialogs', now: context.now });
        return hostPage(open, frame, { publicUrl: publicUrl(), headers: context.call.headers });
      },
    }),
    route({
      ...fromPage,
      id: 'page.token',
      method: 'POST',
      path: `${page}/token`,
      summary: 'A context token for the App whose page is open in this browser (AP.context.getToken)',
      body: z.strictObject({ session: z.string().max(100) }),
      answers: { 200: z.object({ token: z.string().nullable(), expires_in: z.number() }) },
      handler: async (context, { params: named, body }) => {
        assertOwnPage(context);
        const { now } = context;
        const { install, session } = await openPage(parts, context, named, body.session);
        // Not beyond the end of the page.
        const seconds = Math.min(CONTEXT_TOKEN_SECONDS, Math.ceil((session.endsAt.getTime() - now.getTime()) / 1_000));
        const token = install.isSigned ? userToken(install, { viewer: session, qsh: CONTEXT_QSH, now, seconds }) : null;
        return { status: 200, body: { token, expires_in: seconds } };
      },
    }),
    route({
      ...fromPage,
      id: 'page.frame',
      method: 'POST',
      path: `${page}/frame`,
      summary: 'Another module of the App whose page is open in this browser, for a dialog in that page (AP.dialog.create)',
      body: z.strictObject({ session: z.string().max(100), module_key: z.string().max(100) }),
      answers: {
        200: z.object({ module_key: z.string(), name: z.string().nullable(), url: z.string(), options: z.record(z.string(), z.unknown()) }),
      },
      handler: async (context, { params: named, body }) => {
        assertOwnPage(context);
        const open = await openPage(parts, context, named, body.session);
        const module = await shownModule(parts, open, body.module_key);
        const { moduleKey, name, url, options } = frameOf(open, module, { publicUrl: publicUrl(), isDialog: true, now: context.now });
        return { status: 200, body: { module_key: moduleKey, name, url, options: { ...options } } };
      },
    }),
  ];
}
