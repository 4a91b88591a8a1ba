import { z } from 'zod';
import { appTarget, isPlain } from './app-target.ts';
import { pageModuleComplaints } from './page-module.ts';

/** Scopes of Atlassian Connect: each of the ladder holds those before it; the last two stand beside it. */
export const APP_SCOPES = [
  'NONE',
  'READ',
  'WRITE',
  'DELETE',
  'PROJECT_ADMIN',
  'SPACE_ADMIN',
  'ADMIN',
  'ACT_AS_USER',
  'ACCESS_EMAIL_ADDRESSES',
] as const;
export type AppScope = (typeof APP_SCOPES)[number];

/** Written all in lower or all in upper case; kept in upper case. */
export const appScope = z
  .string()
  .transform((text) => (/^[a-z_]+$/.test(text) ? text.toUpperCase() : text))
  .pipe(z.enum(APP_SCOPES, { error: `not a scope; give one of ${APP_SCOPES.join(', ')}` }));

const IMPLIED: Readonly<Record<AppScope, readonly AppScope[]>> = {
  NONE: [],
  READ: [],
  WRITE: ['READ'],
  DELETE: ['READ', 'WRITE'],
  PROJECT_ADMIN: ['READ', 'WRITE', 'DELETE'],
  SPACE_ADMIN: ['READ', 'WRITE', 'DELETE'],
  ADMIN: ['READ', 'WRITE', 'DELETE', 'PROJECT_ADMIN', 'SPACE_ADMIN'],
  ACT_AS_USER: [],
  ACCESS_EMAIL_ADDRESSES: [],
};

/** The scopes granted and all that they hold. `NONE` is in every grant. */
export function effectiveScopes(granted: readonly AppScope[]): ReadonlySet<AppScope> {
  return new Set<AppScope>(['NONE', ...granted, ...granted.flatMap((scope) => IMPLIED[scope])]);
}

/** Any of them lets an App read what is its Application's. */
export const READING_SCOPES: readonly AppScope[] = APP_SCOPES.filter((scope) => effectiveScopes([scope]).has('READ'));

export const LIFECYCLE_EVENTS = ['installed', 'enabled', 'disabled', 'uninstalled'] as const;
export type LifecycleEventType = (typeof LIFECYCLE_EVENTS)[number];

/** A path or address of an App: from a slash on below its `baseUrl`, or absolute. */
const appUrl = z.string().min(1).max(200);

export const appKey = z
  .string()
  .min(1, 'empty; give the App a key of letters, digits, ".", "-" and "_"')
  .max(80, 'longer than 80 characters')
  .regex(/^[a-zA-Z0-9._-]+$/, 'not a key; use letters, digits, ".", "-" and "_" only')
  // The host makes paths of it: `/plugins/1.0/{key}-key`.
  .refine((key) => !/^\.+$/.test(key), 'not a key; it must not be dots only');

const moduleKey = z
  .string()
  .max(100)
  .regex(/^[a-zA-Z0-9-]+$/, 'not a module key; use letters, digits and "-" only');

const webhookModule = z.looseObject({ event: z.string().min(1).max(100), url: appUrl, excludeBody: z.boolean().optional() });

/** One module of any type, or the single object that `configurePage` and `postInstallPage` are. */
const anyModule = z.looseObject({ key: moduleKey.optional() });

/**
 * An App's descriptor (`atlassian-connect.json`), as far as a host needs it. What it holds beside that is somebody else's business and is
 * kept as it came: a descriptor is written for several hosts.
 */
export const appDescriptor = z
  .looseObject({
    key: appKey,
    name: z.string().max(80).optional(),
    description: z.string().max(1400).optional(),
    vendor: z.looseObject({ name: z.string().max(100).optional(), url: z.string().max(200).optional() }).optional(),
    version: z.string().max(100).optional(),
    apiVersion: z.int().min(0).max(1_000_000).optional(),
    baseUrl: z.string().min(1).max(200),
    authentication: z.looseObject({
      type: z
        .string()
        .transform((type) => type.toLowerCase())
        .pipe(
          z.enum(['jwt', 'none'], {
            error: 'not a kind of authentication; give "jwt", or "none" for an App that is called without tokens',
          }),
        ),
    }),
    lifecycle: z
      .looseObject({
        installed: appUrl.optional(),
        enabled: appUrl.optional(),
        disabled: appUrl.optional(),
        uninstalled: appUrl.optional(),
      })
      .optional(),
    scopes: z.array(appScope).max(50).default([]),
    enableLicensing: z.boolean().optional(),
    apiMigrations: z.looseObject({}).optional(),
    modules: z.looseObject({ webhooks: z.array(webhookModule).max(100).optional() }).optional(),
  })
  .check(({ value, issues }) => {
    for (const { path, problem } of complaints(value)) issues.push({ code: 'custom', message: problem, path: [...path], input: value });
  });

export type AppDescriptor = z.output<typeof appDescriptor>;

/** Root fields of a descriptor that hosts of this protocol know. */
const KNOWN = new Set([
  'key',
  'name',
  'description',
  'vendor',
  'links',
  'translations',
  'version',
  'apiVersion',
  'baseUrl',
  'authentication',
  'lifecycle',
  'scopes',
  'enableLicensing',
  'apiMigrations',
  'regionBaseUrls',
  'cloudAppMigration',
  'modules',
  '$schema',
]);

/** Root fields that nobody knows: a slip of the pen perhaps, and so worth saying, but no reason to refuse. At most 20 are named. */
export function unknownFields(descriptor: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(descriptor)
    .filter((name) => !KNOWN.has(name))
    .slice(0, 20);
}

/** What is wrong with a descriptor, and where. */
export interface Complaint {
  readonly path: readonly (string | number)[];
  readonly problem: string;
}

function* complaints(descriptor: z.output<z.ZodObject> & { readonly baseUrl: string }): Generator<Complaint> {
  const { baseUrl } = descriptor;
  const lifecycle = (descriptor['lifecycle'] ?? {}) as Readonly<Record<string, string | undefined>>;
  const modules = (descriptor['modules'] ?? {}) as Readonly<Record<string, unknown>>;
  const badBase = baseProblem(baseUrl);
  if (badBase !== null) {
    yield { path: ['baseUrl'], problem: badBase };
    return;
  }
  if ((descriptor['authentication'] as { type: string }).type === 'jwt' && lifecycle['installed'] === undefined)
    yield {
      path: ['lifecycle', 'installed'],
      problem:
        'missing; an App with authentication "jwt" needs it to be told its shared secret. Add it, or set authentication.type to "none"',
    };
  for (const event of LIFECYCLE_EVENTS) {
    const url = lifecycle[event];
    if (url !== undefined && appTarget(baseUrl, url) === null)
      yield {
        path: ['lifecycle', event],
        problem: `not below baseUrl; give a path that begins with "/" or an address that begins with ${baseUrl}`,
      };
  }
  const webhooks = (modules['webhooks'] ?? []) as readonly { url: string }[];
  for (const [index, { url }] of webhooks.entries())
    if (appTarget(baseUrl, url.replaceAll(/[{}]/g, '')) === null)
      yield { path: ['modules', 'webhooks', index, 'url'], problem: 'not below baseUrl; give a path that begins with "/"' };
  const scopes = descriptor['scopes'] as readonly AppScope[];
  if (webhooks.length > 0 && !effectiveScopes(scopes).has('READ'))
    yield { path: ['scopes'], problem: 'without READ, which an App with webhooks needs; add it to scopes, or take modules.webhooks away' };
  yield* moduleComplaints(modules);
  yield* pageModuleComplaints(modules, baseUrl);
}

function* moduleComplaints(modules: Readonly<Record<string, unknown>>): Generator<Complaint> {
  const seen = new Set<string>();
  for (const [type, listed] of Object.entries(modules)) {
    const own = Array.isArray(listed) ? listed : [listed];
    if (own.length > 500) yield { path: ['modules', type], problem: 'a list of more than 500 modules' };
    for (const [index, each] of own.slice(0, 500).entries()) {
      const path = Array.isArray(listed) ? ['modules', type, index] : ['modules', type];
      const read = anyModule.safeParse(each);
      if (!read.success) {
        const issue = read.error.issues[0]!;
        yield {
          path: [...path, ...(issue.path as (string | number)[])],
          problem: issue.path.length === 0 ? 'not an object' : issue.message,
        };
        continue;
      }
      const { key } = read.data;
      if (key === undefined) continue;
      if (seen.has(key)) yield { path: [...path, 'key'], problem: `"${key}", as another module has; give each a key of its own` };
      seen.add(key);
    }
  }
}

function baseProblem(baseUrl: string): string | null {
  const url = URL.parse(baseUrl);
  if (url === null || !/^https?:\/\/[^/]/i.test(baseUrl)) return 'not an address; it begins with https:// and names a host';
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(baseUrl)) return 'with a query or a fragment; leave them away';
  if (url.username !== '' || url.password !== '') return 'with a user name or password; leave them away';
  if (!isPlain(baseUrl.replace(/^https?:\/\//i, ''))) return 'with dot segments, spaces or backslashes; write it plainly';
  return null;
}
