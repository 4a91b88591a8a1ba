import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Random, systemRandom } from '@bulkhead/base';
import { ConfigError, loadRootKey, readKeyFile, replaceFile, rootKeyPath, shredFile, writeNewKeyFile } from '../config/index.ts';
import type { ApplicationKeys, KeyService, RetiredKey } from './key-service.ts';
import { type RootKey, rootKey, unwrapUnder, wrapUnder } from './root-key.ts';
import { vaultErrors } from './vault-errors.ts';

export interface FileKeysOptions {
  readonly dataDir: string;
  /** Whether the database is new: only then may the first root key be made. */
  readonly mayCreate: boolean;
  readonly applicationKeys?: ApplicationKeys | null;
  readonly random?: Random;
}

/** A root key that was made for a rotation, until it takes the place of `root.key`. */
const NEXT = /^root\.([0-9a-f]{16})\.key$/;
/** What a kill may leave of a key that is on its way in or out. */
const LEFT_OVER = /^root\.([0-9a-f]{16})\.(?:retiring(?:\.\w{12})?|key(?:\.\w{12})?)$/;

/**
 * Root keys in the data folder: `root.key`, beside it `root.{id}.key` while a rotation lasts. Processes that share the folder
 * find a new key by its id without being restarted. Never made anew over existing data.
 */
export class FileKeys implements KeyService {
  readonly backEnd = 'file';
  readonly applicationKeys: ApplicationKeys | null;
  readonly #dataDir: string;
  readonly #random: Random;
  #keys: readonly RootKey[] = [];

  private constructor({ dataDir, applicationKeys, random }: FileKeysOptions) {
    this.#dataDir = dataDir;
    this.#random = random ?? systemRandom;
    this.applicationKeys = applicationKeys ?? null;
  }

  /** Throws `ConfigError` where the key is missing over existing data, or its file holds something else. */
  static async open(options: FileKeysOptions): Promise<FileKeys> {
    await loadRootKey({ kind: 'data-dir' }, options.dataDir, options.mayCreate, options.random);
    const keys = new FileKeys(options);
    await keys.#load();
    return keys;
  }

  async rootKeyIds(): Promise<readonly string[]> {
    return (await this.#load()).map(({ id }) => id);
  }

  async wrap(rootKeyId: string, plaintext: Uint8Array, boundTo: string): Promise<Buffer> {
    return wrapUnder(await this.#key(rootKeyId), plaintext, boundTo);
  }

  async unwrap(rootKeyId: string, wrapped: Uint8Array, boundTo: string): Promise<Buffer> {
    return unwrapUnder(await this.#key(rootKeyId), wrapped, boundTo);
  }

  /** What a killed rotation has made is taken up again. */
  async nextRootKey(current: string): Promise<string> {
    const made = (await this.#load()).find(({ id }) => id !== current);
    if (made !== undefined) return made.id;
    const bytes = this.#random(32);
    const { id } = rootKey(bytes);
    await writeNewKeyFile(join(this.#dataDir, `root.${id}.key`), bytes);
    await this.#load();
    return id;
  }

  async retire(old: string, active: string, { keepOld }: { readonly keepOld: boolean }): Promise<RetiredKey> {
    const main = rootKeyPath(this.#dataDir);
    const next = join(this.#dataDir, `root.${active}.key`);
    const bytes = await readKeyFile(main);
    if (bytes !== null && rootKey(bytes).id === old) {
      await this.#read(next);
      // The new key takes the place in one step: at no moment is there none. The old one lies aside until then.
      await writeNewKeyFile(join(this.#dataDir, `root.${old}.${keepOld ? 'retired' : 'retiring'}`), bytes);
      await replaceFile(next, main);
    }
    for (const name of await readdir(this.#dataDir))
      if (LEFT_OVER.exec(name)?.[1] === old) await shredFile(join(this.#dataDir, name), this.#random);
    await this.#load();
    return keepOld ? 'kept' : 'destroyed';
  }

  async #key(rootKeyId: string): Promise<RootKey> {
    const find = (keys: readonly RootKey[]) => keys.find(({ id }) => id === rootKeyId);
    // Unknown: another process may have rotated. The folder says.
    const found = find(this.#keys) ?? find(await this.#load());
    if (found === undefined) throw vaultErrors('vault.unreadable', { detail: `root key ${rootKeyId} is not in ${this.#dataDir}` });
    return found;
  }

  async #load(): Promise<readonly RootKey[]> {
    const names = (await readdir(this.#dataDir)).filter((name) => NEXT.test(name)).sort();
    const beside = await Promise.all(names.map((name) => readKeyFile(join(this.#dataDir, name))));
    const main = await this.#read(rootKeyPath(this.#dataDir));
    const others = beside.filter((bytes) => bytes !== null).map(rootKey);
    this.#keys = [main, ...others.filter(({ id }) => id !== main.id)];
    return this.#keys;
  }

  async #read(path: string): Promise<RootKey> {
    const bytes = await readKeyFile(path);
    if (bytes === null) throw new ConfigError('BULKHEAD_ROOT_KEY', `a readable file at ${path}`);
    return rootKey(bytes);
  }
}
