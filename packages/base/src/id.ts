import { z } from 'zod';
import { randomBase62, systemRandom, type Random } from './random.ts';

declare const brand: unique symbol;

/** An id of one noun; the brand keeps an `AccountId` out of a place that asks for an `ApplicationId`. */
export type Id<Noun extends string> = string & { readonly [brand]: Noun };

export interface IdKind<Noun extends string> {
  readonly prefix: string;
  /** A fresh id: prefix + 22 letters and digits (131 bits). */
  generate(random?: Random): Id<Noun>;
  /** Whether `text` has the form of such an id; says nothing about its existence. */
  is(text: string): text is Id<Noun>;
  readonly schema: z.ZodType<Id<Noun>, string>;
}

/**
 * Defines the ids of a noun. No underscore, and ≥20 leading letters or digits, because Kloudless's JavaScript client
 * recognises an id in a URL by `/^[a-zA-Z0-9=]{20,}/`.
 */
export function defineId<const Noun extends string>(prefix: Noun): IdKind<Noun> {
  const form = new RegExp(`^${prefix}[0-9A-Za-z]{22,64}$`);
  const is = (text: string): text is Id<Noun> => form.test(text);
  return {
    prefix,
    generate: (random = systemRandom) => (prefix + randomBase62(22, random)) as Id<Noun>,
    is,
    schema: z
      .string()
      .refine(is, `expected an id that starts with "${prefix}"`)
      .meta({ examples: [`${prefix}0123456789ABCDEFGHIJKL`] }) as unknown as z.ZodType<Id<Noun>, string>,
  };
}

/** The tenant. It stands first in every key of every tenant table. */
export type ApplicationId = Id<'app'>;
export const applicationId = defineId('app');
