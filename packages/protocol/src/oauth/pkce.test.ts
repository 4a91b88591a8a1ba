import { describe, expect, test } from 'vitest';
import { codeChallenge, codeVerifier, matchesChallenge, s256Challenge } from './pkce.ts';

describe('RFC 7636 PKCE', () => {
  const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

  test('the example of Appendix B holds', () => {
    expect(s256Challenge(verifier)).toBe(challenge);
    expect(matchesChallenge(verifier, challenge)).toBe(true);
  });

  test('another verifier, or the challenge itself as with "plain", does not match', () => {
    expect(matchesChallenge(`${verifier.slice(0, -1)}l`, challenge)).toBe(false);
    expect(matchesChallenge(challenge, challenge)).toBe(false);
  });

  test.each(['a'.repeat(42), 'a'.repeat(129), `${'a'.repeat(42)}+`, `${'a'.repeat(42)}\n`, ''])('%j is no verifier', (text) => {
    expect(codeVerifier.safeParse(text).success).toBe(false);
  });

  test.each([challenge.slice(1), `${challenge}=`, challenge.replace('-', '+')])('%j is no challenge', (text) => {
    expect(codeChallenge.safeParse(text).success).toBe(false);
    expect(codeChallenge.safeParse(challenge).success).toBe(true);
  });
});
