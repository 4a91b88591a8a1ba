import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { type ApplicationId, type Random, randomBase62, systemRandom } from '@bulkhead/base';
import { readKeyFile, shredFile, writeNewFile, writeNewKeyFile } from '../config/index.ts';
import type { ApplicationKeys } from './key-service.ts';
import { applicationKey, type RootKey, unwrapUnder, wrapUnder } from './root-key.ts';
import { vaultErrors } from './vault-errors.ts';

/**
 * A folder with one small file per Application, in 256 or more sub-folders. Every process on the database must see the same one;
 * it must be as durable as the database, and backed up apart from it.
 */
export class ApplicationKeyFolder implements ApplicationKeys {
  readonly #folder: string;
  readonly #random: Random;

  constructor(folder: string, random: Random = systemRandom) {
    this.#folder = folder;
    this.#random = random;
  }

  async placeId(): Promise<string | null> {
    try {
      return (await readFile(this.#idPath, 'utf8')).trim();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  async setUp(): Promise<string> {
    await writeNewFile(this.#idPath, randomBase62(22, this.#random));
    return (await this.placeId())!;
  }

  async ensure(applicationId: ApplicationId): Promise<string> {
    const there = await this.#read(applicationId);
    if (there !== null) return there.id;
    await writeNewKeyFile(this.#path(applicationId), this.#random(32));
    return (await this.#read(applicationId))!.id;
  }

  async has(applicationId: ApplicationId, keyId: string): Promise<boolean> {
    return (await this.#read(applicationId))?.id === keyId;
  }

  async wrap(applicationId: ApplicationId, keyId: string, plaintext: Uint8Array, boundTo: string): Promise<Buffer> {
    return wrapUnder(await this.#key(applicationId, keyId), plaintext, boundTo);
  }

  async unwrap(applicationId: ApplicationId, keyId: string, wrapped: Uint8Array, boundTo: string): Promise<Buffer> {
    return unwrapUnder(await this.#key(applicationId, keyId), wrapped, boundTo);
  }

  async destroy(applicationId: ApplicationId): Promise<void> {
    await shredFile(this.#path(applicationId), this.#random);
  }

  get #idPath(): string {
    return join(this.#folder, 'folder.id');
  }

  #path(applicationId: ApplicationId): string {
    return join(this.#folder, applicationId.slice(-2), `${applicationId}.key`);
  }

  async #key(applicationId: ApplicationId, keyId: string): Promise<RootKey> {
    const found = await this.#read(applicationId);
    if (found?.id !== keyId)
      throw vaultErrors('vault.unreadable', { detail: `the key ${keyId} of ${applicationId} is not in the key folder` });
    return found;
  }

  async #read(applicationId: ApplicationId): Promise<RootKey | null> {
    const bytes = await readKeyFile(this.#path(applicationId));
    return bytes === null ? null : applicationKey(bytes);
  }
}
