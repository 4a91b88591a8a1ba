import { gzipSync } from 'node:zlib';
import { type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// F4: what is uploaded is one text and a manifest. Nothing is unpacked, so there is nothing to unpack it to.
let world: World;
let app: FakeApp;
beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  world = await World.create({ egressAllow: [app.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const manifest = { app: 'notes', functions: [{ key: 'run', handler: 'src/index.run' }] };
const good = { environment: 'production', manifest, code: 'export const run = () => 1;' };
const handler = (path: string) => ({ ...good, manifest: { ...manifest, functions: [{ key: 'run', handler: path }] } });

async function upload(body: string | Buffer, headers: Record<string, string> = {}): Promise<{ status: number; code: string }> {
  const answer = await fetch(`${world.url}/v1/meta/apps/notes/deployments`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.metaToken}`, 'content-type': 'application/json', ...headers },
    body: new Uint8Array(Buffer.from(body)),
  });
  const { code } = (await answer.json()) as { code: string };
  return { status: answer.status, code };
}

describe('an upload', () => {
  test.each<[string, () => string | Buffer, Record<string, string>, number, string]>([
    ['a compressed body', () => gzipSync(JSON.stringify(good)), { 'content-encoding': 'gzip' }, 415, 'request.compressed'],
    ['a compressed body that does not say so', () => gzipSync(JSON.stringify(good)), {}, 400, 'request.invalid'],
    ['a bomb', () => gzipSync(Buffer.alloc(50 * 1024 * 1024)), { 'content-encoding': 'gzip' }, 415, 'request.compressed'],
    ['an archive', () => Buffer.from('PK\u0003\u0004'), { 'content-type': 'application/zip' }, 415, 'request.unsupported_media_type'],
    ['a form with files', () => '--x--', { 'content-type': 'multipart/form-data; boundary=x' }, 415, 'request.unsupported_media_type'],
    ['a body of more than 1 MiB', () => JSON.stringify({ ...good, code: 'x'.repeat(1024 * 1024) }), {}, 413, 'request.body_too_large'],
    ['more code than is taken', () => JSON.stringify({ ...good, code: 'x'.repeat(900_001) }), {}, 400, 'request.invalid'],
    ['a binary as code', () => JSON.stringify({ ...good, code: '\u007fELF\u0000' }), {}, 400, 'request.invalid'],
    ['files beside the code', () => JSON.stringify({ ...good, files: { '../x': 'y' } }), {}, 400, 'request.invalid'],
    ['a handler above the folder', () => JSON.stringify(handler('../index.run')), {}, 400, 'request.invalid'],
    ['a handler that climbs inside', () => JSON.stringify(handler('src/../../index.run')), {}, 400, 'request.invalid'],
    ['a handler with a backslash', () => JSON.stringify(handler('..\\index.run')), {}, 400, 'request.invalid'],
    ['an absolute handler', () => JSON.stringify(handler('/etc/../index.run')), {}, 400, 'request.invalid'],
    [
      'another App than the one of the path',
      () => JSON.stringify({ ...good, manifest: { ...manifest, app: 'other' } }),
      {},
      400,
      'request.invalid',
    ],
  ])('of %s is refused with the reason', async (_, body, headers, status, code) => {
    expect(await upload(body(), headers)).toEqual({ status, code });
  });

  test('control: what is good is taken', async () => {
    expect((await upload(JSON.stringify(good))).status).toBe(201);
  });
});
