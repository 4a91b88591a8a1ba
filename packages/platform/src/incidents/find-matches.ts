import type { Database } from '@bulkhead/postgres';
import { findCatalogueEntry } from '../services/index.ts';
import { countUntold, isLiveApplication, isServiceInUse, listMatches } from './incident-store.ts';
import { incidentErrors } from './incident-errors.ts';
import type { Match, Reach, Selection } from './selection.ts';

/** Longer than a request may take: a count over every tenant. Milliseconds. */
const COUNT_TIMEOUT_MS = 5 * 60_000;

export interface Found {
  /** Per Application and service, most accounts first. */
  readonly matches: readonly Match[];
  /** Upstream credentials revoked before and still to be told to their service; `failing` of them were refused at least once. */
  readonly untold: { readonly waiting: number; readonly failing: number };
}

/**
 * Counts what a revocation would end. Throws `incident.unknown_application` or `incident.unknown_service`: a misspelt name must not
 * look like an incident without victims.
 */
export async function findMatches(db: Database, selection: Selection, reach: Reach, now: Date): Promise<Found> {
  return db.withSystem(
    'count the tokens of an incident across Applications',
    async (tx) => {
      const { applicationId, service } = selection;
      if (applicationId !== null && !(await isLiveApplication(tx, applicationId)))
        throw incidentErrors('incident.unknown_application', { params: { application: applicationId } });
      if (service !== null && findCatalogueEntry(service) === null && !(await isServiceInUse(tx, service)))
        throw incidentErrors('incident.unknown_service', { params: { service } });
      return { matches: await listMatches(tx, selection, reach, now), untold: await countUntold(tx, selection) };
    },
    { statementTimeoutMs: COUNT_TIMEOUT_MS },
  );
}
