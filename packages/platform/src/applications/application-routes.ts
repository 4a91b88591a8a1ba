import { type AnyRoute, httpErrors, listAnswer, pageQuery, queryBoolean } from '@bulkhead/http';
import type { Clock } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { appendUpdated } from './record-update.ts';
import {
  applicationAnswer,
  applicationFields,
  applicationList,
  applicationParams,
  brandingAnswer,
  brandingBody,
  eventSettingsAnswer,
  eventSettingsBody,
} from './application-messages.ts';
import {
  applicationChanges,
  applicationShape,
  brandingChanges,
  brandingShape,
  eventSettingsChanges,
  eventSettingsShape,
} from './application-shape.ts';
import {
  getApplicationSettings,
  getEventSettings,
  listApplications,
  updateApplication,
  updateBranding,
  updateEventSettings,
} from './application-store.ts';

const READ = { credentials: ['meta_token'], scope: 'applications:read', rateClass: 'meta', audit: null } as const;
const WRITE = { credentials: ['meta_token'], scope: 'applications:write', rateClass: 'meta' } as const;

/** The Application itself, its branding and event settings. Birth and end are `provisioning`'s. */
export function applicationRoutes({ db, publicUrl }: { db: Database; clock: Clock; publicUrl: () => string }): AnyRoute[] {
  return [
    route({
      ...READ,
      id: 'application.list',
      method: 'GET',
      path: '/v1/meta/applications',
      summary: "List the organization's Applications, newest first",
      query: z.object({
        ...pageQuery,
        active: queryBoolean.optional(),
        environment: z.enum(['development', 'staging', 'production']).optional(),
        source: z.string().max(100).optional(),
        search: z.string().max(200).optional(),
      }),
      answers: { 200: applicationList },
      handler: async (context, { query }) => {
        const page = await db.withOrganization(context.principal.organizationId, (tx) => listApplications(tx, query));
        if (query.page > 1 && page.rows.length === 0) throw httpErrors('not_found');
        return { status: 200, body: listAnswer(page, query, 'meta', (application) => applicationShape(application, null, publicUrl())) };
      },
    }),
    route({
      ...READ,
      id: 'application.get',
      method: 'GET',
      path: '/v1/meta/applications/{application_id}',
      summary: 'Retrieve an Application',
      params: applicationParams,
      answers: { 200: applicationAnswer },
      handler: async (context) => {
        const found = await db.withTenant(context.applicationId, (tx) => getApplicationSettings(tx, context.applicationId));
        if (found === null) throw httpErrors('not_found');
        return { status: 200, body: applicationShape(found, found.branding, publicUrl()) };
      },
    }),
    route({
      ...WRITE,
      id: 'application.update',
      method: 'PATCH',
      path: '/v1/meta/applications/{application_id}',
      summary: 'Change fields of an Application',
      audit: 'application.updated',
      params: applicationParams,
      body: z.strictObject(applicationFields),
      answers: { 200: applicationAnswer },
      handler: async (context, { body }) => {
        const changed = await db.withTenant(context.applicationId, async (tx) => {
          await updateApplication(tx, context.applicationId, applicationChanges(body), context.now);
          if (body.branding) await updateBranding(tx, context.applicationId, brandingChanges(body.branding));
          if (body.event_settings)
            await updateEventSettings(tx, context.applicationId, eventSettingsChanges(body.event_settings), context.now);
          await audit(tx, context, { target: context.applicationId, detail: { fields: Object.keys(body) } });
          await appendUpdated(tx, context, Object.keys(body));
          return getApplicationSettings(tx, context.applicationId);
        });
        if (changed === null) throw httpErrors('not_found');
        return { status: 200, body: applicationShape(changed, changed.branding, publicUrl()) };
      },
    }),
    route({
      ...READ,
      id: 'branding.get',
      method: 'GET',
      path: '/v1/meta/applications/{application_id}/branding',
      summary: 'Retrieve how the connect page looks',
      params: applicationParams,
      answers: { 200: brandingAnswer },
      handler: async (context) => {
        const found = await db.withTenant(context.applicationId, (tx) => getApplicationSettings(tx, context.applicationId));
        if (found === null) throw httpErrors('not_found');
        return { status: 200, body: brandingShape(found.branding) };
      },
    }),
    route({
      ...WRITE,
      id: 'branding.update',
      method: 'PATCH',
      path: '/v1/meta/applications/{application_id}/branding',
      summary: 'Change how the connect page looks',
      audit: 'branding.updated',
      params: applicationParams,
      body: brandingBody,
      answers: { 200: brandingAnswer },
      handler: async (context, { body }) => {
        const found = await db.withTenant(context.applicationId, async (tx) => {
          await updateBranding(tx, context.applicationId, brandingChanges(body));
          await audit(tx, context, { target: context.applicationId, detail: { fields: Object.keys(body) } });
          await appendUpdated(tx, context, ['branding']);
          return getApplicationSettings(tx, context.applicationId);
        });
        if (found === null) throw httpErrors('not_found');
        return { status: 200, body: brandingShape(found.branding) };
      },
    }),
    route({
      ...READ,
      id: 'event_settings.get',
      method: 'GET',
      path: '/v1/meta/applications/{application_id}/event_settings',
      summary: 'Retrieve which events are kept, and how long',
      params: applicationParams,
      answers: { 200: eventSettingsAnswer },
      handler: async (context) => {
        const settings = await db.withTenant(context.applicationId, (tx) => getEventSettings(tx, context.applicationId));
        return { status: 200, body: eventSettingsShape(settings) };
      },
    }),
    route({
      ...WRITE,
      id: 'event_settings.update',
      method: 'PATCH',
      path: '/v1/meta/applications/{application_id}/event_settings',
      summary: 'Change which events are kept, and how long',
      audit: 'event_settings.updated',
      params: applicationParams,
      body: eventSettingsBody,
      answers: { 200: eventSettingsAnswer },
      handler: async (context, { body }) => {
        const settings = await db.withTenant(context.applicationId, async (tx) => {
          await updateEventSettings(tx, context.applicationId, eventSettingsChanges(body), context.now);
          await audit(tx, context, { target: context.applicationId, detail: { fields: Object.keys(body) } });
          await appendUpdated(tx, context, ['event_settings']);
          return getEventSettings(tx, context.applicationId);
        });
        return { status: 200, body: eventSettingsShape(settings) };
      },
    }),
  ];
}
