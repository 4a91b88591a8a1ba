import { type AppDescriptor, appDescriptor } from '@bulkhead/protocol';
import { z } from 'zod';
import type { AppInstall, DynamicModules, DynamicModuleType } from './app.ts';
import { installErrors } from './install-errors.ts';
import { isHostEvent, refusedBeside } from './webhook-modules.ts';

const MODULES_MAX = 100;
/** What one install may have added, in characters of JSON: the row of the install is read with each call of its App. */
const TEXT_MAX = 64 * 1024;

export const DYNAMIC_TYPES = [
  'webhooks',
  'generalPages',
  'adminPages',
  'webPanels',
  'webItems',
  'dialogs',
] as const satisfies DynamicModuleType[];

const webhook = z.strictObject({
  key: z.string().min(1).max(100),
  event: z.string().min(1).max(100).refine(isHostEvent, 'not an event of this host'),
  url: z.string().min(1).max(200),
  excludeBody: z.boolean().optional(),
  // Refused in words of their own.
  filter: z.unknown().optional(),
  propertyKeys: z.unknown().optional(),
});
const page = z.array(z.looseObject({ key: z.string().min(1).max(100) })).max(MODULES_MAX);

const added = z
  .strictObject({
    webhooks: z.array(webhook).max(MODULES_MAX),
    generalPages: page,
    adminPages: page,
    webPanels: page,
    webItems: page,
    dialogs: page,
  } satisfies Record<DynamicModuleType, z.ZodType>)
  .partial()
  .refine(
    (modules) => Object.values(modules).some((listed) => listed !== undefined && listed.length > 0),
    `without modules; give them by their type: ${DYNAMIC_TYPES.join(', ')}`,
  );

/** Keys of the modules of a descriptor, of whatever type. */
function staticKeys(descriptor: AppDescriptor): ReadonlySet<string> {
  const modules = Object.values(descriptor.modules ?? {}).flatMap((listed): unknown[] => (Array.isArray(listed) ? listed : [listed]));
  return new Set(
    modules.flatMap((module) => (typeof module === 'object' && module !== null && 'key' in module ? [String(module.key)] : [])),
  );
}

/** Of what an App has added, the modules that `keep` says yes to. */
export function onlyDynamic(modules: DynamicModules, keep: (key: string) => boolean): DynamicModules {
  return Object.fromEntries(
    DYNAMIC_TYPES.flatMap((type) => {
      const left = (modules[type] ?? []).filter(({ key }) => keep(key));
      return left.length === 0 ? [] : [[type, left]];
    }),
  );
}

/** Keys of what an App has added. */
export function dynamicKeys(modules: DynamicModules): string[] {
  return DYNAMIC_TYPES.flatMap((type) => (modules[type] ?? []).map(({ key }) => key));
}

/**
 * What an App has added, without what its descriptor has under the same key now, or has as another webhook of the same event and url: that
 * takes its place.
 */
export function withoutStatic(modules: DynamicModules, descriptor: AppDescriptor): DynamicModules {
  const taken = new Set(staticKeys(descriptor));
  const { webhooks = [] } = modules;
  for (const { index } of refusedBeside(descriptor.modules?.webhooks ?? [], webhooks)) taken.add(webhooks[index]!.key);
  return onlyDynamic(modules, (key) => !taken.has(key));
}

/** What is there and what is to be added, checked as if all of it stood in the descriptor. Throws `dynamic_module.*`. */
export function withAdded({ descriptor, dynamicModules }: AppInstall, body: unknown): DynamicModules {
  const read = added.safeParse(body);
  if (!read.success) throw invalid(read.error.issues[0]!);
  const { webhooks = [], ...pages } = read.data;
  const held = [...(descriptor?.modules?.webhooks ?? []), ...(dynamicModules.webhooks ?? [])];
  for (const { index, field, problem } of refusedBeside(held, webhooks))
    throw invalid({ path: ['webhooks', index, field], message: problem });
  const more: DynamicModules = {
    ...pages,
    webhooks: webhooks.map(({ key, event, url, excludeBody = false }) => ({ key, event, url, ...(excludeBody ? { excludeBody } : {}) })),
  } as DynamicModules;
  const all = Object.fromEntries(
    DYNAMIC_TYPES.flatMap((type) => {
      const both = [...(dynamicModules[type] ?? []), ...(more[type] ?? [])];
      return both.length === 0 ? [] : [[type, both]];
    }),
  ) as DynamicModules;
  if (dynamicKeys(all).length > MODULES_MAX || JSON.stringify(all).length > TEXT_MAX)
    throw installErrors('dynamic_module.limit', { params: { limit: MODULES_MAX } });
  // What they are is judged by themselves, so that a finding is told by its place among what is added; keys are one name space for all.
  const asDescriptor = appDescriptor.safeParse({ ...descriptor, modules: all });
  if (!asDescriptor.success) throw invalid(asDescriptor.error.issues[0]!);
  const taken = descriptor === null ? new Set<string>() : staticKeys(descriptor);
  for (const type of DYNAMIC_TYPES)
    for (const [index, { key }] of (all[type] ?? []).entries())
      if (taken.has(key)) throw invalid({ path: [type, index, 'key'], message: `"${key}", as a module of the descriptor has` });
  return all;
}

function invalid({ path, message }: { readonly path: readonly PropertyKey[]; readonly message: string }): Error {
  const name = path
    .map(String)
    .filter((part) => part !== 'modules')
    .join('.');
  return installErrors('dynamic_module.invalid', {
    params: { name: name === '' ? 'the body' : `"${name}"`, problem: message },
    field: name,
  });
}
