import { describe, expect, it } from 'vitest';
import { randomBase62, systemRandom, toBase62 } from './random.ts';

describe('random bytes of the system', () => {
  it('come as many as were asked for, from one to more than are fetched at once', () => {
    for (const count of [0, 1, 12, 32, 255, 256, 257, 8_192, 10_000]) expect(systemRandom(count).byteLength).toBe(count);
  });

  it('are nobody else’s: no run of them comes twice, and whoever writes into his changes no others', () => {
    const seen = new Set<string>();
    for (let at = 0; at < 20_000; at++) {
      const bytes = systemRandom(16);
      seen.add(Buffer.from(bytes).toString('hex'));
      bytes.fill(0);
    }
    expect(seen.size).toBe(20_000);
    expect(seen.has('00'.repeat(16))).toBe(false);
  });

  it('are spread evenly', () => {
    const counts = Array.from({ length: 256 }, () => 0);
    for (let at = 0; at < 10_000; at++) for (const byte of systemRandom(24)) counts[byte]!++;
    // 937.5 of each on average; ten standard deviations to either side.
    expect(Math.min(...counts)).toBeGreaterThan(630);
    expect(Math.max(...counts)).toBeLessThan(1_245);
  });
});

describe('letters and digits', () => {
  it('are drawn from bytes below 248 only, so that none is likelier than another', () => {
    let next = 240;
    expect(randomBase62(3, (count) => Uint8Array.from({ length: count }, () => next++ % 256))).toBe(['s', 't', 'u'].join(''));
    const high = [255, 248, 61, 0, 247];
    expect(randomBase62(3, (count) => Uint8Array.from({ length: count }, (_, at) => high[at % high.length]!))).toBe('z0z');
  });

  it('a number in base 62 is padded on the left', () => {
    expect([toBase62(0, 3), toBase62(61, 2), toBase62(62, 2), toBase62(3_844, 3)]).toEqual(['000', '0z', '10', '100']);
  });
});
