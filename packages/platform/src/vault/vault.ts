import type { KeyObject } from 'node:crypto';
import { type ApplicationId, cipherKey, type Clock, open, type Random, Secret, seal, systemRandom } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import type { RootKey } from './root-key.ts';
import { vaultErrors } from './vault-errors.ts';

/** Where a sealed value lives. It opens there and nowhere else. */
export interface Place {
  readonly applicationId: ApplicationId;
  readonly table: string;
  readonly column: string;
  readonly row: string;
  /** Version of the row's value, where it has one: an older sealed value does not open as a newer. */
  readonly version?: number;
}

interface RememberedKey {
  readonly key: KeyObject;
  readonly version: number;
  readonly until: number;
}

const KEY_CACHE_MAX = 10_000;
const KEY_CACHE_MS = 30_000;
const HEADER_BYTES = 4;

/**
 * Envelope encryption: the root key wraps one data key per Application, the data key seals its secrets (AES-256-GCM).
 * Sealed form: data key version (4 bytes, big endian), then what `base.seal` makes. Bound to tenant, table, column, row,
 * value version and key version. Without the Application's `data_keys` row nothing of it opens again (crypto-shredding).
 */
export class Vault {
  readonly #rootKey: RootKey;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #cache = new Map<string, RememberedKey>();

  constructor(options: { rootKey: RootKey; clock: Clock; random?: Random }) {
    this.#rootKey = options.rootKey;
    this.#clock = options.clock;
    this.#random = options.random ?? systemRandom;
  }

  /** Gives a new Application its first data key. */
  async createDataKey(tx: Tx, applicationId: ApplicationId): Promise<void> {
    const bytes = this.#random(32);
    const wrapped = seal(this.#rootKey.key, bytes, wrapBinding(applicationId, 1, this.#rootKey.id), this.#random);
    await tx.execute(sql`
      insert into data_keys (application_id, version, root_key_id, wrapped_key)
      values (${applicationId}, 1, ${this.#rootKey.id}, ${wrapped})`);
  }

  /** Seals under the newest data key of the place's Application. The transaction must be scoped to that Application. */
  async seal(tx: Tx, place: Place, secret: Secret): Promise<Buffer> {
    const { version, key } = await this.#newestKey(tx, place.applicationId);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(version);
    return Buffer.concat([header, seal(key, Buffer.from(secret.reveal(), 'utf8'), binding(place, version), this.#random)]);
  }

  /** Opens what `seal` made for the very same place. */
  async open(tx: Tx, place: Place, sealed: Uint8Array): Promise<Secret> {
    const bytes = Buffer.from(sealed);
    if (bytes.byteLength < HEADER_BYTES) throw vaultErrors('vault.unreadable', { detail: 'cut value' });
    const version = bytes.readUInt32BE();
    const key = await this.#keyOf(tx, place.applicationId, version);
    try {
      return new Secret(open(key, bytes.subarray(HEADER_BYTES), binding(place, version)).toString('utf8'));
    } catch (cause) {
      throw vaultErrors('vault.unreadable', { detail: `${place.table}.${place.column}`, cause });
    }
  }

  /** For the few secrets of the control plane, which have no tenant; `boundTo` names their place. */
  sealControl(boundTo: string, secret: Secret): Buffer {
    return seal(this.#rootKey.key, Buffer.from(secret.reveal(), 'utf8'), `control|${boundTo}|${this.#rootKey.id}`, this.#random);
  }

  openControl(boundTo: string, sealed: Uint8Array): Secret {
    try {
      return new Secret(open(this.#rootKey.key, sealed, `control|${boundTo}|${this.#rootKey.id}`).toString('utf8'));
    } catch (cause) {
      throw vaultErrors('vault.unreadable', { detail: boundTo, cause });
    }
  }

  /** Forgets an Application's keys in this process; others forget within 30 s. */
  forget(applicationId: ApplicationId): void {
    for (const name of this.#cache.keys()) if (name.startsWith(`${applicationId}|`)) this.#cache.delete(name);
  }

  async #newestKey(tx: Tx, applicationId: ApplicationId): Promise<{ version: number; key: KeyObject }> {
    const newest = this.#remembered(`${applicationId}|newest`);
    if (newest !== null) return newest;
    const row = await tx.one<{ version: number; wrapped_key: Buffer; root_key_id: string }>(sql`
      select version, wrapped_key, root_key_id from data_keys
       where application_id = ${applicationId} order by version desc limit 1`);
    const key = this.#unwrap(applicationId, row);
    this.#remember(`${applicationId}|newest`, key, row.version);
    return { version: row.version, key };
  }

  async #keyOf(tx: Tx, applicationId: ApplicationId, version: number): Promise<KeyObject> {
    const name = `${applicationId}|${version}`;
    const remembered = this.#remembered(name);
    if (remembered !== null) return remembered.key;
    const row = await tx.maybe<{ version: number; wrapped_key: Buffer; root_key_id: string }>(sql`
      select version, wrapped_key, root_key_id from data_keys where application_id = ${applicationId} and version = ${version}`);
    if (row === null) throw vaultErrors('vault.unreadable', { detail: 'no data key' });
    const key = this.#unwrap(applicationId, row);
    this.#remember(name, key, version);
    return key;
  }

  #unwrap(applicationId: ApplicationId, row: { version: number; wrapped_key: Buffer; root_key_id: string }): KeyObject {
    try {
      return cipherKey(open(this.#rootKey.key, row.wrapped_key, wrapBinding(applicationId, row.version, row.root_key_id)));
    } catch (cause) {
      throw vaultErrors('vault.unreadable', { detail: `data key wrapped by root key ${row.root_key_id}`, cause });
    }
  }

  #remembered(name: string): RememberedKey | null {
    const entry = this.#cache.get(name);
    if (entry === undefined || entry.until < this.#clock.now()) return null;
    return entry;
  }

  #remember(name: string, key: KeyObject, version: number): void {
    if (this.#cache.size >= KEY_CACHE_MAX) this.#cache.delete(this.#cache.keys().next().value!);
    this.#cache.set(name, { key, version, until: this.#clock.now() + KEY_CACHE_MS });
  }
}

function binding(place: Place, keyVersion: number): string {
  return [place.applicationId, place.table, place.column, place.row, place.version ?? 0, `k${keyVersion}`].join('|');
}

function wrapBinding(applicationId: ApplicationId, version: number, rootKeyId: string): string {
  return ['data_keys', applicationId, version, rootKeyId].join('|');
}
