import { describe, expect, it } from 'vitest';
import { counted, egressWith, turn } from './egress.harness.ts';
import type { Egress, EgressOptions } from './egress.ts';

const get = { policy: 'upstream', tenant: null } as const;
const refused = { code: 'egress.refused', status: 400 };

/** An egress for which the operator has opened nothing. */
const shutEgress = (options: Partial<EgressOptions> = {}): Egress => egressWith({ allow: [], ...options });

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
    await expect(shutEgress({ resolve: async () => [address] }).fetch(`https://service.example:${port}/`, get)).rejects.toMatchObject(
      refused,
    );
    expect(connections()).toBe(0);
  });

  it('one private address among public ones refuses the name', async () => {
    const egress = shutEgress({ resolve: async () => ['93.184.216.34', '10.0.0.1', '2606:4700::1111'] });
    await expect(egress.fetch('https://service.example/', get)).rejects.toMatchObject(refused);
  });

  it('localhost is connected to by the family that is open, and by no other', async () => {
    const { port, connections } = await counted();
    const resolve = async () => ['::1', '127.0.0.1'];
    expect((await shutEgress({ allow: ['127.0.0.0/8'], resolve }).fetch(`http://localhost:${port}/`, get)).status).toBe(200);
    await expect(shutEgress({ allow: ['10.0.0.0/8'], resolve }).fetch(`http://localhost:${port}/`, get)).rejects.toMatchObject(refused);
    // Only this machine's own name is read so kindly.
    await expect(shutEgress({ allow: ['127.0.0.0/8'], resolve }).fetch(`http://service.example:${port}/`, get)).rejects.toMatchObject(
      refused,
    );
    expect(connections()).toBe(1);
  });

  it('localhost does not lead to a listener of this server, whatever is open', async () => {
    const { port, connections } = await counted();
    const ownListeners = () => [{ host: '127.0.0.1', port }];
    const egress = shutEgress({ allow: ['127.0.0.0/8', '::1/128'], resolve: async () => ['::1', '127.0.0.1'], ownListeners });
    await expect(egress.fetch(`http://localhost:${port}/`, get)).rejects.toMatchObject(refused);
    expect(connections()).toBe(0);
  });

  it('a name that had a public address when it was registered is refused once it has a private one', async () => {
    const { port, connections } = await counted();
    const answers = [['127.0.0.1'], ['10.9.9.9'], ['127.0.0.1']];
    const egress = shutEgress({ allow: [`127.0.0.1:${port}`], resolve: async () => answers.shift() ?? [] });
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
    const egress = shutEgress({
      allow: [`127.0.0.1:${port}`],
      resolve: async () => ((asked += 1), [asked === 1 ? '127.0.0.1' : '169.254.169.254']),
    });
    expect((await egress.fetch(`http://service.example:${port}/`, get)).status).toBe(200);
    await turn();
    expect((await egress.fetch(`http://service.example:${port}/`, get)).status).toBe(200);
    expect(asked).toBe(1);
  });

  it('a name without an address and a name with a private one answer alike', async () => {
    const missing = shutEgress({ resolve: () => Promise.reject(Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' })) });
    const empty = shutEgress({ resolve: async () => [] });
    const inside = shutEgress({ resolve: async () => ['10.0.0.1'] });
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
    const troubled = shutEgress({ resolve: () => Promise.reject(Object.assign(new Error('queryA ESERVFAIL'), { code: 'ESERVFAIL' })) });
    await expect(troubled.fetch('https://db.internal/', get)).rejects.toMatchObject({ code: 'egress.unreachable' });
  });

  it('http goes only where the operator has opened, whatever the name says', async () => {
    const { port } = await counted();
    const egress = shutEgress({
      allow: [`127.0.0.1:${port}`],
      resolve: async (name) => [name === 'inside.example' ? '127.0.0.1' : '93.184.216.34'],
    });
    await expect(egress.fetch(`http://outside.example:${port}/`, get)).rejects.toMatchObject(refused);
    expect((await egress.fetch(`http://inside.example:${port}/`, get)).status).toBe(200);
  });

  it('a host listed by name is open at whatever address it has, on that port only', async () => {
    const { port } = await counted();
    const other = await counted();
    const egress = shutEgress({ allow: [`files.internal:${port}`], resolve: async () => ['127.0.0.1'] });
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
      const egress = shutEgress({
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
    const egress = shutEgress({
      allow: ['0.0.0.0/0'],
      ownListeners: () => [{ host: '0.0.0.0', port }],
      resolve: async () => [mine?.address ?? '127.0.0.1'],
    });
    await expect(egress.fetch(`http://service.example:${port}/`, get)).rejects.toMatchObject(refused);
  });
});
