import { atlassian, github, gitlab, hubspot, salesforce, slack } from './business.ts';
import type { CatalogueEntry } from './entry.ts';
import { box, dropbox, google, microsoft } from './storage.ts';

export type { CatalogueEntry } from './entry.ts';

/** The services everyone has, in the order the connect page shows them. */
export const catalogue: readonly CatalogueEntry[] = [google, microsoft, dropbox, box, slack, github, gitlab, atlassian, salesforce, hubspot];

const byName = new Map(catalogue.flatMap((entry) => [entry.definition.id, ...entry.aliases].map((name) => [name, entry] as const)));

/** The entry of this id or alias, or null. A tenant's own service may not take one of these names. */
export function findCatalogueService(name: string): CatalogueEntry | null {
  return byName.get(name) ?? null;
}
