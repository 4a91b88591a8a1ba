import { applicationId, defineTenantCredential, issueControlCredential } from '@bulkhead/base';
import type { IncomingCall } from '@bulkhead/http';
import { describe, expect, it } from 'vitest';
import { claimedTenant } from './claimed-tenant.ts';

const id = applicationId.generate();
const key = defineTenantCredential('bhk').issue(id).secret.reveal();
const token = defineTenantCredential('bha').issue(id).secret.reveal();
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

const claim = (authorization: string | undefined, query: Record<string, string | string[]> = {}, params: Record<string, string> = {}) =>
  claimedTenant({ headers: { authorization }, query, params, remoteAddress: '192.0.2.7' } as unknown as IncomingCall);

describe('T5: in a line, a request counts as of the tenant that it names', () => {
  it.each([
    ['an API key', `APIKey ${key}`],
    ['an access token', `bearer ${token}`],
    ['a bound token', `DPoP ${token}`],
    ['Basic with an id and a key', basic(`${id}:${key}`)],
    ['Basic with an id alone', basic(`${id}:`)],
  ])('%s', (_what, header) => {
    expect(claim(header)).toBe(id);
  });

  it('a client_id of the query', () => {
    expect(claim(undefined, { client_id: id })).toBe(id);
  });

  it('a path, where a service calls that brings no credential; not beside a Meta token, which may name any', () => {
    expect(claim(undefined, {}, { application_id: id })).toBe(id);
    const meta = `Bearer ${issueControlCredential('bhm').secret.reveal()}`;
    expect(claim(meta, {}, { application_id: id })).toBe('192.0.2.7');
  });

  it.each([
    ['no credential', undefined, {}],
    ['a Meta token', `Bearer ${issueControlCredential('bhm').secret.reveal()}`, {}],
    ['a word', 'Bearer word', {}],
    ['two client_ids', undefined, { client_id: [id, id] }],
    ['a client_id that is none', undefined, { client_id: `${id}!` }],
    ['a scheme alone', 'Bearer', {}],
    ['a credential without end', `Bearer ${'x'.repeat(30_000)}`, {}],
  ])('%s: as of its address', (_what, header, query) => {
    expect(claim(header, query as Record<string, string>)).toBe('192.0.2.7');
  });
});
