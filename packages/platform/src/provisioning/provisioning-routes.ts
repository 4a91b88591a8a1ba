import type { AnyRoute } from '@bulkhead/http';
import { route } from '../access/index.ts';
import { applicationParams, applicationShape, createdApplicationAnswer } from '../applications/index.ts';
import { createApplication, type ProvisioningParts } from './create-application.ts';
import { deleteApplication } from './delete-application.ts';
import { createApplicationBody } from './provisioning-messages.ts';

/** Birth and end of an Application. */
export function provisioningRoutes(parts: ProvisioningParts & { readonly publicUrl: () => string }): AnyRoute[] {
  return [
    route({
      id: 'application.create',
      method: 'POST',
      path: '/v1/meta/applications',
      summary: 'Create an Application; with source, as a deep copy of another',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'application.created',
      body: createApplicationBody,
      answers: { 201: createdApplicationAnswer },
      handler: async (context, { body }) => {
        const { settings, apiKey } = await createApplication(parts, context, body);
        const shape = applicationShape(settings, settings.branding, parts.publicUrl());
        return { status: 201, body: { ...shape, default_api_key: { id: apiKey.id, key: apiKey.secret.reveal() } } };
      },
    }),
    route({
      id: 'application.delete',
      method: 'DELETE',
      path: '/v1/meta/applications/{application_id}',
      summary: 'Delete an Application and everything in it',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'application.deleted',
      params: applicationParams,
      answers: { 204: null },
      handler: async (context) => {
        await deleteApplication(parts, context);
        return { status: 204 };
      },
    }),
  ];
}
