import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { type Clock, defineId, Secret } from '@bulkhead/base';
import type { Database } from '@bulkhead/postgres';
import type { Vault } from '../vault/index.ts';
import {
  findPublicKeys,
  findSigningKey,
  insertInstallKey,
  installKeyPlace,
  type InstallKeyRow,
  lockInstallKeys,
} from './install-key-store.ts';

const installKeyId = defineId('ink');
/** How long a process signs with a key before it looks whether it has been replaced. */
const REMEMBERED_MS = 30_000;

export interface InstallSigningKey {
  readonly kid: string;
  readonly key: KeyObject;
}

/** A new RSA key. */
export async function makeInstallKey(): Promise<{ readonly kid: string; readonly publicKey: string; readonly privateKey: Secret }> {
  const pair = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { kid: installKeyId.generate(), publicKey: pair.publicKey, privateKey: new Secret(pair.privateKey) };
}

/** The RSA keys by which Apps know that an install comes from this host. The private half lies sealed under the root key. */
export class InstallKeys {
  readonly #parts: { readonly db: Database; readonly vault: Vault; readonly clock: Clock };
  /** Questions that have not been asked yet, and the one that is being asked. */
  #waiting: { readonly kids: Set<string>; readonly answer: Promise<ReadonlyMap<string, string>> } | undefined;
  #asking: Promise<unknown> = Promise.resolve();
  #signing: { readonly key: InstallSigningKey; readonly until: number } | undefined;

  constructor(parts: { db: Database; vault: Vault; clock: Clock }) {
    this.#parts = parts;
  }

  /** The key that signs now; made where there is none. Of several processes one makes it, the others find it. */
  async signing(): Promise<InstallSigningKey> {
    const { db, vault, clock } = this.#parts;
    if (this.#signing !== undefined && this.#signing.until > clock.now()) return this.#signing.key;
    const row = (await db.withControl('find the key that signs installs', findSigningKey)) ?? (await this.#make(new Date(clock.now())));
    const opened = await vault.openControl(installKeyPlace(row.kid), row.private_key_sealed);
    const key = { kid: row.kid, key: createPrivateKey(opened.reveal()) };
    this.#signing = { key, until: clock.now() + REMEMBERED_MS };
    return key;
  }

  /**
   * PEM, SPKI; null for a kid that never was, or that was taken away. Anybody may ask, so a process asks the database one question at a
   * time, and whoever comes meanwhile is answered by the next. Nothing is remembered: a key that was rotated a moment ago is there, one that
   * has leaked is not.
   */
  async publicKey(kid: string): Promise<string | null> {
    if (!installKeyId.is(kid)) return null;
    const { kids, answer } = (this.#waiting ??= this.#nextQuestion());
    kids.add(kid);
    return (await answer).get(kid) ?? null;
  }

  #nextQuestion(): { readonly kids: Set<string>; readonly answer: Promise<ReadonlyMap<string, string>> } {
    const kids = new Set<string>();
    const answer = this.#asking.then(() => {
      this.#waiting = undefined;
      return this.#parts.db.withControl('find the public halves of install keys', (tx) => findPublicKeys(tx, [...kids]));
    });
    this.#asking = answer.catch(() => undefined);
    return { kids, answer };
  }

  async #make(now: Date): Promise<InstallKeyRow> {
    const { db, vault } = this.#parts;
    const made = await makeInstallKey();
    return db.withControl('make the first key that signs installs', async (tx) => {
      await lockInstallKeys(tx);
      const found = await findSigningKey(tx);
      return found ?? insertInstallKey(tx, vault, { ...made, now });
    });
  }
}
