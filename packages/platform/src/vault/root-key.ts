import { createHash, type KeyObject } from 'node:crypto';
import { cipherKey } from '@bulkhead/base';

/** The key that wraps every Application's data key. Its id is derived, so a wrong key is noticed before anything is opened. */
export interface RootKey {
  readonly id: string;
  readonly key: KeyObject;
}

export function rootKey(bytes: Uint8Array): RootKey {
  return { id: createHash('sha256').update('bulkhead root key\0').update(bytes).digest('hex').slice(0, 16), key: cipherKey(bytes) };
}
