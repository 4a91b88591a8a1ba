import { randomBytes } from 'node:crypto';
import { cipherKey, constantTimeEqual, open, seal, sha256 } from '@bulkhead/base';

/** 32 random bytes each. `current` seals; `former` ones still open, until every tenant was written again. */
export interface SealingKeys {
  readonly current: Uint8Array;
  readonly former?: readonly Uint8Array[];
}

const VERSION = 1;
const KEY_ID_BYTES = 4;
const DATA_KEY_BYTES = 32;
/** Nonce, tag and the data key. */
const WRAPPED_BYTES = 12 + 16 + DATA_KEY_BYTES;

/**
 * `version | key id | wrapped data key | sealed text`: AES-256-GCM under a data key of this value's own, which is sealed under the current
 * key. Both are bound to `place`, so that a value opens where it was made for and nowhere else.
 */
export function sealEnvelope(keys: SealingKeys, text: string, place: string): Buffer {
  const dataKey = randomBytes(DATA_KEY_BYTES);
  const wrapped = seal(cipherKey(keys.current), dataKey, `data key of ${place}`);
  const sealed = seal(cipherKey(dataKey), Buffer.from(text, 'utf8'), place);
  return Buffer.concat([Buffer.from([VERSION]), keyId(keys.current), wrapped, sealed]);
}

/** Opens what `sealEnvelope` made. Throws for another place, another key, or a changed or cut value. */
export function openEnvelope(keys: SealingKeys, envelope: Uint8Array, place: string): string {
  const bytes = Buffer.from(envelope);
  if (bytes[0] !== VERSION || bytes.byteLength < 1 + KEY_ID_BYTES + WRAPPED_BYTES) throw new RangeError('this is no envelope');
  const id = bytes.subarray(1, 1 + KEY_ID_BYTES);
  const key = [keys.current, ...(keys.former ?? [])].find((candidate) => constantTimeEqual(keyId(candidate), id));
  if (key === undefined) throw new RangeError('sealed under a key that is not here');
  const wrapped = bytes.subarray(1 + KEY_ID_BYTES, 1 + KEY_ID_BYTES + WRAPPED_BYTES);
  const dataKey = open(cipherKey(key), wrapped, `data key of ${place}`);
  return open(cipherKey(dataKey), bytes.subarray(1 + KEY_ID_BYTES + WRAPPED_BYTES), place).toString('utf8');
}

/** Throws for a key that is none: at the start, not at the first install. */
export function assertSealingKeys(keys: SealingKeys): void {
  for (const key of [keys.current, ...(keys.former ?? [])]) cipherKey(key);
}

function keyId(key: Uint8Array): Buffer {
  return sha256(`app-kit key id ${Buffer.from(key).toString('hex')}`).subarray(0, KEY_ID_BYTES);
}
