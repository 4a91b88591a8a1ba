import { describe, expect, it } from 'vitest';
import { checkTrustedDomain, originIsOf } from './trusted-domain.ts';

describe('a trusted domain', () => {
  it.each([
    ['app.example', 'app.example'],
    ['LOCALHOST:8000', 'localhost:8000'],
    ['127.0.0.1:3000', '127.0.0.1:3000'],
    ['[::1]:3000', '[::1]:3000'],
  ])('is written %s and kept as %s', (text, kept) => {
    expect(checkTrustedDomain(text)).toBe(kept);
  });

  it.each([
    'https://app.example',
    'app.example/path',
    '*.app.example',
    'user@app.example',
    'app.example:port',
    'app.example:99999',
    '',
    '-app.example',
    'app..example',
    'app.example?x',
    'äpp.example',
  ])('is not %j', (text) => {
    expect(() => checkTrustedDomain(text)).toThrow(expect.objectContaining({ code: 'trusted_domain.refused' }));
  });

  it.each([
    ['app.example', 'https://app.example', true],
    ['app.example', 'http://app.example', true],
    ['app.example:443', 'https://app.example', true],
    ['localhost:8000', 'http://localhost:8000', true],
    ['app.example', 'https://app.example:8443', false],
    ['app.example:443', 'http://app.example', false],
    ['localhost:8000', 'http://localhost:8001', false],
    ['app.example', 'https://sub.app.example', false],
    ['app.example', 'https://app.example.evil.example', false],
    ['app.example', 'https://evil.example/app.example', false],
    ['app.example', 'https://app.example/', false],
    ['app.example', 'https://user@app.example', false],
    ['app.example', 'null', false],
    ['app.example', 'app.example', false],
    ['app.example', 'javascript://app.example', false],
    ['app.example', 'chrome-extension://app.example', false],
  ])('%s counts for the origin %s: %s', (domain, origin, counts) => {
    expect(originIsOf(domain, origin)).toBe(counts);
  });
});
