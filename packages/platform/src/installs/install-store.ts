import { type ApplicationId, defineId, Secret, systemRandom } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { type JsonValue, sql, type Tx } from '@bulkhead/postgres';
import type { AppDescriptor, AppScope } from '@bulkhead/protocol';
import { defineSealedColumn, type Vault } from '../vault/index.ts';
import type { AppInstall, DynamicModules, InstallStatus } from './app.ts';
import { withoutStatic } from './dynamic-modules.ts';
import { installErrors } from './install-errors.ts';

/** The clientKey: opaque to Apps, random, and so unique on this host and beside other hosts. */
const clientKeys = defineId('ins');
const handshakeIds = defineId('hsk');
const INSTALLS_MAX = 200;
/** How long an install may take until another may begin: the call to the App ends well before. */
const HANDSHAKE_MS = 20_000;

interface InstallRow {
  client_key: string;
  app_key: string;
  status: InstallStatus;
  base_url: string | null;
  descriptor: AppDescriptor | null;
  scopes: AppScope[];
  dynamic_modules: DynamicModules;
  secret_sealed: Buffer | null;
  pending_secret_sealed: Buffer | null;
  handshake_id: string | null;
  handshake_until: Date | null;
  generation: number;
  created_at: Date;
  modified_at: Date;
  installed_at: Date | null;
  uninstalled_at: Date | null;
}

function install(row: InstallRow): AppInstall {
  return {
    clientKey: row.client_key,
    appKey: row.app_key,
    status: row.status,
    baseUrl: row.base_url,
    descriptor: row.descriptor,
    scopes: row.scopes,
    dynamicModules: row.dynamic_modules,
    generation: row.generation,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
    installedAt: row.installed_at,
    uninstalledAt: row.uninstalled_at,
  };
}

export const sharedSecrets = defineSealedColumn({ table: 'app_installs', column: 'secret_sealed', key: ['client_key'] });
export const pendingSharedSecrets = defineSealedColumn({ table: 'app_installs', column: 'pending_secret_sealed', key: ['client_key'] });

/** An install under way. Only whoever holds its id can end it. */
export interface Handshake {
  readonly handshakeId: string;
  readonly clientKey: string;
  readonly sharedSecret: Secret;
}

/**
 * Begins an install: a new secret, pending from the commit on. Of several at the same moment one begins; one whose process died is over
 * after 20 seconds, and its secret with it. Throws `install.busy`, `install.limit`.
 */
export async function beginHandshake(
  tx: Tx,
  vault: Vault,
  { applicationId, appKey, now }: { applicationId: ApplicationId; appKey: string; now: Date },
): Promise<Handshake> {
  await tx.execute(sql`
    insert into app_installs (application_id, client_key, app_key, status, created_at, modified_at)
    values (${applicationId}, ${clientKeys.generate()}, ${appKey}, 'uninstalled', ${now}, ${now})
    on conflict (application_id, app_key) do nothing`);
  const row = await tx.one<Pick<InstallRow, 'client_key' | 'handshake_until' | 'status'>>(sql`
    select client_key, handshake_until, status from app_installs where application_id = ${applicationId} and app_key = ${appKey} for update`);
  if (row.handshake_until !== null && row.handshake_until > now) throw installErrors('install.busy', { params: { app_key: appKey } });
  const { held } = await tx.one<{ held: number }>(sql`
    select count(*) as held from app_installs where application_id = ${applicationId} and status <> 'uninstalled' and app_key <> ${appKey}`);
  if (held >= INSTALLS_MAX) throw installErrors('install.limit', { params: { limit: INSTALLS_MAX } });
  const sharedSecret = new Secret(Buffer.from(systemRandom(32)).toString('base64url'));
  const handshakeId = handshakeIds.generate();
  const sealed = await vault.seal(tx, pendingSharedSecrets.place(applicationId, [row.client_key]), sharedSecret);
  await tx.execute(sql`
    update app_installs set pending_secret_sealed = ${sealed}, handshake_id = ${handshakeId}, handshake_until = ${new Date(now.getTime() + HANDSHAKE_MS)}
     where application_id = ${applicationId} and client_key = ${row.client_key}`);
  return { handshakeId, clientKey: row.client_key, sharedSecret };
}

/** The App has accepted: from the commit on its new secret is the only one. Null where the handshake was over before. */
export async function completeHandshake(
  tx: Tx,
  vault: Vault,
  {
    applicationId,
    handshake,
    descriptor,
    now,
  }: { applicationId: ApplicationId; handshake: Handshake; descriptor: AppDescriptor; now: Date },
): Promise<AppInstall | null> {
  const sealed = await vault.seal(tx, sharedSecrets.place(applicationId, [handshake.clientKey]), handshake.sharedSecret);
  const held = await tx.maybe<Pick<InstallRow, 'dynamic_modules'>>(sql`
    select dynamic_modules from app_installs
     where application_id = ${applicationId} and client_key = ${handshake.clientKey} and handshake_id = ${handshake.handshakeId} for update`);
  if (held === null) return null;
  const dynamic = withoutStatic(held.dynamic_modules, descriptor);
  const row = await tx.maybe<InstallRow>(sql`
    update app_installs
       set status = 'enabled', secret_sealed = ${sealed}, pending_secret_sealed = null, handshake_id = null, handshake_until = null,
           base_url = ${descriptor.baseUrl}, descriptor = ${sql.json(descriptor as unknown as JsonValue)}, scopes = ${descriptor.scopes},
           dynamic_modules = ${sql.json(dynamic as unknown as JsonValue)},
           generation = generation + 1, installed_at = ${now}, uninstalled_at = null, modified_at = ${now}
     where application_id = ${applicationId} and client_key = ${handshake.clientKey} and handshake_id = ${handshake.handshakeId}
    returning *`);
  return row === null ? null : install(row);
}

/** The App has refused, or not answered: everything is as before, but for the clientKey of a first install, which the next one takes up. */
export async function abandonHandshake(tx: Tx, applicationId: ApplicationId, { clientKey, handshakeId }: Handshake): Promise<void> {
  await tx.execute(sql`
    update app_installs set pending_secret_sealed = null, handshake_id = null, handshake_until = null
     where application_id = ${applicationId} and client_key = ${clientKey} and handshake_id = ${handshakeId}`);
}

/** One that is installed, enabled or not; null for an App that is uninstalled or never was. */
export async function findInstall(tx: Tx, applicationId: ApplicationId, appKey: string): Promise<AppInstall | null> {
  const row = await tx.maybe<InstallRow>(sql`
    select * from app_installs where application_id = ${applicationId} and app_key = ${appKey} and status <> 'uninstalled'`);
  return row === null ? null : install(row);
}

/** An App in an Application, also one that is uninstalled or was only ever refused. */
export async function findAnyInstall(tx: Tx, applicationId: ApplicationId, appKey: string): Promise<AppInstall | null> {
  const row = await tx.maybe<InstallRow>(sql`
    select * from app_installs where application_id = ${applicationId} and app_key = ${appKey}`);
  return row === null ? null : install(row);
}

export async function listInstalls(
  tx: Tx,
  applicationId: ApplicationId,
  page: { page: number; page_size: number },
): Promise<Page<AppInstall>> {
  const which = sql`application_id = ${applicationId} and status <> 'uninstalled'`;
  const { total } = await tx.one<{ total: number }>(sql`select count(*) as total from app_installs where ${which}`);
  const rows = await tx.query<InstallRow>(sql`
    select * from app_installs where ${which} order by app_key limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(install), total };
}

/**
 * Takes an install to another status, if it has one of `from`; null where it has not. The clientKey stays; so does the secret, for what is
 * still to be told. Throws `install.busy` while the App is being installed again: which of the two came last would be anybody's guess.
 */
export async function changeStatus(
  tx: Tx,
  {
    applicationId,
    appKey,
    from,
    to,
    now,
  }: { applicationId: ApplicationId; appKey: string; from: readonly InstallStatus[]; to: InstallStatus; now: Date },
): Promise<AppInstall | null> {
  const held = await tx.maybe<Pick<InstallRow, 'handshake_until'>>(sql`
    select handshake_until from app_installs where application_id = ${applicationId} and app_key = ${appKey} for update`);
  if (held?.handshake_until != null && held.handshake_until > now) throw installErrors('install.busy', { params: { app_key: appKey } });
  const row = await tx.maybe<InstallRow>(sql`
    update app_installs
       set status = ${to}, generation = generation + 1, modified_at = ${now},
           uninstalled_at = case when ${to === 'uninstalled'} then ${now}::timestamptz end,
           dynamic_modules = case when ${to === 'uninstalled'} then '{}'::jsonb else dynamic_modules end
     where application_id = ${applicationId} and app_key = ${appKey} and status = any(${from}) returning *`);
  return row === null ? null : install(row);
}

/** Uninstalls whatever is installed, handshakes under way too. */
export async function uninstallRows(tx: Tx, applicationId: ApplicationId, now: Date): Promise<AppInstall[]> {
  const rows = await tx.query<InstallRow>(sql`
    update app_installs
       set status = 'uninstalled', generation = generation + 1, modified_at = ${now}, uninstalled_at = ${now},
           pending_secret_sealed = null, handshake_id = null, handshake_until = null
     where application_id = ${applicationId} and status <> 'uninstalled' returning *`);
  return rows.map(install);
}

/** An install with the secrets by which its App is known at this moment. */
export interface OpenedInstall {
  readonly install: AppInstall;
  /** The current one, and one that is pending; the App may have either. */
  readonly secrets: readonly Secret[];
}

/**
 * By which secrets a token of this App is verified in this Application; null where there is none: it is not installed, and no install is under
 * way. Of an Application that is off or deleted there is none either.
 */
export async function openInstall(
  tx: Tx,
  vault: Vault,
  named: { applicationId: ApplicationId; now: Date } & ({ appKey: string } | { clientKey: string }),
): Promise<OpenedInstall | null> {
  const { applicationId, now } = named;
  const which = 'appKey' in named ? sql`i.app_key = ${named.appKey}` : sql`i.client_key = ${named.clientKey}`;
  const row = await tx.maybe<InstallRow>(sql`
    select i.* from app_installs i join applications a using (application_id)
     where i.application_id = ${applicationId} and ${which} and a.active and a.deleted_at is null`);
  if (row === null) return null;
  const secrets: Secret[] = [];
  if (row.secret_sealed !== null && row.status !== 'uninstalled')
    secrets.push(await vault.open(tx, sharedSecrets.place(applicationId, [row.client_key]), row.secret_sealed));
  if (row.pending_secret_sealed !== null && row.handshake_until !== null && row.handshake_until > now)
    secrets.push(await vault.open(tx, pendingSharedSecrets.place(applicationId, [row.client_key]), row.pending_secret_sealed));
  return secrets.length === 0 ? null : { install: install(row), secrets };
}

/** An install as a call to its App needs it. */
export interface CalledInstall {
  readonly baseUrl: string;
  readonly descriptor: AppDescriptor;
  readonly dynamicModules: DynamicModules;
  readonly sharedSecret: Secret;
}

/** What calls to these installs need, of uninstalled ones too: they are to hear of it. */
export async function openLifecycle(
  tx: Tx,
  vault: Vault,
  {
    applicationId,
    clientKeys: wanted,
    onlyEnabled = false,
  }: { applicationId: ApplicationId; clientKeys: readonly string[]; onlyEnabled?: boolean },
): Promise<ReadonlyMap<string, CalledInstall>> {
  const rows = await tx.query<Pick<InstallRow, 'client_key' | 'base_url' | 'descriptor' | 'dynamic_modules' | 'secret_sealed'>>(sql`
    select client_key, base_url, descriptor, dynamic_modules, secret_sealed from app_installs
     where application_id = ${applicationId} and client_key = any(${wanted}) and (not ${onlyEnabled} or status = 'enabled')`);
  const opened = new Map<string, CalledInstall>();
  for (const { client_key: clientKey, base_url: baseUrl, descriptor, dynamic_modules: dynamicModules, secret_sealed: sealed } of rows) {
    if (baseUrl === null || descriptor === null || sealed === null) continue;
    opened.set(clientKey, {
      baseUrl,
      descriptor,
      dynamicModules,
      sharedSecret: await vault.open(tx, sharedSecrets.place(applicationId, [clientKey]), sealed),
    });
  }
  return opened;
}

/** Deletes installs that ended, or were only ever refused, before a moment; at most `limit`. For the system role. Answers how many. */
export async function deleteUninstalled(tx: Tx, { before, now, limit }: { before: Date; now: Date; limit: number }): Promise<number> {
  return tx.execute(sql`
    delete from app_installs where ctid = any(array(
      select ctid from app_installs
       where status = 'uninstalled' and modified_at < ${before} and (handshake_until is null or handshake_until <= ${now})
       limit ${limit} for update skip locked))`);
}
