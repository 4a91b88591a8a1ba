import { z } from 'zod';

/** A key of any module. */
const key = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[A-Za-z0-9_-]+$/, 'expected letters, digits, _ and -');

const functionModule = z.looseObject({
  key,
  handler: z.string().regex(/^[\w@/-][\w@./-]*\.[A-Za-z_$][\w$]*$/, 'expected FILE.EXPORT, such as index.run'),
  timeoutSeconds: z.int().min(1).max(900).optional(),
  runtime: z.looseObject({ memoryMB: z.int().min(128).max(4_096).optional() }).optional(),
});

/** What calls one: a function, or an endpoint of a remote. */
const calls = { key, function: z.string().optional(), endpoint: z.string().optional() };

const scheduledTrigger = z.looseObject({ ...calls, interval: z.enum(['fiveMinute', 'hour', 'day', 'week']) });
const trigger = z.looseObject({ ...calls, events: z.array(z.string().min(1).max(200)).min(1).max(200) });
const consumer = z.looseObject({
  ...calls,
  queue: z.string().regex(/^[a-z][A-Za-z0-9_-]{0,62}$/, 'expected a letter in lower case, then letters, digits, - or _, 63 at most'),
  resolver: z.looseObject({ function: z.string(), method: z.string().optional() }).optional(),
});
const staticOutput = z.looseObject({
  key: z.string(),
  statusCode: z.int().min(200).max(599),
  contentType: z.string().optional(),
  body: z.string().optional(),
});
const webtrigger = z.looseObject({
  ...calls,
  request: z.looseObject({ authentication: z.unknown().optional() }).optional(),
  response: z.looseObject({ type: z.enum(['static', 'dynamic']).optional(), outputs: z.array(staticOutput).max(20).optional() }).optional(),
});

/** An entity; what may be in it, the manifest that this comes to says. */
const entity = z.looseObject({ name: z.string(), attributes: z.record(z.string(), z.unknown()), indexes: z.array(z.unknown()).optional() });

/** A module that this host has no counterpart of; what is wrong inside of it is somebody else's business. */
const anyModules = z.union([z.array(z.unknown()).max(1_000), z.looseObject({})]);

const backendHost = z.union([
  z.string().min(1).max(2_000),
  z.looseObject({ address: z.string().min(1).max(2_000) }),
  z.looseObject({ remote: z.string().min(1) }),
]);

/**
 * Forge's `manifest.yml` as far as this host maps it. Forge has 200 types of modules and adds to them: what is not here is kept and reported,
 * never refused.
 */
export const forgeManifest = z.looseObject({
  app: z.looseObject({
    id: z
      .string()
      .regex(/^ari:cloud:ecosystem::app\/\S+$/, 'expected an id such as ari:cloud:ecosystem::app/406d303d-0393-4ec4-ad7c-1435be94583a'),
    runtime: z.looseObject({ name: z.string(), memoryMB: z.int().min(128).max(4_096).optional() }).optional(),
    storage: z.looseObject({ entities: z.array(entity).max(100).optional() }).optional(),
  }),
  modules: z
    .object({
      function: z.array(functionModule).min(1, 'expected a function').max(100),
      scheduledTrigger: z.array(scheduledTrigger).max(100).optional(),
      trigger: z.array(trigger).max(100).optional(),
      consumer: z.array(consumer).max(100).optional(),
      webtrigger: z.array(webtrigger).max(100).optional(),
    })
    .catchall(anyModules)
    .optional(),
  permissions: z
    .looseObject({
      scopes: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).optional(),
      external: z.looseObject({ fetch: z.looseObject({ backend: z.array(backendHost).max(1_000).optional() }).optional() }).optional(),
    })
    .optional(),
  remotes: z
    .array(z.looseObject({ key, baseUrl: z.union([z.string(), z.record(z.string(), z.string())]) }))
    .max(100)
    .optional(),
  providers: z.looseObject({ auth: z.array(z.looseObject({ key })).max(100).optional() }).optional(),
  environment: z
    .looseObject({
      variables: z
        .array(z.union([z.string(), z.looseObject({ key: z.string(), default: z.string().optional() })]))
        .max(100)
        .optional(),
    })
    .optional(),
});

export type ForgeManifest = z.output<typeof forgeManifest>;
