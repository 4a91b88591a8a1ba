import { type AppDescriptor, appDescriptor } from '@bulkhead/protocol';
import { z } from 'zod';
import type { AppInstall, DynamicModules, DynamicWebhook } from './app.ts';
import { installErrors } from './install-errors.ts';
import { isHostEvent, refusedWebhooks } from './webhook-modules.ts';

const MODULES_MAX = 100;

const added = z.strictObject({
  webhooks: z
    .array(
      z.strictObject({
        key: z.string().min(1).max(100),
        event: z.string().min(1).max(100).refine(isHostEvent, 'not an event of this host'),
        url: z.string().min(1).max(200),
        excludeBody: z.boolean().optional(),
        // Refused in words of their own.
        filter: z.unknown().optional(),
        propertyKeys: z.unknown().optional(),
      }),
    )
    .max(MODULES_MAX),
});

/** Keys of the modules of a descriptor, of whatever type. */
function staticKeys(descriptor: AppDescriptor): ReadonlySet<string> {
  const modules = Object.values(descriptor.modules ?? {}).flatMap((listed): unknown[] => (Array.isArray(listed) ? listed : [listed]));
  return new Set(
    modules.flatMap((module) => (typeof module === 'object' && module !== null && 'key' in module ? [String(module.key)] : [])),
  );
}

/** What an App has added, without what its descriptor has under the same key now: that takes its place. */
export function withoutStatic({ webhooks = [] }: DynamicModules, descriptor: AppDescriptor): DynamicModules {
  const taken = staticKeys(descriptor);
  const left = webhooks.filter(({ key }) => !taken.has(key));
  return left.length === 0 ? {} : { webhooks: left };
}

/** What is there and what is to be added, checked as if all of it stood in the descriptor. Throws `dynamic_module.*`. */
export function withAdded({ descriptor, dynamicModules }: AppInstall, body: unknown): DynamicModules {
  const read = added.safeParse(body);
  if (!read.success) throw invalid(read.error.issues[0]!);
  for (const { path, problem } of refusedWebhooks(read.data.webhooks)) throw invalid({ path: ['webhooks', ...path], message: problem });
  const more = read.data.webhooks.map(({ key, event, url, excludeBody = false }) => ({
    key,
    event,
    url,
    ...(excludeBody ? { excludeBody } : {}),
  }));
  const webhooks: DynamicWebhook[] = [...(dynamicModules.webhooks ?? []), ...more];
  if (webhooks.length > MODULES_MAX) throw installErrors('dynamic_module.limit', { params: { limit: MODULES_MAX } });
  const modules = descriptor?.modules ?? {};
  const own = modules.webhooks ?? [];
  // In a list of its own, so that a finding is told by its place among what is added; keys are one name space for all.
  const whole = appDescriptor.safeParse({ ...descriptor, modules: { ...modules, webhooks: own, added: webhooks } });
  const asWebhooks = appDescriptor.safeParse({ ...descriptor, modules: { webhooks } });
  for (const checked of [whole, asWebhooks]) if (!checked.success) throw invalid(checked.error.issues[0]!);
  return { webhooks };
}

function invalid({ path, message }: { readonly path: readonly PropertyKey[]; readonly message: string }): Error {
  const name = path
    .map(String)
    .filter((part) => part !== 'modules' && part !== 'added')
    .join('.');
  return installErrors('dynamic_module.invalid', {
    params: { name: name === '' ? 'the body' : `"${name}"`, problem: message },
    field: name,
  });
}
