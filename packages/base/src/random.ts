import { randomBytes } from 'node:crypto';

/** Source of random bytes. Injected, so that a test can repeat a run. */
export type Random = (byteCount: number) => Uint8Array;

const POOL_BYTES = 8_192;
const FROM_POOL_MAX = 256;
let pool = Buffer.alloc(0);
let used = 0;

/** Of the system's generator. Asked for a few bytes it takes many at once, since each question costs more than the bytes; none is kept once it is given out. */
export const systemRandom: Random = (byteCount) => {
  if (byteCount > FROM_POOL_MAX) return randomBytes(byteCount);
  if (used + byteCount > pool.length) {
    pool = randomBytes(POOL_BYTES);
    used = 0;
  }
  const bytes = Uint8Array.prototype.slice.call(pool, used, used + byteCount);
  pool.fill(0, used, used + byteCount);
  used += byteCount;
  return bytes;
};

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * A string of `length` letters and digits, each drawn evenly (5.95 bits apiece).
 * Bytes of 248 and above are drawn again, so no letter is likelier than another.
 */
export function randomBase62(length: number, random: Random = systemRandom): string {
  let text = '';
  while (text.length < length) {
    for (const byte of random(length - text.length + 8)) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
  }
  return text;
}

/** `value` in base 62, padded on the left with `0` to `width`. */
export function toBase62(value: number, width: number): string {
  let rest = value;
  let text = '';
  while (rest > 0) {
    text = ALPHABET[rest % 62] + text;
    rest = Math.floor(rest / 62);
  }
  return text.padStart(width, '0');
}
