import { appKey, appScope } from '@bulkhead/protocol';
import { z } from 'zod';
import type { Delivery } from '../deliveries/index.ts';
import type { App, AppInstall } from './app.ts';

export const appBody = z
  .strictObject({
    descriptor_url: z.string().min(1).max(2048).optional().meta({ description: 'Where the App serves its descriptor; fetched once, now.' }),
    descriptor: z.record(z.string(), z.unknown()).optional().meta({ description: 'Or the descriptor itself (Atlassian Connect).' }),
  })
  .refine((body) => (body.descriptor_url === undefined) !== (body.descriptor === undefined), 'give either descriptor_url or descriptor');

export const appAnswer = z.object({
  key: z.string(),
  name: z.string(),
  base_url: z.string(),
  descriptor_url: z.string().nullable(),
  scopes: z.array(z.string()).meta({ description: 'What whoever installs it consents to.' }),
  authentication: z.enum(['jwt', 'none']),
  warnings: z.array(z.string()).optional().meta({
    description:
      'What of the descriptor has no effect here: root fields that no host knows, webhooks of events that there are not. Only in the answer that registers it.',
  }),
  created: z.iso.datetime(),
  modified: z.iso.datetime(),
  type: z.literal('app'),
  api: z.literal('meta'),
  href: z.string(),
});

export function appShape(app: App, base: string, warnings?: readonly string[]): z.input<typeof appAnswer> {
  return {
    key: app.appKey,
    name: app.name,
    base_url: app.baseUrl,
    descriptor_url: app.descriptorUrl,
    scopes: [...app.descriptor.scopes],
    authentication: app.descriptor.authentication.type,
    ...(warnings === undefined ? {} : { warnings: [...warnings] }),
    created: app.createdAt.toISOString(),
    modified: app.modifiedAt.toISOString(),
    type: 'app',
    api: 'meta',
    href: `${base}/v1/meta/apps/${app.appKey}`,
  };
}

export const installBody = z.strictObject({
  app_key: appKey,
  scopes: z.array(appScope).max(50).default([]).meta({ description: 'Consent: exactly the scopes that the App asks for.' }),
});

export const installAnswer = z.object({
  app_key: z.string(),
  client_key: z.string().meta({ description: 'Names this App in this Application, in every call of the one to the other.' }),
  status: z.enum(['enabled', 'disabled', 'uninstalled']),
  scopes: z.array(z.string()),
  base_url: z.string().nullable().meta({ description: "The App's." }),
  host_base_url: z.string().meta({ description: 'Where the App finds this Application.' }),
  created: z.iso.datetime(),
  installed: z.iso.datetime().nullable(),
  modified: z.iso.datetime(),
  type: z.literal('install'),
  api: z.literal('meta'),
  href: z.string(),
});

/** `hostUrl` is the tenant's base URL, `base` the public one. */
export function installShape(
  install: AppInstall,
  { base, applicationId, hostUrl }: { base: string; applicationId: string; hostUrl: string },
): z.input<typeof installAnswer> {
  return {
    app_key: install.appKey,
    client_key: install.clientKey,
    status: install.status,
    scopes: [...install.scopes],
    base_url: install.baseUrl,
    host_base_url: hostUrl,
    created: install.createdAt.toISOString(),
    installed: install.installedAt?.toISOString() ?? null,
    modified: install.modifiedAt.toISOString(),
    type: 'install',
    api: 'meta',
    href: `${base}/v1/meta/applications/${applicationId}/installs/${install.appKey}`,
  };
}

export const lifecycleCallAnswer = z.object({
  id: z.string(),
  event: z.string().meta({ description: '`installed`, `enabled`, `disabled`, `uninstalled`, or the event of a webhook.' }),
  status: z.enum(['pending', 'delivered', 'failed', 'cancelled']),
  attempts: z.number(),
  log: z.array(
    z.object({
      at: z.iso.datetime(),
      elapsed_ms: z.number(),
      status: z.number().nullable(),
      failure: z.string().nullable(),
      excerpt: z.string().nullable().meta({ description: 'The beginning of the answer, without our token or secret.' }),
    }),
  ),
  next_attempt: z.iso.datetime().nullable(),
  created: z.iso.datetime(),
  type: z.literal('lifecycle_call'),
  api: z.literal('meta'),
});

export function lifecycleCallShape(delivery: Delivery): z.input<typeof lifecycleCallAnswer> {
  return {
    id: delivery.deliveryId,
    event: delivery.subject,
    status: delivery.status,
    attempts: delivery.attempts,
    log: [...delivery.log],
    next_attempt: delivery.nextAttemptAt?.toISOString() ?? null,
    created: delivery.createdAt.toISOString(),
    type: 'lifecycle_call',
    api: 'meta',
  };
}
