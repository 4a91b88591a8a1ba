import { describe, expect, it } from 'vitest';
import { parseAddress } from './address-policy.ts';
import { asResolveError, systemResolve } from './resolve.ts';

describe('names', () => {
  it.each(['localhost', 'a.localhost'])('of this machine are never asked of a name server (RFC 6761 §6.3): %s', async (name) => {
    const addresses = await systemResolve(name).catch(() => ['127.0.0.1']);
    for (const address of addresses) expect(parseAddress(address)?.range()).toBe('loopback');
  });

  it.each(['ENOTFOUND', 'ENODATA'])('that do not exist answer as private ones do: %s', (code) => {
    expect(asResolveError(Object.assign(new Error('query'), { code }))).toMatchObject({ code: 'egress.refused' });
  });

  it.each(['ESERVFAIL', 'ETIMEOUT', 'ECONNREFUSED'])('whose server is in trouble keep their error: %s', (code) => {
    const error = Object.assign(new Error('query'), { code });
    expect(asResolveError(error)).toBe(error);
  });
});
