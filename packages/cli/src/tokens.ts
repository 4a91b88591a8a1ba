import { type ApplicationId, applicationId as applicationIds, type Clock, PlatformError, systemClock } from '@bulkhead/base';
import {
  addRevoked,
  type Found,
  findMatches,
  type Match,
  NOTHING_REVOKED,
  type Reach,
  type Revoked,
  revokeMatches,
  type Selection,
} from '@bulkhead/platform';
import type { Database } from '@bulkhead/postgres';
import { confirm } from './confirm.ts';
import { parseDuration } from './duration.ts';
import { onDatabase } from './on-database.ts';
import { printJson } from './print.ts';
import { matchesAsJson, matchesAsText, revokedAsText, untoldAsText, wire } from './tokens-print.ts';
import { UsageError } from './usage-error.ts';

export interface FindOptions {
  readonly service?: string;
  readonly application?: string;
  readonly olderThan?: string;
  readonly all?: true;
  readonly oursOnly?: true;
  readonly json?: true;
}

export interface RevokeOptions extends FindOptions {
  readonly dryRun?: true;
  readonly yes?: true;
}

/** Applications worked on at the same time: as many as the command has connections. */
const AT_ONCE = 2;
/** Rows shown before the question; the whole list is what `find` is for. */
const ROWS_SHOWN = 20;

const clock: Clock = systemClock;

export async function findTokens(options: FindOptions): Promise<void> {
  const { selection, reach } = wanted(options);
  const found = await onDatabase((db) => find(db, selection, reach));
  if (options.json) return printJson(matchesAsJson(found));
  process.stdout.write(`${matchesAsText(found.matches)}${untoldAsText(found.untold)}`);
}

export async function revokeTokens(options: RevokeOptions): Promise<void> {
  const { selection, reach } = wanted(options);
  const isAsked = options.yes !== true && options.dryRun !== true;
  if (isAsked && !process.stdin.isTTY)
    throw new UsageError('There is no terminal to ask at. Add --yes to revoke without being asked, or --dry-run to only count.');
  await onDatabase(async (db) => {
    const found = await find(db, selection, reach);
    process.stderr.write(matchesAsText(found.matches, ROWS_SHOWN));
    const isNothing = found.matches.length === 0;
    if (options.dryRun === true || isNothing) {
      if (options.json) printJson(matchesAsJson(found));
      if (!isNothing) process.stderr.write('Nothing was revoked: --dry-run.\n');
      return;
    }
    if (isAsked && !(await confirm('Revoke all of this? Type yes: ', { input: process.stdin, output: process.stderr }))) {
      process.stderr.write('Nothing was revoked.\n');
      process.exitCode = 1;
      return;
    }
    await revoke(db, found.matches, selection, reach, options);
  });
}

async function revoke(db: Database, matches: readonly Match[], selection: Selection, reach: Reach, { json }: RevokeOptions): Promise<void> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const progress = progressOf(matches.reduce((sum, { accounts }) => sum + accounts, 0));
  const queue = [...new Set(matches.map((match) => match.applicationId))];
  const failed: { readonly application: ApplicationId; readonly reason: string }[] = [];
  let total: Revoked = NOTHING_REVOKED;
  const onProgress = (_application: ApplicationId, step: Revoked) => {
    total = addRevoked(total, step);
    progress.show(total.accounts);
  };
  const work = async () => {
    for (let next = queue.shift(); next !== undefined && !stop.signal.aborted; next = queue.shift()) {
      try {
        await revokeMatches({ db, clock, onProgress, signal: stop.signal }, next, selection, reach);
      } catch (thrown) {
        if (!(thrown instanceof PlatformError)) throw thrown;
        failed.push({ application: next, reason: thrown.publicText });
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    progress.end();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
  const left = stop.signal.aborted || failed.length > 0;
  if (json) printJson({ revoked: wire(total), failed, finished: !left });
  else process.stdout.write(revokedAsText(total));
  for (const { application, reason } of failed) process.stderr.write(`${application}: ${reason}\n`);
  if (!left) return;
  process.stderr.write('Not everything was revoked. Type the same command again: it goes on where this one stopped.\n');
  process.exitCode = 1;
}

/** How far it is, on standard error: one line that is written over at a terminal, a line per tenth elsewhere. */
function progressOf(accounts: number): { show: (done: number) => void; end: () => void } {
  const { isTTY } = process.stderr;
  let shown = 0;
  return {
    show(done) {
      const tenth = Math.floor((done * 10) / Math.max(1, accounts));
      if (isTTY) process.stderr.write(`\r${done} of ${accounts} accounts`);
      else if (tenth > shown) process.stderr.write(`${done} of ${accounts} accounts\n`);
      shown = tenth;
    },
    end() {
      if (isTTY) process.stderr.write('\n');
    },
  };
}

async function find(db: Database, selection: Selection, reach: Reach): Promise<Found> {
  try {
    return await findMatches(db, selection, reach, new Date(clock.now()));
  } catch (thrown) {
    if (thrown instanceof PlatformError && thrown.code.startsWith('incident.unknown_')) throw new UsageError(thrown.publicText);
    throw thrown;
  }
}

function wanted({ service, application, olderThan, all, oursOnly }: FindOptions): { selection: Selection; reach: Reach } {
  const isNarrowed = service !== undefined || application !== undefined || olderThan !== undefined;
  if (!isNarrowed && all !== true)
    throw new UsageError(
      'Say which tokens: --service, --application, --older-than (they combine), or --all for every one of every Application.',
    );
  if (isNarrowed && all === true)
    throw new UsageError('--all means everything of every Application: leave it out, or leave out the other options.');
  if (application !== undefined && !applicationIds.is(application))
    throw new UsageError(`--application: "${application}" is not the id of an Application.`);
  const seconds = olderThan === undefined ? null : parseDuration(olderThan, '--older-than');
  return {
    selection: {
      applicationId: application ?? null,
      service: service ?? null,
      before: seconds === null ? null : new Date(clock.now() - seconds * 1_000),
    },
    reach: { upstream: oursOnly !== true },
  };
}
