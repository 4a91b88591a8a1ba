import { parseServiceDefinition, type ServiceDefinitionInput } from '../service-definition.ts';
import type { UpstreamService } from '../service.ts';

/** A service we have looked at ourselves: what we checked, where, when, and what to know before trusting it. */
export interface CatalogueEntry extends UpstreamService {
  /** The provider's own page on its OAuth. */
  readonly documentation: string;
  /** ISO date on which the entry was last compared with `checkedAgainst`. */
  readonly checked: string;
  /**
   * What it was compared with: the provider's published pages, specifications and SDKs, and where those are silent, public
   * clients that talk to it. They were read in stored copies, long pages in excerpts. Nothing was tried: no entry has been run
   * against the provider with a real account.
   */
  readonly checkedAgainst: readonly string[];
  /** How its refresh tokens live, for the operator and for whoever debugs a lost account. */
  readonly refreshNotes: string;
  /** What its API or console does that surprises. What we say without having found it in print begins with "not confirmed: ". */
  readonly notes: readonly string[];
}

export interface CatalogueInput extends Omit<CatalogueEntry, 'definition' | 'aliases' | 'quirks' | 'baseScopes'> {
  readonly definition: ServiceDefinitionInput;
  readonly aliases?: readonly string[];
  readonly baseScopes?: readonly string[];
  readonly quirks?: CatalogueEntry['quirks'];
}

/** One entry, its definition checked by the schema that a tenant's own service must pass. */
export function catalogueEntry(input: CatalogueInput): CatalogueEntry {
  return { aliases: [], baseScopes: [], quirks: {}, ...input, definition: parseServiceDefinition(input.definition) };
}
