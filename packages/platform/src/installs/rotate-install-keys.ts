import type { Database } from '@bulkhead/postgres';
import type { Vault } from '../vault/index.ts';
import { insertInstallKey, lockInstallKeys, retireInstallKeys } from './install-key-store.ts';
import { makeInstallKey } from './install-keys.ts';

export interface InstallKeyRotation {
  /** The kid that signs from now on; a running process takes it up within half a minute. */
  readonly kid: string;
  /** How many signed until now. */
  readonly retired: number;
}

/**
 * Puts a new install key into the place of the old, beside running servers. The public half of the old one is shown on, for what it has
 * signed in the last minutes; `leaked`: it is shown no more, so that nothing it signs is believed from now on.
 */
export async function rotateInstallKeys(
  { db, vault }: { db: Database; vault: Vault },
  { leaked, now }: { leaked: boolean; now: Date },
): Promise<InstallKeyRotation> {
  const made = await makeInstallKey();
  return db.withControl('rotate the key that signs installs', async (tx) => {
    await lockInstallKeys(tx);
    const retired = await retireInstallKeys(tx, { leaked, now });
    await insertInstallKey(tx, vault, { ...made, now });
    return { kid: made.kid, retired };
  });
}
