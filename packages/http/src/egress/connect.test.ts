import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer, type Server } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { applicationId, silentLog, systemClock } from '@bulkhead/base';
import { afterEach, describe, expect, it } from 'vitest';
import { createEgress, type Egress, type EgressOptions } from './egress.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});
async function listen(server: Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close: () =>
      new Promise((resolve) => ('closeAllConnections' in server && (server as Server).closeAllConnections(), server.close(resolve))),
  });
  return (server.address() as AddressInfo).port;
}
function egressWith(options: Partial<EgressOptions> = {}): Egress {
  const egress = createEgress({ allow: [], ownListeners: () => [], log: silentLog, clock: systemClock, ...options });
  open.unshift(egress);
  return egress;
}
const get = { policy: 'upstream', tenant: null } as const;
const refused = { code: 'egress.refused', status: 400 };

/** A certificate for `host`, signed by itself: the few DER fields that TLS needs (RFC 5280 §4.1). */
function selfSigned(host: string): { key: KeyObject; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = (tag: number, ...parts: (Buffer | string)[]): Buffer => {
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
    const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
    return Buffer.concat([Buffer.from([tag, ...length]), body]);
  };
  const ecdsaWithSha256 = der(0x30, der(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
  const name = der(0x30, der(0x31, der(0x30, der(0x06, Buffer.from('550403', 'hex')), der(0x0c, host))));
  const subjectAltName = der(0x30, der(0x06, Buffer.from('551d11', 'hex')), der(0x04, der(0x30, der(0x82, host))));
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    name,
    der(0x30, der(0x17, '200101000000Z'), der(0x17, '490101000000Z')),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, subjectAltName)),
  );
  const whole = der(0x30, body, ecdsaWithSha256, der(0x03, Buffer.from([0]), sign('sha256', body, privateKey)));
  return { key: privateKey, cert: `-----BEGIN CERTIFICATE-----\n${whole.toString('base64')}\n-----END CERTIFICATE-----\n` };
}

/** Counts the connections it gets; answers each request with the Host it saw. */
async function counted(): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const server = createHttpServer((request, response) => response.end(request.headers.host));
  server.on('connection', () => (connections += 1));
  return { port: await listen(server), connections: () => connections };
}

/** A connection is free again one turn of the loop after its answer. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe('the address is checked when it is connected to', () => {
  it.each([
    '127.0.0.1',
    '::1',
    '::ffff:127.0.0.1',
    '::127.0.0.1',
    '10.0.0.1',
    '169.254.169.254',
    'fd00:ec2::254',
    '0.0.0.0',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'fe80::1%lo',
    'not an address',
    '',
  ])('a name that has the address %j is refused', async (address) => {
    const { port, connections } = await counted();
    await expect(egressWith({ resolve: async () => [address] }).fetch(`https://service.example:${port}/`, get)).rejects.toMatchObject(
      refused,
    );
    expect(connections()).toBe(0);
  });

  it('one private address among public ones refuses the name', async () => {
    const egress = egressWith({ resolve: async () => ['93.184.216.34', '10.0.0.1', '2606:4700::1111'] });
    await expect(egress.fetch('https://service.example/', get)).rejects.toMatchObject(refused);
  });

  it('a name that had a public address when it was registered is refused once it has a private one', async () => {
    const { port, connections } = await counted();
    const answers = [['127.0.0.1'], ['10.9.9.9'], ['127.0.0.1']];
    const egress = egressWith({ allow: [`127.0.0.1:${port}`], resolve: async () => answers.shift() ?? [] });
    const url = `http://service.example:${port}/`;
    expect(egress.checkUrl(url, 'upstream').href).toBe(url);
    // Control: the allowed answer is reached, and by the name that was asked for.
    expect(String((await egress.fetch(url, { ...get, headers: { connection: 'close' }, method: 'HEAD' })).status)).toBe('200');
    await expect(egress.fetch(url, get)).rejects.toMatchObject(refused);
    expect(String((await egress.fetch(url, get)).body)).toBe(`service.example:${port}`);
    expect(connections()).toBe(2);
  });

  it('a name is resolved once per connection: there is no second answer to swap', async () => {
    const { port } = await counted();
    let asked = 0;
    const egress = egressWith({
      allow: [`127.0.0.1:${port}`],
      resolve: async () => ((asked += 1), [asked === 1 ? '127.0.0.1' : '169.254.169.254']),
    });
    expect((await egress.fetch(`http://service.example:${port}/`, get)).status).toBe(200);
    await turn();
    expect((await egress.fetch(`http://service.example:${port}/`, get)).status).toBe(200);
    expect(asked).toBe(1);
  });

  it('a name without an address and a name with a private one answer alike', async () => {
    const missing = egressWith({ resolve: () => Promise.reject(Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' })) });
    const empty = egressWith({ resolve: async () => [] });
    const inside = egressWith({ resolve: async () => ['10.0.0.1'] });
    const answers = await Promise.all(
      [missing, empty, inside].map((egress) =>
        egress
          .fetch('https://db.internal/', get)
          .catch((error: { code: string; status: number; publicText: string }) => [error.code, error.status, error.publicText]),
      ),
    );
    expect(answers[0]).toEqual(answers[2]);
    expect(answers[1]).toEqual(answers[2]);
    // Control: a name server in trouble is not the same as "no such name".
    const troubled = egressWith({ resolve: () => Promise.reject(Object.assign(new Error('queryA ESERVFAIL'), { code: 'ESERVFAIL' })) });
    await expect(troubled.fetch('https://db.internal/', get)).rejects.toMatchObject({ code: 'egress.unreachable' });
  });

  it('http goes only where the operator has opened, whatever the name says', async () => {
    const { port } = await counted();
    const egress = egressWith({
      allow: [`127.0.0.1:${port}`],
      resolve: async (name) => [name === 'inside.example' ? '127.0.0.1' : '93.184.216.34'],
    });
    await expect(egress.fetch(`http://outside.example:${port}/`, get)).rejects.toMatchObject(refused);
    expect((await egress.fetch(`http://inside.example:${port}/`, get)).status).toBe(200);
  });

  it('a host listed by name is open at whatever address it has, on that port only', async () => {
    const { port } = await counted();
    const other = await counted();
    const egress = egressWith({ allow: [`files.internal:${port}`], resolve: async () => ['127.0.0.1'] });
    expect((await egress.fetch(`http://files.internal:${port}/`, get)).status).toBe(200);
    await expect(egress.fetch(`http://files.internal:${other.port}/`, get)).rejects.toMatchObject(refused);
    await expect(egress.fetch(`http://other.internal:${port}/`, get)).rejects.toMatchObject(refused);
    expect(other.connections()).toBe(0);
  });

  it.each(['127.0.0.1', '127.8.8.8', '0.0.0.0', '::1', '::', '10.7.7.7', '::ffff:10.7.7.7'])(
    'our own listener is refused by its name too, though everything is allowed: %s',
    async (address) => {
      const { port, connections } = await counted();
      const allow = ['0.0.0.0/0', '::/0', `service.example:${port}`];
      const egress = egressWith({
        allow,
        ownListeners: () => [{ host: '::', port }],
        resolve: async () => [address],
        localAddresses: () => ['10.7.7.7'],
      });
      await expect(egress.fetch(`http://service.example:${port}/`, get)).rejects.toMatchObject(refused);
      expect(connections()).toBe(0);
    },
  );

  it('the addresses of this machine are known without being told', async () => {
    const { networkInterfaces } = await import('node:os');
    const [mine] = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4');
    const { port } = await counted();
    const egress = egressWith({
      allow: ['0.0.0.0/0'],
      ownListeners: () => [{ host: '0.0.0.0', port }],
      resolve: async () => [mine?.address ?? '127.0.0.1'],
    });
    await expect(egress.fetch(`http://service.example:${port}/`, get)).rejects.toMatchObject(refused);
  });
});

describe('TLS', () => {
  async function secure(certified: string): Promise<{ port: number; cert: string; names: (string | false)[] }> {
    const names: (string | false)[] = [];
    const pair = selfSigned(certified);
    const server = createHttpsServer({ key: pair.key.export({ type: 'pkcs8', format: 'pem' }), cert: pair.cert }, (request, response) =>
      response.end(request.headers.host),
    );
    server.on('secureConnection', (socket: { servername: string | false }) => names.push(socket.servername));
    return { port: await listen(server), cert: pair.cert, names };
  }
  const resolve = async (): Promise<string[]> => ['127.0.0.1'];

  it('names and verifies the host of the URL, not the address', async () => {
    const { port, cert, names } = await secure('service.example');
    const egress = egressWith({ allow: [`127.0.0.1:${port}`], resolve, trustedCertificates: cert });
    const answer = await egress.fetch(`https://service.example:${port}/`, { ...get, headers: { host: 'victim.example' } });
    expect([String(answer.body), names]).toEqual([`service.example:${port}`, ['service.example']]);
  });

  it('refuses a certificate of another host, and one that nobody vouches for', async () => {
    const { port, cert } = await secure('other.example');
    const allow = [`127.0.0.1:${port}`];
    const url = `https://service.example:${port}/`;
    await expect(egressWith({ allow, resolve, trustedCertificates: cert }).fetch(url, get)).rejects.toMatchObject({
      code: 'egress.unreachable',
    });
    await expect(egressWith({ allow, resolve }).fetch(`https://other.example:${port}/`, get)).rejects.toMatchObject({
      code: 'egress.unreachable',
    });
    expect((await egressWith({ allow, resolve, trustedCertificates: cert }).fetch(`https://other.example:${port}/`, get)).status).toBe(200);
  });

  it('that never shakes hands costs the connect time and no more', async () => {
    const port = await listen(createTcpServer((socket) => socket.on('error', () => undefined).resume()));
    const egress = egressWith({ allow: [`127.0.0.1:${port}`], resolve, connectTimeoutMs: 60 });
    await expect(egress.fetch(`https://service.example:${port}/`, { ...get, timeoutMs: 30_000 })).rejects.toMatchObject({
      code: 'egress.timeout',
    });
  });
});

describe('pools', () => {
  it('tenants never share a connection', async () => {
    const { port, connections } = await counted();
    const egress = egressWith({ allow: ['127.0.0.1'] });
    const url = `http://127.0.0.1:${port}/`;
    const [one, two] = [applicationId.generate(), applicationId.generate()];
    for (const tenant of [one, one, two, null, two, one]) {
      await egress.fetch(url, { ...get, tenant });
      await turn();
    }
    expect(connections()).toBe(3);
  });

  it('hold no more connections than they may', async () => {
    let most = 0;
    let now = 0;
    const port = await listen(
      createHttpServer((_, response) => {
        most = Math.max(most, (now += 1));
        setImmediate(() => ((now -= 1), response.end()));
      }) as never,
    );
    const egress = egressWith({ allow: ['127.0.0.1'], connectionsPerPoolMax: 3 });
    await Promise.all(Array.from({ length: 12 }, () => egress.fetch(`http://127.0.0.1:${port}/`, get)));
    expect(most).toBeLessThanOrEqual(3);
  });

  it('are closed least recently used first, after what is under way has ended', async () => {
    const gate = Promise.withResolvers<void>();
    const slow = await listen(createHttpServer((_, response) => void gate.promise.then(() => response.end('late'))) as never);
    const [a, b] = [await counted(), await counted()];
    const egress = egressWith({ allow: ['127.0.0.1'], poolsMax: 1 });
    const waiting = egress.fetch(`http://127.0.0.1:${slow}/`, get);
    await egress.fetch(`http://127.0.0.1:${a.port}/`, get);
    await egress.fetch(`http://127.0.0.1:${b.port}/`, get);
    await turn();
    await egress.fetch(`http://127.0.0.1:${b.port}/`, get);
    await egress.fetch(`http://127.0.0.1:${a.port}/`, get);
    gate.resolve();
    expect(String((await waiting).body)).toBe('late');
    expect([a.connections(), b.connections()]).toEqual([2, 1]);
  });

  it('close at once with the egress, breaking what is under way', async () => {
    const port = await listen(createTcpServer((socket) => socket.on('error', () => undefined)));
    const egress = egressWith({ allow: ['127.0.0.1'] });
    const call = egress.fetch(`http://127.0.0.1:${port}/`, get);
    await egress.close();
    await expect(call).rejects.toMatchObject({ code: 'egress.unreachable' });
  });
});
