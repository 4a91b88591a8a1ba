import type { ApplicationKeys, KeyService, RetiredKey } from './key-service.ts';
import { type RootKey, rootKey, unwrapUnder, wrapUnder } from './root-key.ts';
import { vaultErrors } from './vault-errors.ts';

/**
 * Root keys given by the operator: the one to use, and those before it while a rotation lasts. Made and destroyed elsewhere.
 * Several processes must be given the same.
 */
export class EnvironmentKeys implements KeyService {
  readonly backEnd = 'environment';
  readonly applicationKeys: ApplicationKeys | null;
  readonly #keys: readonly RootKey[];

  /** `bytes` are 32 each, the key to use first. */
  constructor(bytes: readonly [Uint8Array, ...Uint8Array[]], applicationKeys: ApplicationKeys | null = null) {
    this.#keys = bytes.map(rootKey);
    this.applicationKeys = applicationKeys;
  }

  async rootKeyIds(): Promise<readonly string[]> {
    return this.#keys.map(({ id }) => id);
  }

  async wrap(rootKeyId: string, plaintext: Uint8Array, boundTo: string): Promise<Buffer> {
    return wrapUnder(this.#key(rootKeyId), plaintext, boundTo);
  }

  async unwrap(rootKeyId: string, wrapped: Uint8Array, boundTo: string): Promise<Buffer> {
    return unwrapUnder(this.#key(rootKeyId), wrapped, boundTo);
  }

  async nextRootKey(current: string): Promise<string | null> {
    const [first] = this.#keys;
    return first === undefined || first.id === current ? null : first.id;
  }

  async retire(): Promise<RetiredKey> {
    return 'with the operator';
  }

  #key(rootKeyId: string): RootKey {
    const found = this.#keys.find(({ id }) => id === rootKeyId);
    if (found === undefined) throw vaultErrors('vault.unreadable', { detail: `root key ${rootKeyId} is not at hand` });
    return found;
  }
}
