import type { Scheme } from './scheme.ts';
import { atlassian } from './schemes/atlassian.ts';
import { box } from './schemes/box.ts';
import { dropbox } from './schemes/dropbox.ts';
import { github } from './schemes/github.ts';
import { gitlab } from './schemes/gitlab.ts';
import { google } from './schemes/google.ts';
import { hubspot } from './schemes/hubspot.ts';
import { shopify } from './schemes/shopify.ts';
import { slack } from './schemes/slack.ts';
import { stripe } from './schemes/stripe.ts';

/** How each service proves that a message is its own, and what the message says. Checked against examples of the services themselves. */
export const schemes = {
  atlassian,
  box,
  dropbox,
  github,
  gitlab,
  google,
  hubspot,
  shopify,
  slack,
  stripe,
} as const satisfies Readonly<Record<string, Scheme>>;

export type SchemeId = keyof typeof schemes;
export const schemeIds = Object.keys(schemes) as [SchemeId, ...SchemeId[]];

/** Services of the catalogue whose scheme has another name. */
const SCHEME_OF_SERVICE: Readonly<Record<string, string>> = { gdrive: 'google' };

/** The scheme that a service's messages follow unless its owner says otherwise; null where none is known. */
export function schemeOfService(service: string): SchemeId | null {
  const id = SCHEME_OF_SERVICE[service] ?? service;
  return schemeIds.find((each) => each === id) ?? null;
}
