import { join } from 'node:path';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AceApp, freePort, startAceApp } from './ace-process.ts';

const shim = join(import.meta.dirname, 'own-authorization-server.cjs');
const scopes = ['READ', 'ACT_AS_USER'];
let world: World;
let app: AceApp;

beforeAll(async () => {
  const port = await freePort();
  world = await World.create({ egressAllow: [`127.0.0.1:${port}`] });
  const env = { NODE_ENV: 'production', NODE_OPTIONS: `--require ${shim}` };
  app = await startAceApp({ port, keysUrl: `${world.url}/keys`, env });
  const descriptor = (await (await fetch(`${app.url}/atlassian-connect.json`)).json()) as object;
  expect((await world.meta('POST', '/apps', { descriptor: { ...descriptor, scopes } })).status).toBe(201);
}, 60_000);
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** The App's clock is the machine's; the world's stands still until it is moved. */
const now = (): void => world.clock.advance(Date.now() - world.clock.now());

async function tenant(...users: readonly string[]): Promise<{ id: string; clientKey: string }> {
  now();
  const { id, apiKey } = await world.application();
  for (const user of users) {
    const body = { service: 'gdrive', account: `${user} at gdrive`, token: 'x', end_user: user };
    const imported = await world.call('POST', '/v1/accounts', { headers: { authorization: `APIKey ${apiKey}` }, body });
    expect(imported.status, imported.text).toBe(201);
  }
  const installed = await world.meta('POST', `/applications/${id}/installs`, { app_key: app.key, scopes });
  expect(installed.status, installed.text).toBe(201);
  return { id, clientKey: installed.json.client_key };
}
const seenBy = (clientKey: string, userAccountId?: string) => {
  now();
  return app.callHost({
    clientKey,
    method: 'get',
    path: '/rest/bulkhead/1/accounts',
    ...(userAccountId === undefined ? {} : { userAccountId }),
  });
};
const owners = (answer: { body: unknown }): string[] =>
  (answer.body as { accounts: { end_user: string }[] }).accounts.map((each) => each.end_user);

describe('asUserByAccountId of unmodified atlassian-connect-express 11.5.3', () => {
  test('acts for one user of the tenant, within what that one has', async () => {
    const { clientKey } = await tenant('ada', 'eve');
    const asAda = await seenBy(clientKey, 'ada');
    expect(asAda.status, `${JSON.stringify(asAda.body)} ${app.output()}`).toBe(200);
    expect(owners(asAda)).toEqual(['ada']);
    expect(owners(await seenBy(clientKey, 'eve'))).toEqual(['eve']);
    // It keeps its token; a second call needs no other.
    expect(owners(await seenBy(clientKey, 'ada'))).toEqual(['ada']);
    // Control: as itself it sees both.
    expect(owners(await seenBy(clientKey)).sort()).toEqual(['ada', 'eve']);
  });

  test('is refused for somebody who is no user of that tenant, and for the App after it was disabled', async () => {
    const [first, second] = [await tenant('ada'), await tenant('bob')];
    await expect(seenBy(first.clientKey, 'bob')).rejects.toThrow('invalid_grant');
    expect(owners(await seenBy(second.clientKey, 'bob'))).toEqual(['bob']);
    expect(owners(await seenBy(first.clientKey, 'ada'))).toEqual(['ada']);
    await world.meta('POST', `/applications/${first.id}/installs/${app.key}/disable`);
    expect((await seenBy(first.clientKey, 'ada')).status).toBe(401);
    // Control: another tenant of the same App is not touched.
    expect((await seenBy(second.clientKey, 'bob')).status).toBe(200);
  });
});
