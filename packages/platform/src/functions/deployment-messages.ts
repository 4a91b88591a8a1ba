import { environmentName, functionManifest } from '@bulkhead/protocol';
import { z } from 'zod';
import type { Deployment } from './deployment-store.ts';
import type { Switched } from './deploy-functions.ts';

const CODE_MAX = 900_000;

export const deploymentBody = z.strictObject({
  environment: environmentName,
  manifest: functionManifest.meta({ description: 'What bulkhead.yml says.' }),
  code: z.string().min(1).max(CODE_MAX).meta({ description: 'One ECMAScript module that exports each function under its key.' }),
});

export const rollbackBody = z.strictObject({
  environment: environmentName,
  version: z.int().min(1).max(1_000_000_000).optional().meta({ description: 'The version before, where absent.' }),
});

export const deploymentAnswer = z.object({
  app_key: z.string(),
  environment: z.string(),
  version: z.int(),
  functions: z.array(z.string()),
  permissions: z.array(z.string()).meta({
    description: 'All that the manifest requests, sorted: `fetch:HOST`, `scope:SCOPE`, `webtrigger:KEY` of one that anybody may call.',
  }),
  egress_hosts: z.array(z.string()),
  code_sha256: z.string(),
  created: z.iso.datetime(),
  withdrawn: z.iso.datetime().nullable().meta({ description: 'Since when it runs for nobody, because of a rollback.' }),
  type: z.literal('function_deployment'),
  api: z.literal('meta'),
});

export const switchedAnswer = deploymentAnswer.extend({
  new_permissions: z.array(z.string()).meta({ description: 'Those that the version before did not request.' }),
  installs: z.int().meta({ description: 'Enabled installs in the environment.' }),
  installs_waiting: z.int().meta({
    description: 'Those for which not all permissions are approved: an older version goes on running for them, or none.',
  }),
});

export function deploymentShape(deployment: Deployment): z.input<typeof deploymentAnswer> {
  return {
    app_key: deployment.appKey,
    environment: deployment.environment,
    version: deployment.version,
    functions: [...deployment.functions],
    permissions: [...deployment.permissions],
    egress_hosts: [...deployment.egressHosts],
    code_sha256: deployment.codeSha256,
    created: deployment.createdAt.toISOString(),
    withdrawn: deployment.withdrawnAt?.toISOString() ?? null,
    type: 'function_deployment',
    api: 'meta',
  };
}

export function switchedShape({ deployment, newPermissions, installs, waiting }: Switched): z.input<typeof switchedAnswer> {
  return { ...deploymentShape(deployment), new_permissions: [...newPermissions], installs, installs_waiting: waiting };
}
