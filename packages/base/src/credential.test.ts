import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applicationId, defineTenantCredential, sha256 } from './index.ts';

const apiKey = defineTenantCredential('bhk');
const owner = applicationId.generate();

describe('a credential that names its tenant', () => {
  it('parses to its tenant and hash', () => {
    const issued = apiKey.issue(owner);
    expect(apiKey.parse(issued.secret.reveal())).toEqual({ applicationId: owner, hash: issued.hash });
    expect(issued.hash).toEqual(sha256(issued.secret.reveal()));
  });

  it('holds 43 random letters and digits, so two are never alike', () => {
    expect(apiKey.issue(owner).secret.reveal()).toMatch(/^bhk_[0-9A-Za-z]{22}_[0-9A-Za-z]{49}$/);
    expect(apiKey.issue(owner).hash).not.toEqual(apiKey.issue(owner).hash);
  });

  it('is refused by its checksum when one character is changed, wherever', () => {
    const text = apiKey.issue(owner).secret.reveal();
    fc.assert(
      fc.property(fc.integer({ min: 4, max: text.length - 1 }), fc.constantFrom(...'0aZ9_ é'), (at, character) => {
        fc.pre(text[at] !== character);
        expect(apiKey.parse(text.slice(0, at) + character + text.slice(at + 1))).toBeNull();
      }),
    );
    expect(apiKey.parse(text)).not.toBeNull();
  });

  it('is not taken for a credential of another kind', () => {
    expect(defineTenantCredential('bha').parse(apiKey.issue(owner).secret.reveal())).toBeNull();
  });

  it('is shortened to what cannot be used', () => {
    const issued = apiKey.issue(owner);
    expect(issued.shortened).toHaveLength(9);
    expect(apiKey.parse(issued.shortened)).toBeNull();
  });
});
