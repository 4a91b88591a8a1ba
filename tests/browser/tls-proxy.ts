import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface TlsProxy {
  /** `https://127.0.0.1:port`, without a slash at the end. */
  readonly origin: string;
  /** Where everything goes; set before the first request. */
  forwardTo(port: number): void;
  close(): Promise<void>;
}

/** One DER element (X.690 §8.1) of the given tag. */
function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  // The shortest form of the length, or browsers refuse the certificate (§10.1).
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: readonly Uint8Array[]) => element(0x30, ...parts);

/** A certificate for this run, signed by itself (RFC 5280 §4.1): a browser that ignores certificate errors needs no more. */
function certificate(): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(element(6, Buffer.from('2a8648ce3d040302', 'hex')));
  const name = sequence(element(0x31, sequence(element(6, Buffer.from('550403', 'hex')), element(12, Buffer.from('connect test')))));
  const validity = sequence(element(0x17, Buffer.from('240101000000Z')), element(0x17, Buffer.from('490101000000Z')));
  const version3 = element(0xa0, element(2, Buffer.from([2])));
  const body = sequence(
    version3,
    element(2, Buffer.from([7])),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = element(3, Buffer.from([0]), sign('sha256', body, privateKey));
  const base64 = sequence(body, algorithm, signature).toString('base64');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
  };
}

/** What stands in front of the platform in production: it ends TLS and hands the request on. */
export async function startTlsProxy(): Promise<TlsProxy> {
  let port = 0;
  const server = createServer(certificate(), (incoming, outgoing) => {
    const onward = request(
      { host: '127.0.0.1', port, method: incoming.method, path: incoming.url, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    forwardTo(target) {
      port = target;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
