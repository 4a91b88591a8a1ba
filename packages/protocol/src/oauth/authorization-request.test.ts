import { describe, expect, it } from 'vitest';
import { authorizationDestination, authorizationDetails, pushedAuthorizationDetails, readRawParameters } from './authorization-request.ts';

const accepts = (schema: { safeParse(value: unknown): { success: boolean } }, value: unknown) => schema.safeParse(value).success;

describe('RFC 6749 §3.1 authorization request parameters', () => {
  it('a parameter that occurs twice is refused, and once is accepted', () => {
    expect(accepts(authorizationDestination, { client_id: ['a', 'b'] })).toBe(false);
    expect(accepts(authorizationDestination, { client_id: 'a' })).toBe(true);
  });

  it('a parameter without a value counts as absent', () => {
    expect(authorizationDestination.parse({ state: '', client_id: 'a' })).toEqual({ state: undefined, client_id: 'a' });
    expect(authorizationDetails.parse({ scope: '' }).scope).toBe('any');
  });

  it('state comes back exactly as it was, padding and all', () => {
    expect(authorizationDestination.parse({ state: 'a+b/c==' }).state).toBe('a+b/c==');
  });

  it.each([
    ['state', 'x'.repeat(4097)],
    ['redirect_uri', `https://a.example/${'x'.repeat(2048)}`],
    ['request_id', 'x'.repeat(65)],
  ])('%s has an upper bound', (name, value) => {
    expect(accepts(authorizationDestination, { [name]: value })).toBe(false);
    expect(accepts(authorizationDestination, { [name]: value.slice(0, 60) })).toBe(true);
  });
});

describe('RFC 7636 §4.3 code_challenge', () => {
  it.each(['short', 'x'.repeat(44), `${'x'.repeat(42)}=`, `${'x'.repeat(42)}+`])('%s is no S256 challenge', (challenge) => {
    expect(accepts(authorizationDetails, { code_challenge: challenge })).toBe(false);
  });

  it('43 base64url characters are one', () => {
    expect(accepts(authorizationDetails, { code_challenge: `${'aZ09-_'.repeat(7)}x` })).toBe(true);
  });
});

describe('custom_properties and form_data', () => {
  it.each([
    ['a list', '[1]'],
    ['a text', '"text"'],
    ['null', 'null'],
    ['broken JSON', '{'],
    ['a prototype', '{"__proto__":{"admin":true}}'],
    ['a long one', JSON.stringify({ long: 'x'.repeat(9000) })],
  ])('%s is refused', (_, text) => {
    expect(accepts(authorizationDetails, { custom_properties: text })).toBe(false);
  });

  it('a JSON object is read, from text and from a JSON body; empty text is no object', () => {
    expect(authorizationDetails.parse({ custom_properties: '{"team":"north"}' }).custom_properties).toEqual({ team: 'north' });
    expect(authorizationDetails.parse({ custom_properties: { team: 'north' } }).custom_properties).toEqual({ team: 'north' });
    expect(authorizationDetails.parse({ form_data: '' }).form_data).toEqual({});
  });
});

describe('raw[KEY]=VALUE', () => {
  it('is gathered from a query and from a JSON object', () => {
    expect(readRawParameters({ 'raw[login_hint]': 'ada', scope: 'any' })).toEqual({ login_hint: 'ada' });
    expect(readRawParameters({ raw: { login_hint: 'ada' } })).toEqual({ login_hint: 'ada' });
  });

  it.each([
    ['twice', { 'raw[a]': ['1', '2'] }],
    ['an odd name', { 'raw[a b]': '1' }],
    ['no name', { 'raw[]': '1' }],
    ['unclosed', { 'raw[a': '1' }],
    ['a long value', { 'raw[a]': 'x'.repeat(1025) }],
    ['a list', { raw: ['a'] }],
    ['too many', Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`raw[p${index}]`, '1']))],
  ])('%s is refused', (_, parameters) => {
    expect(readRawParameters(parameters)).toBeNull();
  });
});

describe('RFC 9126 pushed parameters', () => {
  it.each(['0', '-1', '1.5', 'abc', '99999999999999999', 0, 1.5])('account_id %s is no account', (id) => {
    expect(accepts(pushedAuthorizationDetails, { account_id: id })).toBe(false);
  });

  it('account_id is read from a form and from JSON', () => {
    expect(pushedAuthorizationDetails.parse({ account_id: '42' }).account_id).toBe(42);
    expect(pushedAuthorizationDetails.parse({ account_id: 42 }).account_id).toBe(42);
  });

  it('end_user holds no control characters', () => {
    expect(accepts(pushedAuthorizationDetails, { end_user: 'a\nb' })).toBe(false);
    expect(accepts(pushedAuthorizationDetails, { end_user: 'ada@example.com' })).toBe(true);
  });
});
