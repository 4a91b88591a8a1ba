import type { KeyObject } from 'node:crypto';
import { type ApplicationId, cipherKey, type Clock, open, type Random, Secret, seal, systemRandom } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import {
  dataKeysOf,
  type DataKeyRow,
  findDataKey,
  insertDataKey,
  lockNewestVersion,
  lockRootKeyId,
  rootKeysThatOpenAlone,
} from './data-key-store.ts';
import type { KeyService } from './key-service.ts';
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
  readonly until: number;
}

const KEY_CACHE_MAX = 10_000;
const KEY_CACHE_MS = 30_000;
const DATA_KEY_BYTES = 32;
const HEADER_BYTES = 4;
/** The largest number that the column of versions holds. */
const VERSION_MAX = 2 ** 31 - 1;
const ROOT_KEY_ID_BYTES = 8;
/** How often the newest version is looked for again where it was replaced in between. */
const NEWEST_TRIES = 5;

/** The first bytes of whatever is sealed under this version of a data key. */
export function sealedHeader(version: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(version);
  return header;
}

/** The first bytes of whatever of the control plane is sealed under this root key. */
export function controlHeader(rootKeyId: string): Buffer {
  return Buffer.from(rootKeyId, 'hex');
}

/**
 * Envelope encryption: the keys outside the database wrap one data key per Application, the data key seals its secrets
 * (AES-256-GCM). Sealed form: data key version (4 bytes, big endian), then what `base.seal` makes. Bound to tenant, table,
 * column, row, value version and key version. Without the Application's key nothing of it opens again (crypto-shredding).
 */
/** Seals a secret for a place of one Application. */
export type Sealer = (place: Place, secret: Secret) => Buffer;

export class Vault {
  readonly keys: KeyService;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #cache = new Map<string, RememberedKey>();
  #sweptAt = 0;

  constructor(options: { keys: KeyService; clock: Clock; random?: Random }) {
    this.keys = options.keys;
    this.#clock = options.clock;
    this.#random = options.random ?? systemRandom;
  }

  /**
   * Gives an Application a data key, its first or one that takes the place of the newest: what is sealed from the commit on is
   * sealed under it. For the system role. False where another process was quicker.
   */
  async createDataKey(tx: Tx, applicationId: ApplicationId): Promise<boolean> {
    const [rootKeyId, older] = await Promise.all([lockRootKeyId(tx), dataKeysOf(tx, applicationId)]);
    const version = (older[0]?.version ?? 0) + 1;
    const aloneUnder = older.flatMap((row) => [...row.alone_under, ...(row.application_key_id === null ? [row.root_key_id] : [])]);
    const wrapped = await this.wrapDataKey({ applicationId, version, rootKeyId }, this.#random(DATA_KEY_BYTES));
    return insertDataKey(tx, { ...wrapped, alone_under: [...new Set(aloneUnder)].sort() });
  }

  /**
   * The first data key of an Application that this very transaction makes, and of which nobody else can know. `written` says when it is
   * there; what is sealed under it meanwhile may follow in the same flight.
   */
  async createFirstDataKey(tx: Tx, applicationId: ApplicationId): Promise<{ readonly seal: Sealer; readonly written: Promise<void> }> {
    const version = 1;
    const rootKeyId = await lockRootKeyId(tx);
    const bytes = this.#random(DATA_KEY_BYTES);
    const wrapped = await this.wrapDataKey({ applicationId, version, rootKeyId }, bytes);
    const written = insertDataKey(tx, { ...wrapped, alone_under: [] }).then((isFirst) => {
      if (!isFirst) throw new TypeError('this Application has a data key already');
    });
    return { seal: this.#sealerUnder(cipherKey(bytes), version, applicationId), written };
  }

  /** A data key under the root key and, where there is a place for one, the Application's own key. */
  async wrapDataKey(
    { applicationId, version, rootKeyId }: { applicationId: ApplicationId; version: number; rootKeyId: string },
    bytes: Uint8Array,
  ): Promise<Omit<DataKeyRow, 'alone_under'>> {
    const { applicationKeys } = this.keys;
    const applicationKeyId = applicationKeys === null ? null : await applicationKeys.ensure(applicationId);
    const boundTo = wrapBinding(applicationId, version);
    const inner =
      applicationKeys === null || applicationKeyId === null
        ? bytes
        : await applicationKeys.wrap(applicationId, applicationKeyId, bytes, `${boundTo}|${applicationKeyId}`);
    return {
      application_id: applicationId,
      version,
      root_key_id: rootKeyId,
      application_key_id: applicationKeyId,
      wrapped_key: await this.keys.wrap(rootKeyId, inner, `${boundTo}|${rootKeyId}`),
    };
  }

  /** The same row under another root key, and otherwise as it is. */
  async rewrapOuter(row: DataKeyRow, rootKeyId: string): Promise<Omit<DataKeyRow, 'alone_under'>> {
    const boundTo = wrapBinding(row.application_id, row.version);
    const inner = await this.keys.unwrap(row.root_key_id, row.wrapped_key, `${boundTo}|${row.root_key_id}`);
    return { ...row, root_key_id: rootKeyId, wrapped_key: await this.keys.wrap(rootKeyId, inner, `${boundTo}|${rootKeyId}`) };
  }

  /** The same row under another root key. The Application's own key, where it has none yet, comes with it. */
  async rewrapDataKey(row: DataKeyRow, rootKeyId: string): Promise<Omit<DataKeyRow, 'alone_under'>> {
    if (row.application_key_id !== null) return this.rewrapOuter(row, rootKeyId);
    const boundTo = wrapBinding(row.application_id, row.version);
    const bytes = await this.keys.unwrap(row.root_key_id, row.wrapped_key, `${boundTo}|${row.root_key_id}`);
    return this.wrapDataKey({ applicationId: row.application_id, version: row.version, rootKeyId }, bytes);
  }

  /** Seals under the newest data key of the place's Application. The transaction must be scoped to that Application, and write it. */
  async seal(tx: Tx, place: Place, secret: Secret): Promise<Buffer> {
    return (await this.sealer(tx, place.applicationId))(place, secret);
  }

  /**
   * `seal` for many secrets of one Application: its newest data key is looked for once, and held until the transaction ends. Throws a
   * TypeError for a place of another Application.
   */
  async sealer(tx: Tx, applicationId: ApplicationId): Promise<Sealer> {
    const version = await newestVersion(tx, applicationId);
    return this.#sealerUnder(await this.#keyOf(tx, applicationId, version), version, applicationId);
  }

  #sealerUnder(key: KeyObject, version: number, applicationId: ApplicationId): Sealer {
    return (place, secret) => {
      if (place.applicationId !== applicationId) throw new TypeError('a secret is sealed under the data key of its own Application');
      return this.#sealUnder(key, version, place, secret);
    };
  }

  #sealUnder(key: KeyObject, version: number, place: Place, secret: Secret): Buffer {
    return Buffer.concat([sealedHeader(version), seal(key, Buffer.from(secret.reveal(), 'utf8'), binding(place, version), this.#random)]);
  }

  /** Opens what `seal` made for the very same place. */
  async open(tx: Tx, place: Place, sealed: Uint8Array): Promise<Secret> {
    const bytes = Buffer.from(sealed);
    if (bytes.byteLength < HEADER_BYTES) throw vaultErrors('vault.unreadable', { detail: 'cut value' });
    const version = bytes.readUInt32BE();
    if (version > VERSION_MAX) throw vaultErrors('vault.unreadable', { detail: 'no such version' });
    const key = await this.#keyOf(tx, place.applicationId, version);
    try {
      return new Secret(open(key, bytes.subarray(HEADER_BYTES), binding(place, version)).toString('utf8'));
    } catch (cause) {
      throw vaultErrors('vault.unreadable', { detail: `${place.table}.${place.column}`, cause });
    }
  }

  /**
   * For the few secrets of the control plane that belong to no Application; `boundTo` names their place. Sealed form: id of the root
   * key (8 bytes), then what it wrapped. The transaction must write it, and be one that sees the control tables.
   */
  async sealControl(tx: Tx, boundTo: string, secret: Secret): Promise<Buffer> {
    const rootKeyId = await lockRootKeyId(tx);
    const wrapped = await this.keys.wrap(rootKeyId, Buffer.from(secret.reveal(), 'utf8'), controlBinding(boundTo, rootKeyId));
    return Buffer.concat([controlHeader(rootKeyId), wrapped]);
  }

  async openControl(boundTo: string, sealed: Uint8Array): Promise<Secret> {
    const bytes = Buffer.from(sealed);
    const rootKeyId = bytes.subarray(0, ROOT_KEY_ID_BYTES).toString('hex');
    const opened = await this.keys.unwrap(rootKeyId, bytes.subarray(ROOT_KEY_ID_BYTES), controlBinding(boundTo, rootKeyId));
    return new Secret(opened.toString('utf8'));
  }

  /**
   * Destroys what opens an Application's data keys outside the database, where there is such a thing, and forgets them here; other
   * processes forget within 30 s. Answers the root keys that open it in older dumps all the same: it ends there when they do.
   */
  async shred(tx: Tx, applicationId: ApplicationId): Promise<readonly string[]> {
    const alone = await rootKeysThatOpenAlone(tx, applicationId);
    await this.keys.applicationKeys?.destroy(applicationId);
    for (const name of this.#cache.keys()) if (name.startsWith(`${applicationId}|`)) this.#cache.delete(name);
    return alone;
  }

  async #keyOf(tx: Tx, applicationId: ApplicationId, version: number): Promise<KeyObject> {
    const name = `${applicationId}|${version}`;
    const remembered = this.#cache.get(name);
    if (remembered !== undefined && remembered.until >= this.#clock.now()) return remembered.key;
    const row = await findDataKey(tx, applicationId, version);
    if (row === null) throw vaultErrors('vault.unreadable', { detail: 'no data key' });
    const bytes = await this.#unwrap(row);
    if (bytes.byteLength !== DATA_KEY_BYTES) throw vaultErrors('vault.unreadable', { detail: 'not a data key' });
    const key = cipherKey(bytes);
    this.#remember(name, key);
    return key;
  }

  async #unwrap(row: DataKeyRow): Promise<Buffer> {
    const { application_id: applicationId, application_key_id: applicationKeyId } = row;
    const boundTo = wrapBinding(applicationId, row.version);
    const inner = await this.keys.unwrap(row.root_key_id, row.wrapped_key, `${boundTo}|${row.root_key_id}`);
    if (applicationKeyId === null) return inner;
    const { applicationKeys } = this.keys;
    if (applicationKeys === null) throw vaultErrors('vault.unreadable', { detail: 'this process was given no key folder' });
    return applicationKeys.unwrap(applicationId, applicationKeyId, inner, `${boundTo}|${applicationKeyId}`);
  }

  #remember(name: string, key: KeyObject): void {
    const now = this.#clock.now();
    if (now - this.#sweptAt > KEY_CACHE_MS) {
      // A key that nobody has asked for in a while does not stay in memory.
      for (const [known, { until }] of this.#cache) if (until < now) this.#cache.delete(known);
      this.#sweptAt = now;
    }
    if (this.#cache.size >= KEY_CACHE_MAX) this.#cache.delete(this.#cache.keys().next().value!);
    this.#cache.set(name, { key, until: now + KEY_CACHE_MS });
  }
}

async function newestVersion(tx: Tx, applicationId: ApplicationId): Promise<number> {
  for (let attempt = 1; attempt <= NEWEST_TRIES; attempt++) {
    const version = await lockNewestVersion(tx, applicationId);
    if (version !== null) return version;
  }
  throw vaultErrors('vault.unreadable', { detail: 'no data key' });
}

function binding(place: Place, keyVersion: number): string {
  return [place.applicationId, place.table, place.column, place.row, place.version ?? 0, `k${keyVersion}`].join('|');
}

function wrapBinding(applicationId: ApplicationId, version: number): string {
  return ['data_keys', applicationId, version].join('|');
}

function controlBinding(boundTo: string, rootKeyId: string): string {
  return `control|${boundTo}|${rootKeyId}`;
}
