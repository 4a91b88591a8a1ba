import { endpointsFingerprint, type ServiceDefinition } from '../service-definition.ts';
import { customService, type UpstreamService } from '../service.ts';
import { atlassian, hubspot, salesforce } from './business.ts';
import { github, gitlab, slack } from './collaboration.ts';
import type { CatalogueEntry } from './entry.ts';
import { box, dropbox, google, microsoft } from './storage.ts';

export type { CatalogueEntry } from './entry.ts';

/** The services everyone has, in the order the connect page shows them. */
export const catalogueEntries: readonly CatalogueEntry[] = [
  google,
  microsoft,
  dropbox,
  box,
  slack,
  github,
  gitlab,
  atlassian,
  salesforce,
  hubspot,
];

/** Their definitions by id. */
export const catalogue: ReadonlyMap<string, ServiceDefinition> = new Map(
  catalogueEntries.map(({ definition }) => [definition.id, definition]),
);

const byName = new Map(catalogueEntries.flatMap((entry) => [entry.definition.id, ...entry.aliases].map((name) => [name, entry] as const)));

/** The entry of this id or alias, or null. */
export function findCatalogueEntry(name: string): CatalogueEntry | null {
  return byName.get(name) ?? null;
}

/**
 * A definition with what the catalogue knows about it; a tenant's own stands for itself. The endpoints are compared too, so that a
 * tenant's older service never inherits the quirks of a catalogue entry that later took the same name.
 */
export function upstreamService(definition: ServiceDefinition): UpstreamService {
  const entry = catalogueEntries.find((candidate) => candidate.definition.id === definition.id);
  const same =
    entry !== undefined && (entry.definition === definition || endpointsFingerprint(entry.definition) === endpointsFingerprint(definition));
  return same ? entry : customService(definition);
}
