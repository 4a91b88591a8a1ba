import { z } from 'zod';
import { functionKey } from './function-key.ts';

/** How a caller of a web trigger signs, by whose rules: Standard Webhooks, or those of a service. */
export const WEBTRIGGER_SCHEMES = ['standard-webhooks', 'atlassian', 'box', 'github', 'hubspot', 'shopify', 'slack', 'stripe'] as const;
export type WebtriggerScheme = (typeof WEBTRIGGER_SCHEMES)[number];

/** Key of a web trigger: the last part of its address. */
export const webtriggerKey = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected a letter in lower case, then letters in lower case, digits or -, 63 at most');

const authentication = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('hmac'), scheme: z.enum(WEBTRIGGER_SCHEMES) }),
    z.strictObject({ type: z.literal('bearer') }),
    z.strictObject({ type: z.literal('none') }),
  ],
  { error: 'expected type: hmac (with a scheme), bearer or none; who may call is said, not assumed' },
);

/** How callers prove that they may call. There is no default: what anybody may call says `none`. */
export type WebtriggerAuthentication = z.output<typeof authentication>;

/** `webtriggers` of a manifest: addresses by which a function is called over HTTP. */
export const declaredWebtriggers = z
  .array(z.strictObject({ key: webtriggerKey, function: functionKey, authentication }))
  .max(50)
  .refine((triggers) => new Set(triggers.map(({ key }) => key)).size === triggers.length, 'two web triggers have the same key');

export type DeclaredWebtrigger = z.output<typeof declaredWebtriggers>[number];
