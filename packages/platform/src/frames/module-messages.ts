import { appKey, PAGE_MODULE_TYPES, isAbsoluteItem, type PageModule } from '@bulkhead/protocol';
import { z } from 'zod';
import { fillVariables } from '../installs/index.ts';
import { variablesOf } from './frame-address.ts';
import type { Viewer } from './page-session.ts';
import type { ShownInstall } from './shown-install.ts';

const CONTEXT_TEXT_MAX = 2_000;
const CONTEXT_DEPTH_MAX = 4;
const LIFETIME_SECONDS = 3_600;
const LIFETIME_SECONDS_MAX = 86_400;

const endUser = z.string().min(1).max(512).nullish().meta({
  description: 'Who it is, in your own words: the `sub` of the tokens that the App gets. Absent: nobody has signed in.',
});

function isContext(value: Readonly<Record<string, unknown>>): boolean {
  const deep = (inner: unknown, depth: number): boolean =>
    typeof inner !== 'object' || inner === null || (depth > 0 && Object.values(inner).every((each) => deep(each, depth - 1)));
  const isPlain = Object.keys(value).every((name) => name !== 'application' && name !== 'user');
  return (
    isPlain && deep(value, CONTEXT_DEPTH_MAX) && JSON.stringify(value).length <= CONTEXT_TEXT_MAX && JSON.stringify(value).isWellFormed()
  );
}

/** What a page is about. */
const context = z
  .record(z.string().max(100), z.unknown())
  .refine(isContext, `an object of at most ${CONTEXT_TEXT_MAX} characters, four deep, without "application" and "user", which are ours`);

const origin = z
  .string()
  .max(255)
  .refine((text) => /^https?:/.test(text) && URL.parse(text)?.origin === text, 'an origin, such as https://app.example.com');

export const linkBody = z.strictObject({
  app_key: appKey,
  module_key: z.string().min(1).max(100),
  end_user: endUser,
  is_admin: z.boolean().default(false).meta({ description: 'Whether you count this person as an admin of the Application.' }),
  context: context.default({}).meta({
    description:
      'What the page is about, such as {"issue": {"key": "A-1"}}: its parts fill variables of addresses, and the App gets it in tokens.',
  }),
  frame_ancestors: z.array(origin).max(10).default([]).meta({
    description: 'Origins of yours whose pages may hold the page in a frame. None: it opens in a tab of its own only.',
  }),
  lifetime_seconds: z.int().min(60).max(LIFETIME_SECONDS_MAX).default(LIFETIME_SECONDS).meta({
    description: 'How long the page may stay open, tokens be had for it. Default an hour, at most a day.',
  }),
});

export const linkAnswer = z.object({
  url: z.string().meta({ description: 'Send the browser there: it opens once, within two minutes.' }),
  expires: z.iso.datetime(),
  type: z.literal('module_link'),
  api: z.literal('core'),
});

export const listQuery = z.strictObject({
  end_user: z.string().min(1).max(512).optional(),
  is_admin: z.enum(['true', 'false']).default('false'),
  context: z
    .string()
    .max(CONTEXT_TEXT_MAX)
    .default('{}')
    .transform((text, issues): Record<string, unknown> => {
      try {
        return JSON.parse(text) as Record<string, unknown>;
      } catch {
        issues.addIssue('JSON text');
        return z.NEVER;
      }
    })
    .pipe(context)
    .meta({ description: 'JSON text, as in a link.' }),
  app_key: appKey.optional(),
  type: z.enum(PAGE_MODULE_TYPES).optional(),
  location: z.string().max(200).optional(),
});

const moduleAnswer = z.object({
  app_key: z.string(),
  app_name: z.string(),
  module_key: z.string(),
  module_type: z.string().meta({ description: `One of ${PAGE_MODULE_TYPES.join(', ')}.` }),
  name: z.string().nullable().meta({ description: 'Text, not HTML: an App wrote it.' }),
  tooltip: z.string().nullable(),
  location: z.string().nullable(),
  weight: z.number().meta({ description: 'Lower comes first.' }),
  target: z.string().nullable().meta({ description: 'Of a webItem: what a click is to open.' }),
  url: z.string().nullable().meta({ description: 'Of a webItem that leads elsewhere: the address. Null: ask for a link to it.' }),
  type: z.literal('module'),
  api: z.literal('core'),
});

export const listAnswer = z.object({ objects: z.array(moduleAnswer), type: z.literal('object_list'), api: z.literal('core') });

export function moduleShape(install: ShownInstall, module: PageModule, viewer: Viewer): z.input<typeof moduleAnswer> {
  return {
    app_key: install.appKey,
    app_name: install.appName,
    module_key: module.key,
    module_type: module.type,
    name: module.name,
    tooltip: module.tooltip,
    location: module.location,
    weight: module.weight,
    target: module.target,
    url: isAbsoluteItem(module) ? fillVariables(module.url, variablesOf(install, viewer)) : null,
    type: 'module',
    api: 'core',
  };
}
