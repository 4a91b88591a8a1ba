import type { Clock, Log } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import { forgetEndedSessions } from './frames/index.ts';
import { forgetInvocations, forgetStorage, forgetWebtriggerUses } from './functions/index.ts';
import { forgetPastInbound } from './inbound/index.ts';
import { forgetUninstalled } from './installs/index.ts';
import { forgetPastAnswers } from './surfaces/index.ts';

/** Each with what the log calls it where it cannot be forgotten. */
const PAST: readonly (readonly [string, (db: Database, now: Date) => Promise<unknown>])[] = [
  ['answers to idempotency keys', forgetPastAnswers],
  ['messages of services', forgetPastInbound],
  ['installs', forgetUninstalled],
  ['calls of functions', forgetInvocations],
  ['signed requests of web triggers', forgetWebtriggerUses],
  ['what functions kept', forgetStorage],
  ['pages of Apps', forgetEndedSessions],
];

/** Forgets what is over, of every slice, one beside the other. Never rejects: one that fails is logged and keeps none of the others. */
export async function forgetPast({ db, clock, log }: { db: Database; clock: Clock; log: Log }): Promise<void> {
  await Promise.all(
    PAST.map(([what, forget]) =>
      forget(db, new Date(clock.now())).catch((error: unknown) => log.error('what is past could not be forgotten', { what, err: error })),
    ),
  );
}
