import { z } from 'zod';
import { appKey } from '../installs/descriptor.ts';
import { functionKey } from './function-key.ts';
import { jobSources } from './job-manifest.ts';
import { refuseUnknownFunctions } from './known-functions.ts';
import { declaredWebtriggers } from './webtrigger-manifest.ts';
import { functionIsolation, functionLimits } from './limits.ts';
import { functionPermissions } from './permissions.ts';
import { functionVariables } from './variables.ts';
import { storageDeclaration } from './storage-entities.ts';

export { functionKey } from './function-key.ts';

export const environmentName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected a letter, then letters in lower case, digits or -, 32 at most')
  .meta({ examples: ['development', 'staging', 'production'] });

const declared = z.strictObject({
  key: functionKey,
  handler: z
    .string()
    .max(300)
    .regex(/^[\w@/-][\w@./-]*\.[A-Za-z_$][\w$]*$/, 'expected FILE.EXPORT, such as src/index.run')
    .refine((handler) => !handler.split('/').includes('..'), 'expected a file below the folder of the manifest'),
  limits: functionLimits.optional(),
});

/** `bulkhead.yml`: what the functions of an App are, and what they may reach. */
export const functionManifest = z
  .strictObject({
    app: appKey,
    isolation: functionIsolation.optional(),
    functions: z
      .array(declared)
      .min(1)
      .max(100)
      .refine((functions) => new Set(functions.map(({ key }) => key)).size === functions.length, 'two functions have the same key'),
    webtriggers: declaredWebtriggers.optional(),
    ...jobSources,
    variables: functionVariables.optional(),
    permissions: functionPermissions.optional(),
    storage: storageDeclaration.optional(),
  })
  .superRefine(refuseUnknownFunctions);

export type FunctionManifest = z.output<typeof functionManifest>;

export function egressHostsOf({ permissions }: FunctionManifest): readonly string[] {
  return permissions?.external?.fetch.backend ?? [];
}

/** Whether a URL is one of the declared hosts: scheme, name and port, each of them. */
export function isDeclaredHost(url: URL, hosts: readonly string[]): boolean {
  return hosts.some((declaredHost) => {
    const [, scheme, wildcard, name = '', port = ''] = /^(http:\/\/)?(\*\.)?([^:]*)(?::(\d+))?$/.exec(declaredHost) ?? [];
    if (url.protocol !== (scheme === undefined ? 'https:' : 'http:')) return false;
    const standard = scheme === undefined ? '443' : '80';
    if ((url.port === '' ? standard : url.port) !== (port === '' ? standard : port)) return false;
    return wildcard === undefined ? url.hostname === name : url.hostname.endsWith(`.${name}`);
  });
}
