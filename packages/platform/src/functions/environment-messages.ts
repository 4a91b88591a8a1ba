import { environmentName, PERMISSIONS_MAX, requestedPermission } from '@bulkhead/protocol';
import { z } from 'zod';
import type { EnvironmentInstall } from './environment-install-store.ts';
import type { SeenEnvironment } from './environment-store.ts';
import type { InstallEnvironment } from './install-environments.ts';
import { unapproved } from './running-version.ts';

export const ofInstallEnvironment = z.object({
  application_id: z.string(),
  app_key: z.string().max(80),
  environment: environmentName,
});

export const approvalBody = z.strictObject({
  permissions: z
    .array(requestedPermission)
    .max(PERMISSIONS_MAX)
    .meta({ description: 'Exactly what the newest version requests, as it was shown: `requested`. Empty where it requests nothing.' }),
});

export const installEnvironmentAnswer = z.object({
  environment: z.string(),
  joined: z.boolean().meta({ description: 'Whether the install is in it.' }),
  running: z.int().nullable().meta({ description: 'The version that runs for this install; null: none does.' }),
  newest: z.int().nullable().meta({ description: 'The newest that is not withdrawn; null: nothing is deployed.' }),
  requested: z.array(z.string()).meta({ description: 'All that the newest version requests, sorted.' }),
  approved: z.array(z.string()).meta({ description: 'What was approved for this install here, sorted.' }),
  waiting: z.array(z.string()).meta({ description: 'What the newest version requests and was not approved, sorted.' }),
  type: z.literal('function_environment'),
  api: z.literal('meta'),
});

export function installEnvironmentShape({
  membership,
  joined,
  running,
  newest,
}: InstallEnvironment): z.input<typeof installEnvironmentAnswer> {
  const requested = newest?.permissions ?? [];
  return {
    environment: membership.environment,
    joined,
    running: running?.version ?? null,
    newest: newest?.version ?? null,
    requested: [...requested],
    approved: [...membership.approved],
    waiting: [...unapproved(requested, membership.approved)],
    type: 'function_environment',
    api: 'meta',
  };
}

export const waitingInstallAnswer = z.object({
  application_id: z.string(),
  client_key: z.string(),
  approved: z.array(z.string()),
  waiting: z.array(z.string()),
});

export function waitingInstallShape(install: EnvironmentInstall, requested: readonly string[]): z.input<typeof waitingInstallAnswer> {
  return {
    application_id: install.applicationId,
    client_key: install.clientKey,
    approved: [...install.approved],
    waiting: [...unapproved(requested, install.approved)],
  };
}

export const appEnvironmentAnswer = z.object({
  environment: z.string(),
  newest: z.int().nullable().meta({ description: 'The newest version that is not withdrawn; null: nothing is deployed.' }),
  versions: z.int(),
  variables: z.int(),
  installs: z.int().meta({ description: 'Enabled installs in it.' }),
  installs_waiting: z.int().meta({ description: 'Those for which not all is approved that the newest version requests.' }),
  created: z.iso.datetime(),
  type: z.literal('app_environment'),
  api: z.literal('meta'),
});

export function appEnvironmentShape(
  { environment, newest, versions, variables, createdAt }: SeenEnvironment,
  { installs, waiting }: { installs: number; waiting: number },
): z.input<typeof appEnvironmentAnswer> {
  return {
    environment,
    newest,
    versions,
    variables,
    installs,
    installs_waiting: waiting,
    created: createdAt.toISOString(),
    type: 'app_environment',
    api: 'meta',
  };
}
