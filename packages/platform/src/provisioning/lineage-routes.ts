import type { AnyRoute } from '@bulkhead/http';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { appendUpdated, applicationParams, flag } from '../applications/index.ts';
import { audit } from '../audit/index.ts';
import { LINEAGE_FIELDS } from './configuration.ts';
import type { ProvisioningParts } from './create-application.ts';
import { diffApplication } from './diff-application.ts';
import { syncApplication } from './sync-application.ts';

const difference = z.object({
  field: z.enum(LINEAGE_FIELDS),
  source: z.unknown(),
  application: z.unknown(),
  secrets_differ: z.array(z.string()).optional(),
});

const diffAnswer = z.object({
  application: z.string(),
  source: z.string(),
  source_revision: z.int().nullable().meta({ description: "The template's revision when this Application was cloned or last synced." }),
  current_source_revision: z.int(),
  differences: z.array(difference),
});

const syncAnswer = z.object({ application: z.string(), dry_run: z.boolean(), changed: z.array(difference) });

/** How a clone differs from its template, and bringing chosen fields in line. */
export function lineageRoutes({ db, vault }: ProvisioningParts): AnyRoute[] {
  return [
    route({
      id: 'application.diff',
      method: 'GET',
      path: '/v1/meta/applications/{application_id}/diff',
      summary: 'Compare an Application with its template',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params: applicationParams,
      query: z.object({ against: z.enum(['source']).default('source') }),
      answers: { 200: diffAnswer },
      handler: async (context) => {
        const { source, application, differences } = await db.withSystem('compare a clone with its template', (tx) =>
          diffApplication(tx, vault, context.applicationId),
        );
        return {
          status: 200,
          body: {
            application: application.settings.applicationId,
            source: source.settings.applicationId,
            source_revision: application.settings.sourceRevision,
            current_source_revision: source.settings.revision,
            differences,
          },
        };
      },
    }),
    route({
      id: 'application.sync',
      method: 'POST',
      path: '/v1/meta/applications/{application_id}/sync',
      summary: 'Bring chosen fields of an Application in line with its template',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'application.synced',
      params: applicationParams,
      body: z.strictObject({ fields: z.array(z.enum(LINEAGE_FIELDS)).min(1).max(LINEAGE_FIELDS.length), dry_run: flag.default(false) }),
      answers: { 200: syncAnswer },
      handler: async (context, { body }) => {
        const changed = await db.withSystem('sync a clone with its template', async (tx) => {
          const done = await syncApplication(tx, vault, {
            applicationId: context.applicationId,
            fields: body.fields,
            dryRun: body.dry_run,
            now: context.now,
          });
          await audit(tx, context, {
            target: context.applicationId,
            detail: { fields: done.map(({ field }) => field), dry_run: body.dry_run },
          });
          if (!body.dry_run && done.length > 0) {
            const fields = done.map(({ field }) => field);
            await appendUpdated(tx, context, fields);
          }
          return done;
        });
        return { status: 200, body: { application: context.applicationId, dry_run: body.dry_run, changed } };
      },
    }),
  ];
}
