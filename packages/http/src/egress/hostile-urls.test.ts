import { ManualClock, PlatformError, silentLog } from '@bulkhead/base';
import { afterAll, describe, expect, it } from 'vitest';
import type { EgressPolicy } from './destination.ts';
import { createEgress } from './egress.ts';

const bare = {
  ownListeners: () => [{ host: '0.0.0.0', port: 8443 }],
  log: silentLog,
  clock: new ManualClock(),
  resolve: () => Promise.reject(new Error('no test may resolve')),
};
const shut = createEgress({ ...bare, allow: [] });
const opened = createEgress({
  ...bare,
  allow: ['127.0.0.0/8', '::1', '10.1.0.0/16', 'files.internal:8080', '[fd00::5]:9000', '192.168.7.7:25'],
  localAddresses: () => ['10.1.2.3', 'fe80::1%eth0'],
});
afterAll(() => Promise.all([shut.close(), opened.close()]));

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof PlatformError ? error.code : `unexpected ${String(error)}`;
  }
  return 'passes';
}

const MALFORMED = [
  '',
  ' ',
  'https',
  'https:',
  'https:/',
  'https://',
  'https:///',
  'https:host',
  'https:/host/',
  'https:///host/',
  '//host/',
  '/path',
  'host.example',
  'host.example:443',
  'ftp://files.example/',
  'file:///etc/passwd',
  'gopher://127.0.0.1:70/_x',
  'data:text/plain,hi',
  'javascript:alert(1)',
  'blob:https://a.example/x',
  'ws://a.example/',
  'wss://a.example/',
  'unix:/var/run/docker.sock',
  'http+unix://%2Fvar%2Frun%2Fdocker.sock/x',
  'dict://a.example/',
  'ldap://a.example/',
  'jar:https://a.example!/',
  'about:blank',
  'https://user@a.example/',
  'https://user:pass@a.example/',
  'https://@a.example/',
  'https://:@a.example/',
  'https://a.example@127.0.0.1/',
  'https://a.example%40127.0.0.1@b.example/',
  'https://public.example#@127.0.0.1:80@x/'.replace('#', '%23'),
  'https://a.example\\@127.0.0.1/',
  'https:\\\\a.example/',
  'https://a.example\\.b.example/',
  'https://a.example/x\\y',
  'https://a.exa\u0000mple/',
  'https://a.example/\u0000',
  'https://a.example%00.b.example/',
  'https://127.0.0.1%00.a.example/',
  'https://a.\texample/',
  'https://a.exa\nmple/',
  'https://a.example/\r\nHost: b',
  ' https://a.example/',
  'https://a.example/ ',
  'https://a.example/a b',
  '\u00a0https://a.example/',
  '\ufeffhttps://a.example/',
  'https://a..example/',
  'https://.a.example/',
  'https://a.example../',
  'https://./',
  'https://-a.example/',
  `https://${'a'.repeat(64)}.example/`,
  `https://${'a.'.repeat(127)}example/`,
  'https://a.example:0/',
  'https://a.example:65536/',
  'https://a.example:-1/',
  'https://a.example:80a/',
  'https://a.example:٤٤٣/',
  'https://[::1/',
  'https://[fe80::1%25eth0]/',
  'https://[fe80::1%eth0]/',
  'https://[::1].example/',
  'https://[]/',
  'https://[v1.x]/',
  'https://256.256.256.256/',
  'https://1.2.3.4.5/',
  'https://0x7g.1/',
  'https://127.0.0.0x100000001/',
  'https://a,b.example/',
  "https://a'b.example/",
  'https://a;b.example/',
  'https://a=b.example/',
  'https://a$b.example/',
  'https://a*b.example/',
  'https://a%2fb.example/',
  'https://a%23b.example/',
  `https://a.example/${'x'.repeat(8192)}`,
];

const NOT_PUBLIC = [
  'https://127.0.0.1/',
  'https://127.1/',
  'https://127.0.1/',
  'https://2130706433/',
  'https://0x7f000001/',
  'https://017700000001/',
  'https://0x7f.0.0.0x1/',
  'https://0177.0.0.01/',
  'https://127.0.0.1./',
  'https://１２７.０.０.１/',
  'https://127。0。0。1/',
  'https://%31%32%37.0.0.1/',
  'https://①②⑦.0.0.1/',
  'https://0.0.0.0/',
  'https://0/',
  'https://0x0/',
  'https://000/',
  'https://[::]/',
  'https://[::1]/',
  'https://[0:0:0:0:0:0:0:1]/',
  'https://[0000::0001]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[0:0:0:0:0:ffff:7f00:1]/',
  'https://[::127.0.0.1]/',
  'https://[64:ff9b::127.0.0.1]/',
  'https://[2002:7f00:1::]/',
  'https://[2001:0:7f00:1::]/',
  'https://169.254.169.254/latest/meta-data/',
  'https://[::ffff:169.254.169.254]/',
  'https://[fd00:ec2::254]/',
  'https://[fd20:ce::254]/',
  'https://168.63.129.16/',
  'https://100.100.100.200/',
  'https://192.0.0.192/',
  'https://2852039166/',
  'https://0xa9fea9fe/',
  'https://169.16689662/',
  'https://10.0.0.1/',
  'https://10.1/',
  'https://172.16.0.1/',
  'https://172.31.255.255/',
  'https://192.168.1.1/',
  'https://192.168.257/',
  'https://100.64.0.1/',
  'https://198.18.0.1/',
  'https://203.0.113.1/',
  'https://224.0.0.1/',
  'https://255.255.255.255/',
  'https://240.0.0.1/',
  'https://[fe80::1]/',
  'https://[fc00::1]/',
  'https://[fd12:3456::1]/',
  'https://[ff02::1]/',
  'https://[2001:db8::1]/',
  'https://[fec0::1]/',
  'https://[100::1]/',
  'https://[64:ff9b:1::1]/',
  'https://[5f00::1]/',
  'https://[3fff::1]/',
  'https://localhost/',
  'https://LOCALHOST/',
  'https://localhost./',
  'https://a.localhost/',
  'https://localhost.localdomain/',
  'https://ip6-localhost/',
  'https://ⓛocalhost/',
  'http://a.example/',
  'http://8.8.8.8/',
  'http://a.example:443/',
  'http://[2606:4700::1111]/',
  'https://a.example:22/',
  'https://a.example:25/',
  'https://a.example:6379/',
  'https://a.example:11211/',
  'https://a.example:6667/',
];

const PASSES = [
  'https://a.example/',
  'HTTPS://A.EXAMPLE/',
  'https://a.example',
  'https://a.example./',
  'https://a.example:8443/x?y=z#f',
  'https://a-b_c.example/',
  'https://bücher.example/',
  'https://8.8.8.8/',
  'https://134744072/',
  'https://[2606:4700:4700::1111]/',
  'https://[::ffff:8.8.8.8]/',
  'https://[64:ff9b::8.8.8.8]/',
  'https://a.example/@x',
  'https://a.example/?u=http://127.0.0.1/',
  'https://localhost.example/',
  'https://mylocalhost/',
  'https://127.0.0.1.example/',
  'https://a.example:1024/',
  'https://a.example/%00',
];

describe('a URL that a tenant writes', () => {
  it.each(MALFORMED)('is malformed: %j', (url) => expect(codeOf(() => shut.checkUrl(url, 'webhook'))).toBe('egress.url_invalid'));
  it.each(NOT_PUBLIC)('is refused for where it leads: %j', (url) =>
    expect(codeOf(() => shut.checkUrl(url, 'webhook'))).toBe('egress.refused'),
  );
  it.each(PASSES)('passes: %j', (url) => expect(codeOf(() => shut.checkUrl(url, 'webhook'))).toBe('passes'));

  it.each(['https://127.0.0.1/', 'http://a.example/', 'https://a b/', 'https://localhost/'])(
    'is refused by fetch and stream as by the check: %j',
    async (url) => {
      const code = codeOf(() => shut.checkUrl(url, 'upstream'));
      const sink = { start: () => undefined, head: () => undefined, data: () => true, end: () => undefined, fail: () => undefined };
      await expect(shut.fetch(url, { policy: 'upstream', tenant: null })).rejects.toMatchObject({ code });
      await expect(
        shut.stream({ url, policy: 'upstream', tenant: null, method: 'GET', headers: [], body: null }, sink),
      ).rejects.toMatchObject({ code });
    },
  );

  it('is returned as it will be called', () => {
    expect(shut.checkUrl('HTTPS://Bücher.EXAMPLE:443/a/../b', 'descriptor').href).toBe('https://xn--bcher-kva.example/b');
  });

  it('names the field at fault, and never the address behind it', () => {
    for (const url of ['https://10.0.0.1/', 'https://a b/']) {
      try {
        shut.checkUrl(url, 'webhook', 'webhook.url');
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({ field: 'webhook.url' });
        expect((error as PlatformError).publicText).not.toContain('10.');
      }
    }
  });
});

describe('ports by policy', () => {
  it.each<[EgressPolicy, string]>([
    ['upstream', 'passes'],
    ['webhook', 'egress.refused'],
    ['descriptor', 'egress.refused'],
    ['function', 'egress.refused'],
  ])('%s and a privileged port that is not of the web: %s', (policy, outcome) => {
    expect(codeOf(() => shut.checkUrl('https://a.example:444/', policy))).toBe(outcome);
    expect(codeOf(() => shut.checkUrl('https://a.example:443/', policy))).toBe('passes');
  });
});

describe('what the operator has opened', () => {
  it.each([
    'http://127.0.0.1:8080/',
    'https://127.0.0.1/',
    'http://2130706433:9000/',
    'http://[::1]:9000/',
    'http://[::ffff:127.0.0.1]:9000/',
    'http://10.1.200.3/',
    'http://files.internal:8080/',
    'http://FILES.INTERNAL.:8080/',
    'https://[fd00::5]:9000/',
    'https://192.168.7.7:25/',
    'http://localhost:9000/',
  ])('is open: %s', (url) => expect(codeOf(() => opened.checkUrl(url, 'webhook'))).toBe('passes'));

  it.each([
    'http://10.2.0.1/',
    'https://10.0.255.255/',
    'https://[fd00::5]:9001/',
    'https://[fd00::6]:9000/',
    'https://192.168.7.7/',
    'https://127.0.0.1:22/',
    'https://169.254.169.254/',
    'https://[64:ff9b::10.2.0.1]/',
    'https://files.internal:22/',
  ])('ends where the list ends: %s', (url) => expect(codeOf(() => opened.checkUrl(url, 'webhook'))).toBe('egress.refused'));

  it.each([
    'https://127.0.0.1:8443/',
    'https://127.9.9.9:8443/',
    'https://[::1]:8443/',
    'https://[::ffff:127.0.0.1]:8443/',
    'https://10.1.2.3:8443/',
    'https://0.0.0.0:8443/',
    'https://[::]:8443/',
    'https://[fe80::1]:8443/',
    'https://[64:ff9b::127.0.0.1]:8443/',
  ])('never holds a listener of our own: %s', (url) => {
    expect(codeOf(() => opened.checkUrl(url, 'webhook'))).toBe('egress.refused');
    expect(
      codeOf(() =>
        createEgress({ ...bare, allow: ['0.0.0.0/0', '::/0'], localAddresses: () => ['10.1.2.3', 'fe80::1'] }).checkUrl(url, 'webhook'),
      ),
    ).toBe('egress.refused');
  });

  it('holds a port that a policy closes only where host and port are listed', () => {
    expect(codeOf(() => opened.checkUrl('https://192.168.7.7:25/', 'webhook'))).toBe('passes');
    expect(codeOf(() => opened.checkUrl('https://127.0.0.1:25/', 'webhook'))).toBe('egress.refused');
  });

  it('holds the same address on another port', () => {
    expect(codeOf(() => opened.checkUrl('https://10.1.2.3:8444/', 'webhook'))).toBe('passes');
  });

  it('never holds a listener named by its public name', () => {
    const egress = createEgress({
      ...bare,
      allow: [],
      ownListeners: () => [
        { host: 'Platform.Example', port: 443 },
        { host: '10.9.9.9', port: 5432 },
      ],
    });
    expect(codeOf(() => egress.checkUrl('https://platform.example/', 'upstream'))).toBe('egress.refused');
    expect(codeOf(() => egress.checkUrl('https://platform.example./v1', 'upstream'))).toBe('egress.refused');
    expect(codeOf(() => egress.checkUrl('https://platform.example:8443/', 'upstream'))).toBe('passes');
  });

  it.each([
    '10.0.0.0/33',
    '10.0.0/8',
    'files.internal',
    'files.internal:0',
    'files.internal:65536',
    'http://files.internal:80',
    '*',
    '::/129',
    '10.0.0.1:',
    'a b:80',
    'user@host:80',
    '::ffff:10.0.0.0/8',
  ])('does not start with a list that holds %j', (entry) => {
    expect(codeOf(() => createEgress({ ...bare, allow: [entry] }))).toBe('egress.allow_list_invalid');
  });

  it('reads a mapped range as the IPv4 range it is', () => {
    expect(codeOf(() => createEgress({ ...bare, allow: ['::ffff:10.0.0.0/104'] }).checkUrl('http://10.200.0.1/', 'upstream'))).toBe(
      'passes',
    );
  });
});
