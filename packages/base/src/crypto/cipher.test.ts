import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { cipherKey, open, seal } from '../index.ts';

const key = cipherKey(randomBytes(32));
const text = Buffer.from('an upstream refresh token');

describe('a sealed value', () => {
  const sealed = seal(key, text, 'here');

  it('opens with the same key at the same place', () => {
    expect(open(key, sealed, 'here')).toEqual(text);
  });

  it('is never the same twice, and does not show its text', () => {
    expect(seal(key, text, 'here')).not.toEqual(sealed);
    expect(sealed.includes(text)).toBe(false);
  });

  it('does not open elsewhere, nor with another key', () => {
    expect(() => open(key, sealed, 'there')).toThrow();
    expect(() => open(cipherKey(randomBytes(32)), sealed, 'here')).toThrow();
  });

  it('does not open when a bit is flipped, anywhere', () => {
    for (let at = 0; at < sealed.byteLength; at++) {
      const broken = Buffer.from(sealed);
      broken[at]! ^= 1;
      expect(() => open(key, broken, 'here')).toThrow();
    }
  });

  it('does not open with its tag cut short', () => {
    const [nonce, tag, body] = [sealed.subarray(0, 12), sealed.subarray(12, 28), sealed.subarray(28)];
    for (let length = 0; length < 16; length++) {
      expect(() => open(key, Buffer.concat([nonce, tag.subarray(0, length), body]), 'here'), `${length} bytes of the tag`).toThrow();
      // A short tag that stands where a whole one is expected, with an empty text: what an unpinned length would let through.
      expect(() => open(key, Buffer.concat([nonce, tag.subarray(0, length)]), 'here'), `${length} bytes and nothing else`).toThrow();
    }
    for (let length = 0; length < sealed.byteLength; length++) expect(() => open(key, sealed.subarray(0, length), 'here')).toThrow();
    expect(open(key, Buffer.concat([nonce, tag, body]), 'here')).toEqual(text);
  });
});
