import type { Secret } from '@bulkhead/base';
import { environmentName, type FunctionManifest, variableName, variableValue } from '@bulkhead/protocol';
import { z } from 'zod';
import type { StoredVariable } from './variable-store.ts';

export const ofAppEnvironment = z.object({ app_key: z.string().max(80), environment: environmentName });
export const ofAppVariable = ofAppEnvironment.extend({ name: variableName });
export const ofInstallVariable = z.object({
  application_id: z.string(),
  app_key: z.string().max(80),
  environment: environmentName,
  name: variableName,
});

export const variableBody = z.strictObject({
  value: variableValue,
  secret: z.boolean().default(true).meta({ description: 'False: the value may be listed.' }),
});

export const variableAnswer = z.object({
  name: z.string(),
  secret: z.boolean(),
  value: z.string().nullable().meta({ description: 'Null of a secret: nobody is shown it again.' }),
  modified: z.iso.datetime(),
  type: z.literal('function_variable'),
  api: z.literal('meta'),
});

/** Names that a manifest declares to be secrets: whatever they were set as, they are not shown. */
export function declaredSecrets(manifest: FunctionManifest | undefined): ReadonlySet<string> {
  return new Set((manifest?.variables ?? []).filter(({ secret }) => secret === true).map(({ name }) => name));
}

/** Opens the value only where it may be shown. */
export async function variableShape(
  { name, secret, modifiedAt }: Pick<StoredVariable, 'name' | 'secret' | 'modifiedAt'>,
  secrets: ReadonlySet<string>,
  open: () => Promise<Secret>,
): Promise<z.input<typeof variableAnswer>> {
  const isSecret = secret || secrets.has(name);
  return {
    name,
    secret: isSecret,
    value: isSecret ? null : (await open()).reveal(),
    modified: modifiedAt.toISOString(),
    type: 'function_variable',
    api: 'meta',
  };
}
