import { type ApplicationId, applicationId as applicationIds, systemClock } from '@bulkhead/base';
import {
  appendOrganizationAudit,
  type DataRotationResult,
  ensureFirstOrganization,
  type KeyService,
  keyStatus,
  type ReportProgress,
  rotateDataKeys,
  rotateInstallKeys,
  rotateRootKey,
  type RootRotationResult,
  Vault,
} from '@bulkhead/platform';
import type { Database } from '@bulkhead/postgres';
import { keyStatusText } from './key-status-text.ts';
import { onKeys } from './on-keys.ts';
import { OPERATOR, printJson } from './print.ts';
import { UsageError } from './usage-error.ts';

export interface StatusOptions {
  readonly json?: true;
}

export interface RotateOptions extends StatusOptions {
  readonly root?: true;
  readonly data?: true;
  readonly installs?: true;
  readonly leaked?: true;
  readonly application?: string;
  readonly keepOld?: true;
  readonly dryRun?: true;
}

const PROGRESS_EVERY_MS = 1_000;
const NAMED_MAX = 20;

export async function showStatus(options: StatusOptions): Promise<void> {
  const status = await onKeys(({ db, keys }) => keyStatus(db, keys));
  if (options.json) printJson(status);
  else process.stdout.write(keyStatusText(status));
}

export async function rotateKeys(options: RotateOptions): Promise<void> {
  if (options.installs) return rotateInstalls(options);
  if (options.leaked) throw new UsageError('--leaked goes with --installs.');
  if (options.root === undefined && options.data === undefined) throw new UsageError('Say what to rotate: --root, --data or --installs.');
  const only = options.application;
  if (only !== undefined && options.data === undefined) throw new UsageError('--application goes with --data.');
  if (only !== undefined && !applicationIds.is(only)) throw new UsageError('--application: expected the id of an Application (app…).');
  await onKeys(async ({ db, keys }) => {
    const status = await keyStatus(db, keys);
    const what = options.root
      ? `${count(status.dataKeys, 'data key')} of ${count(status.applications, 'Application')} to wrap anew`
      : `${count(only === undefined ? status.applications : 1, 'Application')} to give a new data key`;
    process.stderr.write(`${what}. ${status.rotations.length > 0 ? 'A rotation is under way and is gone on with. ' : ''}\n`);
    if (options.dryRun) return options.json ? printJson(status) : undefined;
    const vault = new Vault({ keys, clock: systemClock });
    const report = progress();
    if (options.root) await rotateRoot({ db, keys, vault, report }, options);
    else await rotateData({ db, vault, report }, options, only === undefined || !applicationIds.is(only) ? null : only);
  });
}

async function rotateInstalls(options: RotateOptions): Promise<void> {
  await onKeys(async ({ db, keys }) => {
    if (options.dryRun) return;
    const vault = new Vault({ keys, clock: systemClock });
    const result = await rotateInstallKeys({ db, vault }, { leaked: options.leaked === true, now: new Date(systemClock.now()) });
    await recorded(db, 'install_key.rotated', { kid: result.kid, retired: result.retired, leaked: options.leaked === true });
    if (options.json) return printJson(result);
    const fate = options.leaked ? 'The key before is shown no more.' : 'The public half of the key before is shown on.';
    process.stdout.write(`Installs are signed by ${result.kid}; running servers take it up within half a minute. ${fate}\n`);
  });
}

async function rotateRoot(
  { db, keys, vault, report }: { db: Database; keys: KeyService; vault: Vault; report: ReportProgress },
  options: RotateOptions,
): Promise<void> {
  const result = await rotateRootKey({ db, vault }, { keepOld: options.keepOld === true, report });
  await recorded(db, 'root_key.rotated', {
    from: result.from,
    to: result.to,
    rewrapped: result.rewrapped,
    finished: result.retired !== null,
  });
  if (result.retired === null) process.exitCode = 1;
  if (options.json) printJson(result);
  else process.stdout.write(rootText(result, keys));
}

function rootText({ from, to, rewrapped, unreadable, retired, completedDeletions }: RootRotationResult, keys: KeyService): string {
  const done = `${count(rewrapped, 'data key')} wrapped anew by root key ${to}.\n`;
  if (retired === null)
    return `${done}${count(unreadable.length, 'Application')} with a data key that no key here opens; root key ${from} stays until that is mended or they are deleted:\n${named(unreadable)}`;
  const fate = {
    destroyed: `Root key ${from} is destroyed: backups made before now need a copy of it, and the new root.key belongs where you keep copies.`,
    kept: `Root key ${from} is put aside in the data folder (root.${from}.retired): destroy it once no backup needs it.`,
    'with the operator': `Nothing needs root key ${from} any more. Take it out of BULKHEAD_ROOT_KEY_PREVIOUS everywhere, and destroy it once no backup needs it.`,
  }[retired];
  const deletions =
    completedDeletions === 0
      ? ''
      : `${count(completedDeletions, 'deletion')} of Applications ${completedDeletions === 1 ? 'is' : 'are'} complete ${keys.backEnd === 'file' ? 'with it' : 'once it is destroyed'}: older dumps open nothing of them.\n`;
  return `${done}${fate}\n${deletions}`;
}

async function rotateData(
  { db, vault, report }: { db: Database; vault: Vault; report: ReportProgress },
  options: RotateOptions,
  applicationId: ApplicationId | null,
): Promise<void> {
  const result = await rotateDataKeys({ db, vault }, { applicationId, report });
  await recorded(db, 'data_keys.rotated', {
    ...(applicationId === null ? {} : { application: applicationId }),
    applications: result.applications,
    resealed: result.resealed,
    unfinished: result.unfinished.length,
  });
  if (result.unfinished.length > 0) process.exitCode = 1;
  if (options.json) printJson(result);
  else process.stdout.write(dataText(result));
}

function dataText({ applications, resealed, unreadable, unfinished }: DataRotationResult): string {
  const done = `${count(applications, 'Application')} with a new data key, ${count(resealed, 'secret')} sealed anew.\n`;
  if (unfinished.length === 0) return `${done}The old data keys are deleted.\n`;
  return `${done}${count(unfinished.length, 'Application')} keep${unfinished.length === 1 ? 's' : ''} an older data key, because these cannot be opened:\n${named(unreadable)}`;
}

/** Rotations are everybody's; the first organization, the operator's own, keeps the fact. */
async function recorded(db: Database, action: string, detail: Record<string, unknown>): Promise<void> {
  await db.withControl('record a rotation of keys', async (tx) =>
    appendOrganizationAudit(tx, {
      organizationId: await ensureFirstOrganization(tx),
      actor: OPERATOR,
      action,
      at: new Date(systemClock.now()),
      detail,
    }),
  );
}

/** A line a second, and each new step, on standard error. */
function progress(): ReportProgress {
  let said = 0;
  return (step, { done, total }) => {
    const now = systemClock.now();
    if (now - said < PROGRESS_EVERY_MS) return;
    said = now;
    process.stderr.write(`  ${step}: ${done}/${total}\n`);
  };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function named(names: readonly string[]): string {
  const shown = names.slice(0, NAMED_MAX).map((name) => `  ${name}\n`);
  return shown.join('') + (names.length > NAMED_MAX ? `  and ${names.length - NAMED_MAX} more\n` : '');
}
