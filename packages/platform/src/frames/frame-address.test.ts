import { type ApplicationId, Secret } from '@bulkhead/base';
import { type PageModule, queryStringHash, queryValues, readConnectJwt, sharedSecretKey, verifyConnectJwt } from '@bulkhead/protocol';
import { describe, expect, test } from 'vitest';
import type { ApplicationSettings } from '../applications/index.ts';
import { frameOf } from './frame.ts';
import { signGet, standardParameters } from './frame-address.ts';
import type { PageSession } from './page-session.ts';
import type { ShownInstall } from './shown-install.ts';

const install: ShownInstall = {
  applicationId: 'app0123456789ABCDEFGHIJKL' as ApplicationId,
  clientKey: 'ins0123456789ABCDEFGHIJKL',
  appKey: 'notes',
  appName: 'Notes',
  baseUrl: 'https://notes.example/app',
  isSigned: true,
  sharedSecret: new Secret('a-shared-secret-of-more-than-thirty-two-bytes'),
  modules: [],
};
const now = new Date('2026-11-30T12:00:00Z');
const host = 'https://host.example';
const signed = (url: string, context: Record<string, unknown> = {}, endUser: string | null = 'ada') =>
  signGet(install, {
    url,
    viewer: { endUser, isAdmin: false, context },
    parameters: standardParameters(host, install, 'board'),
    now,
  });
const standard = 'xdm_e=https%3A%2F%2Fhost.example&xdm_c=channel-notes__board&cp=%2Ft%2Fapp0123456789ABCDEFGHIJKL&lic=active&cv=1.0.0';

describe('the address of a page of an App', () => {
  test('has its variables, then what the host says of itself, signed over all of it for the person', () => {
    const { url, token } = signed('/board?issue={issue.key}&by={user.accountId}&in={application.id}', { issue: { key: 'A-1' } })!;
    expect(url).toBe(`https://notes.example/app/board?issue=A-1&by=ada&in=${install.applicationId}&${standard}`);
    const read = readConnectJwt(token!);
    if ('refused' in read) throw new Error(read.refused);
    const verified = verifyConnectJwt(read, {
      algorithm: 'HS256',
      key: sharedSecretKey(install.sharedSecret),
      now: now.getTime() / 1_000,
      lifetimeSecondsMax: 180,
      audience: { absentOr: [] },
    });
    const target = `${url}&jwt=${token}`.slice('https://notes.example'.length);
    const qsh = queryStringHash({ method: 'GET', target, basePath: '/app' });
    expect(verified).toMatchObject({ claims: { iss: install.clientKey, sub: 'ada', qsh, context: { issue: { key: 'A-1' } } } });
    // Control: over another address it is another hash.
    expect(queryStringHash({ method: 'GET', target: target.replace('A-1', 'A-2'), basePath: '/app' })).not.toBe(qsh);
  });

  test('says nothing of a person who has not signed in', () => {
    const { url, token } = signed('/board?by={user.accountId}', {}, null)!;
    expect(url).toContain('/board?by=&');
    expect(readConnectJwt(token!)).not.toHaveProperty('claims.sub');
  });

  test.each([
    ['a quote and tags', `"><script>alert(1)</script>`],
    ['parts of a query', 'a&xdm_e=https://evil.example#x'],
    ['line breaks', 'a\r\nSet-Cookie: b=c'],
    ['a slash and a backslash', '/../\\evil.example'],
    ['letters that are none of ASCII', 'ä 日本'],
    ['what encodeURIComponent leaves', "!'()*"],
    ['a variable', '{application.id}'],
  ])('takes a value as a value: %s', (_, value) => {
    const { url } = signed('/board?text={text}&end=1', { text: value })!;
    expect(url).toMatch(/^https:\/\/notes\.example\/app\/board\?text=[A-Za-z0-9._~%-]*&end=1&/);
    expect(queryValues(url, 'text')).toEqual([value]);
    expect(queryValues(url, 'xdm_e')).toEqual([host]);
  });

  test.each([
    ['what is not there', '{nothing}'],
    ['what the host does not know', '{issue.constructor}'],
    ['what is inherited', '{__proto__}'],
    ['a part that is an object', '{issue}'],
    ['an inline condition', '{condition.user_is_admin()}'],
    ['the old way to write it', '${nothing}'],
  ])('has nothing in the place of %s', (_, variable) => {
    expect(signed(`/board?a=${variable}`, { issue: { key: 'A-1' } })!.url).toContain('/board?a=&xdm_e=');
  });

  test.each([
    ['by name', '/board?xdm_e=https%3A%2F%2Fevil.example&cp=/evil&jwt=x&a=1'],
    ['by an encoded name', '/board?%78dm_e=https%3A%2F%2Fevil.example&c%70=/evil&a=1'],
    ['by a variable', '/board?{name}=https%3A%2F%2Fevil.example&a=1'],
    ['with a plus', '/board?xdm%5Fe=https%3A%2F%2Fevil.example&lic=none&a=1'],
  ])("lets no App say what is the host's to say: %s", (_, url) => {
    const made = signed(url, { name: 'xdm_e' })!.url;
    expect(made).toBe(`https://notes.example/app/board?a=1&${standard}`);
  });

  test.each([
    ['above', '/{up}/board'],
    ['above, encoded', '/%2e%2e/board'],
    ['on another host', '//{host}/board'],
    ['too long', '/board?a={long}'],
  ])('is none where it would lie %s', (_, url) => {
    expect(signed(url, { up: '..', host: 'evil.example', long: 'x'.repeat(4_000) })).toBeNull();
    // Control: with other values it is one.
    if (url.includes('{up}') || url.includes('{long}')) expect(signed(url, { up: 'up', long: 'x' })).not.toBeNull();
  });
});

describe('the frame of a page', () => {
  const module: PageModule = {
    type: 'generalPages',
    key: 'board',
    name: 'Board',
    url: '/board',
    location: null,
    weight: 100,
    tooltip: null,
    condition: { joined: 'and', conditions: [] },
    target: null,
    options: {},
  };
  const open = (baseUrl: string) => ({
    session: { endUser: 'ada', isAdmin: false, context: {} } as unknown as PageSession,
    install: { ...install, baseUrl },
    settings: {} as ApplicationSettings,
  });

  test('is never of the origin of this host, which a sandbox with scripts and its own origin would not confine', () => {
    const at = { publicUrl: host, isDialog: false, now };
    for (const baseUrl of [host, `${host}/app`, 'https://HOST.example:443/app'])
      expect(() => frameOf(open(baseUrl), module, at)).toThrow(expect.objectContaining({ code: 'module.own_origin' }));
    expect(frameOf(open('https://host.example:8443'), module, at).url).toMatch(/^https:\/\/host\.example:8443\/board\?xdm_e=.*&jwt=/);
  });

  test('has no token for an App that wants none', () => {
    const opened = open('https://notes.example');
    const { url } = frameOf({ ...opened, install: { ...opened.install, isSigned: false } }, module, {
      publicUrl: host,
      isDialog: false,
      now,
    });
    expect(queryValues(url, 'jwt')).toEqual([]);
  });
});
