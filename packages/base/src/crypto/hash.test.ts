import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hmacSha256, sha256 } from './hash.ts';

// FIPS 180-4, by its published examples.
it.each([
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['\u00e9\u{1f6a2}', createHash('sha256').update('\u00e9\u{1f6a2}', 'utf8').digest('hex')],
])('SHA-256 is that of the UTF-8 bytes of the text', (text, expected) => {
  expect(sha256(text).toString('hex')).toBe(expected);
});

describe('HMAC-SHA256', () => {
  // RFC 4231 §4.2, §4.3, §4.7.
  it.each([
    [Buffer.alloc(20, 0x0b), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    ['Jefe', 'what do ya want for nothing?', '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'],
    [
      Buffer.alloc(131, 0xaa),
      'Test Using Larger Than Block-Size Key - Hash Key First',
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
  ])('is that of the standard', (key, text, expected) => {
    expect(hmacSha256(key, text).toString('hex')).toBe(expected);
  });

  it('of parts is that of the whole, and an empty key is a key', () => {
    expect(hmacSha256('key', 'a', Buffer.from('b'))).toEqual(hmacSha256('key', 'ab'));
    expect(hmacSha256('', 'a')).not.toEqual(hmacSha256('key', 'a'));
  });
});
