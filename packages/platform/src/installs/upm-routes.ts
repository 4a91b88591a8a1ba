import type { ApplicationId } from '@bulkhead/base';
import { type AnyRoute, httpErrors, readBytes } from '@bulkhead/http';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { changeInstall } from './change-install.ts';
import { installApp, type InstallingParts } from './install-app.ts';
import { findInstall, listInstalls } from './install-store.ts';
import { registerApp } from './register-app.ts';

const base = '/t/{application_id}/rest/plugins/1.0';
const BODY_LIMIT = { bytes: 16_384, ms: 10_000 } as const;
/** No page of another origin can send this without asking first, whatever credentials the browser has of us: so no token is needed. */
const INSTALL_TYPE = 'application/vnd.atl.plugins.remote.install+json';
const SUFFIX = '-key';

const installRequest = z.object({ pluginUri: z.string().min(1).max(2048) });
const plugin = z.object({ key: z.string(), enabled: z.boolean(), links: z.object({ self: z.string() }) });
const below = z.object({ application_id: z.string() });
const onePlugin = below.extend({ plugin: z.string().max(100) });

/**
 * What an App's own development server calls to install itself (UPM, `AC_LOCAL_BASE_URL` and `hosts` of atlassian-connect-express): Basic, with a
 * Meta token as password. Whoever has it consents to the scopes of the descriptor.
 */
export function upmRoutes(parts: InstallingParts): AnyRoute[] {
  const { db } = parts;
  const self = (applicationId: ApplicationId, appKey: string): string => `/t/${applicationId}/rest/plugins/1.0/${appKey}${SUFFIX}`;
  const meta = { credentials: ['meta_token'], rateClass: 'meta' } as const;
  return [
    route({
      ...meta,
      id: 'upm.settings',
      method: 'GET',
      path: `${base}/settings`,
      summary: 'Whether Apps may install themselves here (UPM)',
      scope: 'applications:read',
      audit: null,
      params: below,
      answers: { 200: z.object({ settings: z.array(z.object({ key: z.string(), value: z.boolean() })) }) },
      handler: async () => ({ status: 200, body: { settings: [{ key: 'connectDeveloperListingsEnabled', value: true }] } }),
    }),
    route({
      ...meta,
      id: 'upm.list',
      method: 'GET',
      path: base,
      summary: 'Which Apps are installed (UPM)',
      scope: 'applications:read',
      audit: null,
      params: below,
      answers: { 200: z.object({ plugins: z.array(plugin) }) },
      handler: async ({ applicationId }) => {
        const { rows } = await db.withTenant(applicationId, (tx) => listInstalls(tx, applicationId, { page: 1, page_size: 200 }));
        const plugins = rows.map(({ appKey, status }) => ({
          key: appKey,
          enabled: status === 'enabled',
          links: { self: self(applicationId, appKey) },
        }));
        return { status: 200, body: { plugins }, headers: { 'upm-token': 'not-needed' } };
      },
    }),
    route({
      ...meta,
      id: 'upm.install',
      method: 'POST',
      path: base,
      summary: 'Register an App by the address of its descriptor and install it (UPM); answers once the App has accepted',
      scope: 'applications:write',
      audit: 'install.created',
      bodyForm: 'stream',
      idempotent: false,
      params: below,
      answers: {
        202: z.object({
          links: z.object({ self: z.string() }),
          pingAfter: z.number(),
          status: z.object({ done: z.boolean(), contentType: z.string() }),
        }),
      },
      handler: async (context, { raw }) => {
        const type = raw.message.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
        if (type !== INSTALL_TYPE) throw httpErrors('request.unsupported_media_type', { params: { expected: INSTALL_TYPE } });
        const { pluginUri } = readInstallRequest(await readBytes(raw.message, BODY_LIMIT));
        const { app } = await registerApp(parts, context, { url: pluginUri });
        await installApp(parts, context, { appKey: app.appKey, scopes: app.descriptor.scopes });
        const pending = `/t/${context.applicationId}/rest/plugins/1.0/pending/${app.appKey}`;
        return { status: 202, body: { links: { self: pending }, pingAfter: 100, status: { done: false, contentType: INSTALL_TYPE } } };
      },
    }),
    route({
      ...meta,
      id: 'upm.pending',
      method: 'GET',
      path: `${base}/pending/{app_key}`,
      summary: 'Whether an install is done (UPM): it is, once it was answered',
      scope: 'applications:read',
      audit: null,
      params: below.extend({ app_key: z.string().max(80) }),
      answers: { 303: null },
      handler: async ({ applicationId }, { params: { app_key: appKey } }) => {
        if ((await db.withTenant(applicationId, (tx) => findInstall(tx, applicationId, appKey))) === null) throw httpErrors('not_found');
        return { status: 303, headers: { location: self(applicationId, appKey) } };
      },
    }),
    route({
      ...meta,
      id: 'upm.get',
      method: 'GET',
      path: `${base}/{plugin}`,
      summary: 'An App that is installed (UPM); its name here is its key and "-key"',
      scope: 'applications:read',
      audit: null,
      params: onePlugin,
      answers: { 200: plugin },
      handler: async ({ applicationId }, { params }) => {
        const install = await db.withTenant(applicationId, (tx) => findInstall(tx, applicationId, keyOf(params.plugin)));
        if (install === null) throw httpErrors('not_found');
        const { appKey, status } = install;
        return { status: 200, body: { key: appKey, enabled: status === 'enabled', links: { self: self(applicationId, appKey) } } };
      },
    }),
    route({
      ...meta,
      id: 'upm.uninstall',
      method: 'DELETE',
      path: `${base}/{plugin}`,
      summary: 'Uninstall an App (UPM)',
      scope: 'applications:write',
      audit: 'install.deleted',
      params: onePlugin,
      answers: { 204: null },
      handler: async (context, { params }) => {
        await changeInstall(parts, context, { appKey: keyOf(params.plugin), to: 'uninstalled' });
        return { status: 204 };
      },
    }),
  ];
}

function keyOf(name: string): string {
  if (!name.endsWith(SUFFIX)) throw httpErrors('not_found');
  return name.slice(0, -SUFFIX.length);
}

function readInstallRequest(body: Buffer): z.output<typeof installRequest> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    value = undefined;
  }
  const read = installRequest.safeParse(value);
  if (!read.success)
    throw httpErrors('request.invalid', { params: { problem: 'Send {"pluginUri": "address of the descriptor"}.' }, field: 'pluginUri' });
  return read.data;
}
