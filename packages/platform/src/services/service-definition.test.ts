import { describe, expect, it } from 'vitest';
import { catalogueEntries, catalogue, upstreamService } from './catalogue/index.ts';
import { endpointsFingerprint, parseServiceDefinition, RESERVED_SERVICE_IDS } from './service-definition.ts';
import { apiBaseUrl, customService } from './service.ts';

const oauth2 = {
  id: 'harbour',
  friendly_name: 'Harbour Files',
  apis: ['raw'],
  auth: {
    type: 'oauth2',
    authorization_endpoint: 'https://h.example/auth',
    token_endpoint: 'https://h.example/token',
    scopes: ['files:read'],
  },
  api: { base_url: 'https://h.example/api' },
  identity: { url: 'https://h.example/me', id: '/id', name: '/name' },
};
const apiKey = {
  id: 'lantern',
  friendly_name: 'Lantern Notes',
  auth: { type: 'api_key', in: 'header', name: 'X-Api-Key' },
  api: { base_url: 'http://127.0.0.1:8412' },
};
const basic = { id: 'cellar', friendly_name: 'Cellar', auth: { type: 'basic' }, api: { base_url: 'https://c.example' } };

/** A copy with one member replaced (undefined removes it), by dotted path. */
function changed(base: object, path: string, value: unknown): unknown {
  const copy = structuredClone(base) as Record<string, unknown>;
  const keys = path.split('.');
  let place = copy;
  for (const key of keys.slice(0, -1)) place = place[key] as Record<string, unknown>;
  if (value === undefined) delete place[keys.at(-1)!];
  else place[keys.at(-1)!] = value;
  return copy;
}

describe('a custom service', () => {
  it('OAuth 2.0 needs little: PKCE, Basic and a space are the defaults', () => {
    const { auth } = parseServiceDefinition(changed(oauth2, 'identity', undefined));
    expect(auth).toMatchObject({
      pkce: true,
      token_endpoint_auth_method: 'client_secret_basic',
      scope_separator: ' ',
      scopes: ['files:read'],
    });
  });
  it('an issuer stands for the endpoints', () => {
    expect(parseServiceDefinition({ ...oauth2, auth: { type: 'oauth2', issuer: 'https://h.example' } }).auth).toMatchObject({
      issuer: 'https://h.example',
    });
  });
  it('scopes may be written as one text', () => {
    expect(parseServiceDefinition(changed(oauth2, 'auth.scopes', 'a b  c')).auth).toMatchObject({ scopes: ['a', 'b', 'c'] });
  });
  it('API key and Basic are accepted, and apis default to the pass-through', () => {
    expect(parseServiceDefinition(apiKey).apis).toEqual(['raw']);
    expect(parseServiceDefinition(basic).auth.type).toBe('basic');
  });
  it('what was parsed parses again to the same', () => {
    for (const input of [oauth2, apiKey, basic]) {
      const once = parseServiceDefinition(input);
      expect(parseServiceDefinition(JSON.parse(JSON.stringify(once)))).toEqual(once);
    }
  });
});

const badUrls = [
  '',
  'h.example',
  '/relative',
  '//h.example',
  'ftp://h.example',
  'javascript:alert(1)',
  'data:text/html,x',
  'file:///etc/passwd',
  'https://',
  'https:///x',
  'https://u:p@h.example',
  'https://u@h.example',
  'https://@h.example',
  'https://h.example/#x',
  'https://h.example/#',
  'https://h.example/a b',
  'https://h.example/\u0000',
  'https://h.example\\@evil.example',
  'https://h.example/é',
  'https://h.example:99999',
  'https://h.example/a/../b',
  'https://h.example/%2e%2e/b',
  'https://h.example/./b',
  ' https://h.example',
  `https://h.example/${'x'.repeat(2100)}`,
  'https://[::1',
  'http:h.example',
  42,
  null,
  {},
  ['https://h.example'],
];

describe('a definition is refused with the name of its field', () => {
  it.each(
    [
      'auth.authorization_endpoint',
      'auth.token_endpoint',
      'auth.revocation_endpoint',
      'auth.issuer',
      'api.base_url',
      'logo_url',
      'identity.url',
    ].flatMap((field) => badUrls.filter((url) => !(field === 'identity.url' && url === '/relative')).map((url) => [field, url] as const)),
  )('%s = %j', (field, url) => {
    expect(() => parseServiceDefinition(changed(oauth2, field, url))).toThrow(expect.objectContaining({ code: 'service.invalid', field }));
    // The control: the same field with a good address.
    expect(parseServiceDefinition(changed(oauth2, field, 'https://good.example:8443/path')).id).toBe('harbour');
  });

  it.each([
    ['id', undefined],
    ['id', ''],
    ['id', 'x'],
    ['id', 'Harbour'],
    ['id', 'har.bour'],
    ['id', 'har:bour'],
    ['id', 'har bour'],
    ['id', '1st'],
    ['id', 'any'],
    ['id', 'all'],
    ['id', 'storage'],
    ['id', 'google'],
    ['id', 'a'.repeat(64)],
    ['id', '__proto__'],
    ['id', 7],
    ['friendly_name', ''],
    ['friendly_name', '   '],
    ['friendly_name', 'x'.repeat(101)],
    ['friendly_name', 'a\nb'],
    ['friendly_name', undefined],
    ['apis', []],
    ['apis', 'raw'],
    ['apis', Array.from({ length: 21 }, (_, i) => `a${i}`)],
    ['auth', undefined],
    ['auth.token_endpoint', undefined],
    ['auth.authorization_endpoint', undefined],
    ['auth.scopes', 7],
    ['auth.scopes', Array.from({ length: 101 }, (_, i) => `s${i}`)],
    ['auth.pkce', 'yes'],
    ['auth.token_endpoint_auth_method', 'private_key_jwt'],
    ['auth.scope_separator', '\n'],
    ['auth.scope_separator', ''],
    ['auth.client_secret', 'x'],
    ['auth.audience', 'x'],
    ['api', {}],
    ['api.base_url', 'https://h.example/?x=1'],
    ['api.headers', {}],
    ['identity.id', 'id'],
    ['identity.id', ''],
    ['identity.id', '/a~2b'],
    ['identity.name', 'x'],
    ['identity.email', '/x'],
    ['identity.id', undefined],
    ['unknown', 1],
    ['logo', 'https://h.example/x.png'],
  ] as const)('%s = %j', (field, value) => {
    const named = field === 'api' ? 'api.base_url' : field;
    expect(() => parseServiceDefinition(changed(oauth2, field, value))).toThrow(
      expect.objectContaining({ code: 'service.invalid', status: 400, field: named }),
    );
  });

  it.each([
    'client_id',
    'redirect_uri',
    'state',
    'response_type',
    'response_mode',
    'scope',
    'code_challenge',
    'code_challenge_method',
    'nonce',
    'request',
    'request_uri',
    'a b',
    '',
  ])('an extra authorization parameter %j', (name) => {
    expect(() => parseServiceDefinition(changed(oauth2, 'auth.extra_authorize_params', { [name]: 'x' }))).toThrow(
      expect.objectContaining({ code: 'service.invalid' }),
    );
    expect(parseServiceDefinition(changed(oauth2, 'auth.extra_authorize_params', { audience: 'x' })).id).toBe('harbour');
  });

  it.each(['Host', 'Content-Length', 'Transfer-Encoding', 'Connection', 'Cookie', 'bad name', 'x\r\ny', 'x:y', ''])(
    'a key in the header %j',
    (name) => {
      expect(() => parseServiceDefinition(changed(apiKey, 'auth.name', name))).toThrow(
        expect.objectContaining({ code: 'service.invalid', field: 'auth.name' }),
      );
    },
  );

  it('a type of credential nobody knows, and an identity that nothing could tell', () => {
    expect(() => parseServiceDefinition(changed(oauth2, 'auth', { type: 'magic' }))).toThrow(
      expect.objectContaining({ field: 'auth.type' }),
    );
    expect(() => parseServiceDefinition({ ...apiKey, identity: { id: '/id' } })).toThrow(
      expect.objectContaining({ field: 'identity.url' }),
    );
    for (const junk of [null, 7, 'x', []])
      expect(() => parseServiceDefinition(junk)).toThrow(expect.objectContaining({ code: 'service.invalid' }));
  });
});

describe('the fingerprint of the endpoints', () => {
  const print = (input: unknown) => endpointsFingerprint(parseServiceDefinition(input));
  it.each([
    'auth.authorization_endpoint',
    'auth.token_endpoint',
    'auth.issuer',
    'auth.revocation_endpoint',
    'api.base_url',
    'identity.url',
  ])('changes with %s', (field) => {
    expect(print(changed(oauth2, field, 'https://evil.example'))).not.toBe(print(oauth2));
  });
  it.each([
    ['friendly_name', 'New name'],
    ['auth.scopes', ['other']],
    ['logo_url', 'https://h.example/l.png'],
  ])('stays when only %s changes', (field, value) => {
    expect(print(changed(oauth2, field, value))).toBe(print(oauth2));
  });
});

describe('the catalogue', () => {
  it.each(catalogueEntries.map((entry) => [entry.definition.id, entry] as const))(
    "%s passes the schema of a tenant's own service and says when it was checked and against what",
    (_id, entry) => {
      expect(parseServiceDefinition(JSON.parse(JSON.stringify(entry.definition)))).toEqual(entry.definition);
      expect(entry.documentation).toMatch(/^https:\/\//);
      expect(entry.checked).toMatch(/^2026-\d\d-\d\d$/);
      expect(entry.checkedAgainst.length).toBeGreaterThan(0);
      for (const source of entry.checkedAgainst) expect(source.trim()).not.toBe('');
      expect(entry.refreshNotes).not.toBe('');
      expect(entry.notes.length).toBeGreaterThan(0);
      for (const words of Object.values(entry.scopes)) expect(words['default']?.length).toBeGreaterThan(0);
      for (const api of Object.keys(entry.scopes)) expect(entry.definition.apis).toContain(api);
      expect(JSON.stringify(entry.definition)).not.toContain('http://');
    },
  );
  it('has ten services, each name once, and no tenant can take an alias', () => {
    const names = catalogueEntries.flatMap(({ definition, aliases }) => [definition.id, ...aliases]);
    expect(catalogueEntries).toHaveLength(10);
    expect(new Set(names).size).toBe(names.length);
    for (const { aliases } of catalogueEntries) for (const alias of aliases) expect(RESERVED_SERVICE_IDS.has(alias)).toBe(true);
  });
  it('says of a service either that all of it was found in print or what was not', () => {
    const open = catalogueEntries.filter(({ notes }) => notes.some((note) => note.startsWith('not confirmed')));
    expect(open.map(({ definition }) => definition.id)).toEqual([
      'gdrive',
      'onedrive',
      'dropbox',
      'slack',
      'atlassian',
      'salesforce',
      'hubspot',
    ]);
    for (const { notes } of open) for (const note of notes) if (/confirmed/.test(note)) expect(note).toMatch(/^not confirmed[^:]*: ./);
  });
  it("lends its quirks to its own definition only, not to a tenant's service of the same name", () => {
    const box = catalogue.get('box')!;
    expect(upstreamService(JSON.parse(JSON.stringify(box))).category).toBe('storage');
    expect(upstreamService({ ...box, api: { base_url: 'https://evil.example' } }).category).toBe('custom');
  });
});

describe("the base of an account's API", () => {
  const salesforce = catalogueEntries.find(({ definition }) => definition.id === 'salesforce')!;
  it('comes from the definition', () =>
    expect(apiBaseUrl(customService(parseServiceDefinition(changed(oauth2, 'api.base_url', 'https://h.example/api/'))))).toBe(
      'https://h.example/api',
    ));
  it('comes from the token answer where the service says so', () =>
    expect(apiBaseUrl(salesforce, { instance_url: 'https://acme.my.salesforce.com' })).toBe('https://acme.my.salesforce.com'));
  it.each([
    'https://evil.example',
    'http://acme.my.salesforce.com',
    'https://acme.my.salesforce.com.evil.example',
    'https://evilsalesforce.com',
    'https://acme.my.salesforce.mil',
    'https://acme.my.salesforce.com:8443',
    'https://x@acme.my.salesforce.com',
    'javascript:x',
    '',
  ])('is never %j', (instance_url) => {
    expect(() => apiBaseUrl(salesforce, { instance_url })).toThrow(expect.objectContaining({ code: 'service.base_url_unknown' }));
  });
  it('is unknown without the kept member', () =>
    expect(() => apiBaseUrl(salesforce)).toThrow(expect.objectContaining({ code: 'service.base_url_unknown' })));
});
