import type { AnyRoute } from '@bulkhead/http';
import { route } from '../access/index.ts';
import { listInstalls } from '../installs/index.ts';
import { makeLink } from './make-link.ts';
import { linkAnswer, linkBody, listAnswer, listQuery, moduleShape } from './module-messages.ts';
import type { Viewer } from './page-session.ts';
import { openShownInstall } from './shown-install.ts';
import { type FrameParts, isShown, type RemoteAllowance } from './shown-modules.ts';

/** As many as may be installed. */
const INSTALLS_MAX = 200;
/** How many conditions one list asks Apps about, and how many modules it judges at a time. */
const REMOTE_MAX = 50;
const AT_ONCE = 8;

/** What the company's server asks: which modules of Apps a person may see, and a link to one of them. */
export function moduleRoutes(parts: FrameParts): AnyRoute[] {
  const { db, vault } = parts;
  const common = { credentials: ['api_key'], scope: null, rateClass: 'api' } as const;
  return [
    route({
      ...common,
      id: 'module.list',
      method: 'GET',
      path: '/v1/modules',
      summary: 'List the modules of Apps that an end user may see: pages, panels, links and dialogs, by location and weight',
      audit: null,
      query: listQuery,
      answers: { 200: listAnswer },
      handler: async ({ applicationId, now }, { query }) => {
        const viewer: Viewer = { endUser: query.end_user ?? null, isAdmin: query.is_admin === 'true', context: query.context };
        const found = await db.withTenant(applicationId, async (tx) => {
          const { rows } = await listInstalls(tx, applicationId, { page: 1, page_size: INSTALLS_MAX });
          const wanted = rows.filter(({ status, appKey }) => status === 'enabled' && (query.app_key ?? appKey) === appKey);
          const installs = [];
          for (const { appKey } of wanted) {
            const install = await openShownInstall(tx, vault, appKey, now);
            if (install !== null) installs.push(install);
          }
          return installs;
        });
        const candidates = found.flatMap((install) =>
          install.modules
            .filter(({ type, location }) => (query.type ?? type) === type && (query.location ?? location) === location)
            .map((module) => ({ install, module })),
        );
        const allowance: RemoteAllowance = { left: REMOTE_MAX };
        const shown: boolean[] = [];
        for (let at = 0; at < candidates.length; at += AT_ONCE)
          shown.push(
            ...(await Promise.all(
              candidates.slice(at, at + AT_ONCE).map(({ install, module }) => isShown(parts, install, module, viewer, allowance)),
            )),
          );
        const objects = candidates
          .filter((_candidate, at) => shown[at])
          .toSorted(
            (left, right) =>
              (left.module.location ?? '').localeCompare(right.module.location ?? '', 'en') || left.module.weight - right.module.weight,
          )
          .map(({ install, module }) => moduleShape(install, module, viewer));
        return { status: 200, body: { objects, type: 'object_list', api: 'core' } };
      },
    }),
    route({
      ...common,
      id: 'module_link.create',
      method: 'POST',
      path: '/v1/module_links',
      summary: 'Make a link to a page of an App for one end user; it opens once, in one browser',
      audit: 'module_link.created',
      // The answer holds a ticket, which is shown once.
      idempotent: false,
      body: linkBody,
      answers: { 201: linkAnswer },
      handler: async (context, { body }) => {
        const { url, expires } = await makeLink(parts, context, body);
        return { status: 201, body: { url, expires: expires.toISOString(), type: 'module_link', api: 'core' } };
      },
    }),
  ];
}
