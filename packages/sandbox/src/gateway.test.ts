import { describe, expect, test } from 'vitest';
import { guests } from './guest.testkit.ts';

const fetching = `export const run = async (url) => { try { const answer = await fetch(url); return [answer.status, await answer.text()]; } catch (error) { return String(error); } }`;

describe('what leaves an instance', () => {
  test('arrives at the doors with the whole URL, under the identity of its socket and the token of its call', async () => {
    await using world = await guests();
    const { outcome } = await world.call('one', fetching, { payload: 'https://api.example:8443/a?b=c' });
    expect(outcome).toMatchObject({ kind: 'ok', value: expect.stringContaining('https://api.example:8443/a?b=c') });
    expect(world.asked).toMatchObject([
      { url: 'https://api.example:8443/a?b=c', method: 'GET', token: 'token of one', identity: { clientKey: 'one' } },
    ]);
  });

  test.each([
    ['loopback', 'http://127.0.0.1:5432/'],
    ['the metadata service', 'http://169.254.169.254/latest/meta-data'],
    ['a name', 'http://localhost:5432/'],
  ])('to %s has no other way', async (_, url) => {
    await using world = await guests();
    await world.call('one', fetching, { payload: url });
    expect(world.asked.map((asked) => asked.url)).toEqual([url]);
  });

  test.each([
    [
      'node:http',
      `import http from 'node:http'; export const run = () => new Promise((done) => http.get('http://inner.example/x', (answer) => { answer.resume(); answer.on('end', () => done(answer.statusCode)); }).on('error', (error) => done(String(error))))`,
    ],
    [
      'node:https',
      `import https from 'node:https'; export const run = () => new Promise((done) => https.get('https://inner.example/x', (answer) => { answer.resume(); answer.on('end', () => done(answer.statusCode)); }).on('error', (error) => done(String(error))))`,
    ],
  ])('by %s arrives there too', async (_, code) => {
    await using world = await guests();
    expect((await world.call('one', code)).outcome).toEqual({ kind: 'ok', value: '200' });
    expect(world.asked).toMatchObject([{ identity: { clientKey: 'one' }, token: 'token of one' }]);
  });

  test.each([
    [
      'a socket',
      `import { connect } from 'cloudflare:sockets'; export const run = async () => { try { const socket = connect('127.0.0.1:5432'); await socket.opened; return 'open'; } catch (error) { return 'closed'; } }`,
    ],
    [
      'node:net',
      `import net from 'node:net'; export const run = () => new Promise((done) => { const socket = net.connect(5432, '127.0.0.1'); socket.on('connect', () => done('open')); socket.on('error', () => done('closed')); })`,
    ],
    [
      'a WebSocket',
      `export const run = () => new Promise((done) => { const socket = new WebSocket('wss://api.example/'); socket.addEventListener('open', () => done('open')); socket.addEventListener('error', () => done('closed')); })`,
    ],
    [
      'the file system',
      `export const run = async () => { try { await fetch('file:///etc/passwd'); return 'open'; } catch { return 'closed'; } }`,
    ],
    [
      'a socket of the host',
      `export const run = async () => { try { await fetch('unix:/run/gw.sock'); return 'open'; } catch { return 'closed'; } }`,
    ],
    [
      'a module from the network',
      `export const run = async () => { try { await import('http://api.example/x.mjs'); return 'open'; } catch { return 'closed'; } }`,
    ],
  ])('by way of %s is refused', async (_, code) => {
    await using world = await guests();
    expect((await world.call('one', code)).outcome).toEqual({ kind: 'ok', value: '"closed"' });
    expect(world.asked).toEqual([]);
  });

  test('that the host refuses by policy is an error with a name of its own, and uncaught the outcome', async () => {
    const refuse = async () => ({ status: 403, headers: [], body: Buffer.from('not for you'), denied: true });
    await using world = await guests({ doors: refuse });
    const code = `export const run = async () => { await fetch('https://x.example/'); }; export const caught = async () => { try { await fetch('https://x.example/'); } catch (error) { return [error.name, error.message]; } }`;
    expect((await world.call('one', code)).outcome).toEqual({ kind: 'denied', reason: 'egress' });
    expect((await world.call('one', code, { name: 'caught' })).outcome).toEqual({ kind: 'ok', value: '["DeniedError","not for you"]' });
  });

  test('under the name of no refusal is only an error that the guest calls so', async () => {
    await using world = await guests();
    const code = `export const run = () => { const error = new Error('x'); error.name = 'DeniedError'; throw error; }`;
    expect((await world.call('one', code)).outcome).toMatchObject({ kind: 'threw', name: 'DeniedError' });
  });
});

describe('what a guest says of itself', () => {
  test.each(['bulkhead-invocation', 'bulkhead-identity', 'proxy-authorization', 'connection'])('in %s counts for nothing', async (name) => {
    await using world = await guests();
    const code = `import http from 'node:http'; export const run = () => new Promise((done) => http.get({ host: 'x.example', path: '/', headers: { ${JSON.stringify(name)}: 'two' } }, (answer) => { answer.resume(); answer.on('end', () => done(1)); }).on('error', () => done(0)))`;
    await world.call('two', `export const run = () => 1`);
    await world.call('one', code);
    for (const asked of world.asked) {
      expect(asked).toMatchObject({ identity: { clientKey: 'one' }, token: 'token of one' });
      expect(asked.headers.map(([header]) => header.toLowerCase())).not.toContain(name);
    }
    expect(world.asked).toHaveLength(1);
  });

  test('of the token there is nothing to read: not in globals, environment, files or the request', async () => {
    await using world = await guests();
    const code = `import fs from 'node:fs';
      const walk = (folder) => fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => entry.isDirectory() ? walk(folder + '/' + entry.name) : [folder + '/' + entry.name]);
      export const run = (payload, context) => ({ env: process.env, files: ['/bundle', '/tmp'].flatMap(walk), context, keys: Object.keys(globalThis), host: fs.existsSync('/etc/passwd') })`;
    const { outcome } = await world.call('one', code);
    if (outcome.kind !== 'ok') throw new Error(JSON.stringify(outcome));
    expect(outcome.value).not.toContain('token of one');
    expect(JSON.parse(outcome.value)).toMatchObject({ env: {}, host: false, context: { clientKey: 'one' } });
  });
});
