import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { egressWith, listen } from './egress.harness.ts';

const get = { policy: 'upstream', tenant: null } as const;

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

describe('TLS', () => {
  async function secure(certified: string): Promise<{ port: number; cert: string; names: (string | false)[] }> {
    const names: (string | false)[] = [];
    const pair = selfSigned(certified);
    const server = createServer({ key: pair.key.export({ type: 'pkcs8', format: 'pem' }), cert: pair.cert }, (request, response) =>
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
