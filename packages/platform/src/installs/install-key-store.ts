import { type Secret } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import { controlHeader, type Vault } from '../vault/index.ts';

export interface InstallKeyRow {
  readonly kid: string;
  readonly public_key: string;
  readonly private_key_sealed: Buffer;
  readonly created_at: Date;
}

/** Where the private half of a key is sealed. */
export function installKeyPlace(kid: string): string {
  return `install_keys|${kid}`;
}

/** Lets one transaction at a time look whether a key is there and make one. */
export async function lockInstallKeys(tx: Tx): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtext('bulkhead install keys'))`);
}

export async function findSigningKey(tx: Tx): Promise<InstallKeyRow | null> {
  return tx.maybe<InstallKeyRow>(sql`
    select kid, public_key, private_key_sealed, created_at from install_keys where retired_at is null order by created_at desc, kid limit 1`);
}

export async function insertInstallKey(
  tx: Tx,
  vault: Vault,
  key: { readonly kid: string; readonly publicKey: string; readonly privateKey: Secret; readonly now: Date },
): Promise<InstallKeyRow> {
  const sealed = await vault.sealControl(tx, installKeyPlace(key.kid), key.privateKey);
  return tx.one<InstallKeyRow>(sql`
    insert into install_keys (kid, public_key, private_key_sealed, created_at)
    values (${key.kid}, ${key.publicKey}, ${sealed}, ${key.now}) returning kid, public_key, private_key_sealed, created_at`);
}

/** Ends the signing of every key that signs. Public halves stay, for what was signed just now; those of `leaked` keys go. Answers how many. */
export async function retireInstallKeys(tx: Tx, { leaked, now }: { leaked: boolean; now: Date }): Promise<number> {
  return tx.execute(
    leaked
      ? sql`delete from install_keys where retired_at is null`
      : sql`update install_keys set retired_at = ${now} where retired_at is null`,
  );
}

/** The public halves (PEM, SPKI) of those of these keys that sign or have signed. */
export async function findPublicKeys(tx: Tx, kids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await tx.query<{ kid: string; public_key: string }>(
    sql`select kid, public_key from install_keys where kid = any(${[...kids]})`,
  );
  return new Map(rows.map((row) => [row.kid, row.public_key]));
}

/**
 * Seals the private halves anew that are not sealed under the root key whose values begin with `header`. For the system role, while the
 * root key rotates.
 */
export async function resealInstallKeys(tx: Tx, vault: Vault, rootKeyId: string): Promise<number> {
  const header = controlHeader(rootKeyId);
  const rows = await tx.query<InstallKeyRow>(sql`
    select kid, public_key, private_key_sealed, created_at from install_keys
     where substring(private_key_sealed from 1 for ${header.byteLength}::int) <> ${header}`);
  for (const { kid, private_key_sealed: held } of rows) {
    const place = installKeyPlace(kid);
    const sealed = await vault.sealControl(tx, place, await vault.openControl(place, held));
    await tx.execute(sql`update install_keys set private_key_sealed = ${sealed} where kid = ${kid} and private_key_sealed = ${held}`);
  }
  return rows.length;
}
