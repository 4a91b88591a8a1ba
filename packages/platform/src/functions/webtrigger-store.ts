import { defineTenantCredential, type Secret } from '@bulkhead/base';
import { sql, type TenantTx, type Tx } from '@bulkhead/postgres';
import type { InstallTx } from '../installs/index.ts';
import { defineSealedColumn, type Vault } from '../vault/index.ts';

const webtriggerSecret = defineTenantCredential('bhs');

const key = ['client_key', 'environment', 'trigger_key'] as const;
export const webtriggerSecrets = defineSealedColumn({ table: 'function_webtrigger_secrets', column: 'secret_sealed', key: [...key] });
export const previousWebtriggerSecrets = defineSealedColumn({
  table: 'function_webtrigger_secrets',
  column: 'previous_secret_sealed',
  key: [...key],
});

/** Which secret: of one web trigger of an install, in one environment, by one authentication (`bearer`, or a scheme). */
export interface NamedSecret {
  readonly environment: string;
  readonly triggerKey: string;
  readonly authentication: string;
}

interface SecretRow {
  authentication: string;
  secret_sealed: Buffer;
  previous_secret_sealed: Buffer | null;
  previous_secret_until: Date | null;
  modified_at: Date;
}

/** Where the calls to an Application and an App go: its install that is enabled, and whose Application it is. Null where there is none. */
export async function findWebtriggerHost(
  tx: TenantTx,
  appKey: string,
): Promise<{ readonly organizationId: string; readonly clientKey: string } | null> {
  const row = await tx.maybe<{ organization_id: string; client_key: string }>(sql`
    select a.organization_id, i.client_key
      from applications a join app_installs i using (application_id)
     where a.application_id = ${tx.applicationId} and a.active and a.deleted_at is null and i.app_key = ${appKey} and i.status = 'enabled'`);
  return row === null ? null : { organizationId: row.organization_id, clientKey: row.client_key };
}

/** The secrets that count at the moment, the newest first; none where none was ever made for this authentication. */
export async function openWebtriggerSecrets(tx: InstallTx, vault: Vault, named: NamedSecret, now: Date): Promise<readonly Secret[]> {
  const row = await findRow(tx, named);
  if (row === null || row.authentication !== named.authentication) return [];
  const place = [tx.clientKey, named.environment, named.triggerKey];
  const secrets = [await vault.open(tx, webtriggerSecrets.place(tx.applicationId, place), row.secret_sealed)];
  if (row.previous_secret_sealed !== null && row.previous_secret_until !== null && row.previous_secret_until > now)
    secrets.push(await vault.open(tx, previousWebtriggerSecrets.place(tx.applicationId, place), row.previous_secret_sealed));
  return secrets;
}

/**
 * A new secret: `given`, or one that is made. The one before counts beside it for `overlapSeconds`; with 0, or where it was for another
 * authentication, it is worth nothing at once. Answers the secret, which is shown nowhere else.
 */
export async function rotateWebtriggerSecret(
  tx: InstallTx,
  vault: Vault,
  named: NamedSecret,
  { given, overlapSeconds, now }: { given: Secret | null; overlapSeconds: number; now: Date },
): Promise<{ readonly secret: Secret; readonly previousUntil: Date | null }> {
  const { applicationId, clientKey } = tx;
  const { environment, triggerKey, authentication } = named;
  const place = [clientKey, environment, triggerKey];
  // One rotation of an install at a time.
  await tx.execute(sql`
    select 1 from app_installs where application_id = ${applicationId} and client_key = ${clientKey} for no key update`);
  const held = await findRow(tx, named);
  const secret = given ?? webtriggerSecret.issue(applicationId).secret;
  const seal = await vault.sealer(tx, applicationId);
  const sealed = seal(webtriggerSecrets.place(applicationId, place), secret);
  const previous =
    held === null || overlapSeconds === 0 || held.authentication !== authentication
      ? null
      : seal(
          previousWebtriggerSecrets.place(applicationId, place),
          await vault.open(tx, webtriggerSecrets.place(applicationId, place), held.secret_sealed),
        );
  const previousUntil = previous === null ? null : new Date(now.getTime() + overlapSeconds * 1_000);
  await tx.execute(sql`
    insert into function_webtrigger_secrets (application_id, client_key, environment, trigger_key, authentication, secret_sealed,
                                             previous_secret_sealed, previous_secret_until, created_at, modified_at)
    values (${applicationId}, ${clientKey}, ${environment}, ${triggerKey}, ${authentication}, ${sealed}, ${previous}, ${previousUntil}, ${now}, ${now})
    on conflict (application_id, client_key, environment, trigger_key) do update
       set authentication = excluded.authentication, secret_sealed = excluded.secret_sealed, modified_at = excluded.modified_at,
           previous_secret_sealed = excluded.previous_secret_sealed, previous_secret_until = excluded.previous_secret_until`);
  return { secret, previousUntil };
}

/** What is known of the secrets of an install's web triggers without opening them, by trigger. */
export async function listWebtriggerSecrets(
  tx: InstallTx,
  environment: string,
): Promise<ReadonlyMap<string, { readonly authentication: string; readonly previousUntil: Date | null; readonly modifiedAt: Date }>> {
  const rows = await tx.query<SecretRow & { trigger_key: string }>(sql`
    select trigger_key, authentication, previous_secret_until, modified_at from function_webtrigger_secrets
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and environment = ${environment}`);
  return new Map(
    rows.map((row) => [
      row.trigger_key,
      { authentication: row.authentication, previousUntil: row.previous_secret_until, modifiedAt: row.modified_at },
    ]),
  );
}

/** Notes that a signed request calls; false where it has called before. */
export async function spendWebtriggerUse(
  tx: TenantTx,
  { clientKey, digest, expiresAt }: { clientKey: string; digest: Buffer; expiresAt: Date },
): Promise<boolean> {
  const noted = await tx.execute(sql`
    insert into function_webtrigger_uses (application_id, client_key, digest, expires_at)
    values (${tx.applicationId}, ${clientKey}, ${digest}, ${expiresAt})
    on conflict (application_id, client_key, digest) do nothing`);
  return noted === 1;
}

/** The call came to nothing, so the same request may come again. */
export async function forgetWebtriggerUse(tx: TenantTx, { clientKey, digest }: { clientKey: string; digest: Buffer }): Promise<void> {
  await tx.execute(sql`
    delete from function_webtrigger_uses where application_id = ${tx.applicationId} and client_key = ${clientKey} and digest = ${digest}`);
}

/** Deletes what is too old to come again; at most `limit`. For the system role. Answers how many. */
export async function deletePastUses(tx: Tx, { now, limit }: { now: Date; limit: number }): Promise<number> {
  return tx.execute(sql`
    delete from function_webtrigger_uses where ctid = any(array(
      select ctid from function_webtrigger_uses where expires_at <= ${now} limit ${limit} for update skip locked))`);
}

async function findRow(tx: InstallTx, { environment, triggerKey }: NamedSecret): Promise<SecretRow | null> {
  return tx.maybe<SecretRow>(sql`
    select authentication, secret_sealed, previous_secret_sealed, previous_secret_until, modified_at from function_webtrigger_secrets
     where application_id = ${tx.applicationId} and client_key = ${tx.clientKey} and environment = ${environment} and trigger_key = ${triggerKey}`);
}
