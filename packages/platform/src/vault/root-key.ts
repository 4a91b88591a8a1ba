import { createHash, type KeyObject } from 'node:crypto';
import { cipherKey, open, seal, systemRandom, type Random } from '@bulkhead/base';
import { vaultErrors } from './vault-errors.ts';

/** A key that is kept outside the database. Its id is derived, so a wrong key is noticed before anything is opened. */
export interface RootKey {
  readonly id: string;
  readonly key: KeyObject;
}

export function rootKey(bytes: Uint8Array): RootKey {
  return { id: idOf('bulkhead root key', bytes), key: cipherKey(bytes) };
}

/** The wrapping key of one Application. */
export function applicationKey(bytes: Uint8Array): RootKey {
  return { id: idOf('bulkhead application key', bytes), key: cipherKey(bytes) };
}

function idOf(kind: string, bytes: Uint8Array): string {
  return createHash('sha256').update(`${kind}\0`).update(bytes).digest('hex').slice(0, 16);
}

export function wrapUnder({ key }: RootKey, plaintext: Uint8Array, boundTo: string, random: Random = systemRandom): Buffer {
  return seal(key, plaintext, boundTo, random);
}

export function unwrapUnder({ id, key }: RootKey, wrapped: Uint8Array, boundTo: string): Buffer {
  try {
    return open(key, wrapped, boundTo);
  } catch (cause) {
    throw vaultErrors('vault.unreadable', { detail: `wrapped by key ${id}`, cause });
  }
}
