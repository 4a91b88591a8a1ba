import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Secret } from '@bulkhead/base';
import { signWebhook } from '@bulkhead/protocol';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const guides = fileURLToPath(new URL('../../docs/guides/', import.meta.url));
const LANGUAGES = [
  { name: 'Node', file: 'verify.mjs', run: [process.execPath], probe: '--version' },
  { name: 'Python', file: 'verify.py', run: ['python3'], probe: '--version' },
  { name: 'Go', file: 'verify.go', run: ['go', 'run'], probe: 'version' },
  { name: 'Ruby', file: 'verify.rb', run: ['ruby'], probe: '--version' },
] as const;

interface Call {
  readonly format: 'standard' | 'kloudless';
  readonly secrets: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
interface Secrets {
  readonly id: string;
  readonly secret: string;
  readonly signing_secret: string;
}

let world: World;
let received: Omit<Call, 'format' | 'secrets'>[] = [];
const server = createServer((request, response) => {
  void text(request).then((body) => {
    received.push({ headers: request.headers as Record<string, string>, body });
    response.end(new URL(request.url ?? '', 'http://x').searchParams.get('app'));
  });
});
/** Really sent, by format: an event, an event after a rotation, a test. */
const sent = { standard: [] as Call[], kloudless: [] as Call[] };
const rotated: Record<Call['format'], { old: string; new: string }> = {
  standard: { old: '', new: '' },
  kloudless: { old: '', new: '' },
};

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  world = await World.create({ egressAllow: [address] });
  for (const format of ['standard', 'kloudless'] as const) sent[format] = await deliveriesOf(format, address);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

async function deliveriesOf(format: Call['format'], address: string): Promise<Call[]> {
  const { id, apiKey } = await world.application({ events_enabled: true });
  const below = `/applications/${id}/webhooks`;
  const made = (await world.meta('POST', below, { url: `http://${address}/?app=${id}`, format, events: ['account.*'] })).json as Secrets;
  const keyOf = (of: Secrets) => (format === 'standard' ? of.signing_secret : of.secret);
  received = [];
  const connect = async (account: string) => {
    const headers = { authorization: `APIKey ${apiKey}` };
    const body = { service: 'gdrive', account, token: 'upstream-token', end_user: 'Zoë' };
    expect((await world.call('POST', '/v1/accounts', { headers, body })).status).toBe(201);
    await world.platform.runDueDeliveries();
  };
  await connect('one@example.com');
  const renewed = (await world.meta('POST', `${below}/${made.id}/rotate_secret`)).json as Secrets;
  await connect('two@example.com');
  expect((await world.meta('POST', `${below}/${made.id}/test`)).json).toMatchObject({ delivered: true });
  expect(received).toHaveLength(3);
  rotated[format] = { old: keyOf(made), new: keyOf(renewed) };
  return received.map((call) => ({ ...call, format, secrets: [keyOf(made)] }));
}

/** One verdict per call: `genuine` or `forged`. */
async function verdicts({ run, file }: (typeof LANGUAGES)[number], calls: readonly Call[]): Promise<string[]> {
  const [command, ...args] = [...run, join(guides, 'receive-webhooks', file)] as [string, ...string[]];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(calls.map((call) => `${JSON.stringify(call)}\n`).join(''));
  return (await text(child.stdout)).trim().split('\n');
}

const altered = (call: Call, name: string, value: string): Call => ({ ...call, headers: { ...call.headers, [name]: value } });
const without = (call: Call, name: string): Call => ({
  ...call,
  headers: Object.fromEntries(Object.entries(call.headers).filter(([key]) => key !== name)),
});

/** The same call as it would have been signed at another time, in seconds from now. */
function signedAt(call: Call, offset: number): Call {
  const timestamp = Math.floor(Date.now() / 1_000) + offset;
  const content = { id: call.headers['webhook-id']!, timestamp, body: call.body };
  const signature = signWebhook([new Secret(call.secrets[0]!)], content);
  return altered(altered(call, 'webhook-timestamp', String(timestamp)), 'webhook-signature', signature);
}

const OTHER = { standard: 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=', kloudless: 'bhs_of_somebody_else' };

const genuine: readonly (readonly [string, () => Call])[] = [
  ['a Standard Webhook', () => sent.standard[0]!],
  ['one signed by us now', () => signedAt(sent.standard[0]!, 0)],
  ['one at the edge of the window', () => signedAt(sent.standard[0]!, -240)],
  ['one during a rotation, to who has the old secret', () => sent.standard[1]!],
  ['one during a rotation, to who has the new secret', () => ({ ...sent.standard[1]!, secrets: [rotated.standard.new] })],
  ['a test', () => sent.standard[2]!],
  ["Kloudless's form", () => sent.kloudless[0]!],
  ['it during a rotation, to who has both', () => ({ ...sent.kloudless[1]!, secrets: [rotated.kloudless.new, rotated.kloudless.old] })],
  ['its test, which is empty', () => sent.kloudless[2]!],
];
const forged: readonly (readonly [string, () => Call])[] = [
  ['another body', () => ({ ...sent.standard[0]!, body: sent.standard[0]!.body.replace('account.connected', 'account.deleted') })],
  ['a body written anew', () => ({ ...sent.standard[0]!, body: JSON.stringify(JSON.parse(sent.standard[0]!.body), null, 1) })],
  ['another id', () => altered(sent.standard[0]!, 'webhook-id', 'evt0')],
  ['no id', () => without(sent.standard[0]!, 'webhook-id')],
  [
    'another timestamp',
    () => altered(sent.standard[0]!, 'webhook-timestamp', String(Number(sent.standard[0]!.headers['webhook-timestamp']) + 1)),
  ],
  ['a timestamp that is none', () => altered(sent.standard[0]!, 'webhook-timestamp', 'now')],
  ['one of ten minutes ago', () => signedAt(sent.standard[0]!, -600)],
  ['one of ten minutes ahead', () => signedAt(sent.standard[0]!, 600)],
  ['another secret', () => ({ ...sent.standard[0]!, secrets: [OTHER.standard] })],
  ['no secret', () => ({ ...sent.standard[0]!, secrets: [] })],
  ['no signature', () => without(sent.standard[0]!, 'webhook-signature')],
  ['the secret of after the rotation, before it', () => ({ ...sent.standard[0]!, secrets: [rotated.standard.new] })],
  [
    'a signature cut short',
    () => altered(sent.standard[0]!, 'webhook-signature', sent.standard[0]!.headers['webhook-signature']!.slice(0, -3)),
  ],
  ["another account in Kloudless's form", () => ({ ...sent.kloudless[0]!, body: `${sent.kloudless[0]!.body}0` })],
  ["another secret in Kloudless's form", () => ({ ...sent.kloudless[0]!, secrets: [OTHER.kloudless] })],
  ["no signature in Kloudless's form", () => without(sent.kloudless[0]!, 'x-kloudless-signature')],
  ["Kloudless's test with a body", () => ({ ...sent.kloudless[2]!, body: 'account=1' })],
];

describe('W4: the code of docs/guides/receive-webhooks.md', () => {
  test.for(LANGUAGES)(
    '$name accepts every real delivery and refuses each that was altered, copied late or of another secret',
    { timeout: 240_000 },
    async (language, { skip }) => {
      const [command] = language.run;
      skip(spawnSync(command, [language.probe]).status !== 0, `${command} is not on this machine`);
      const rows = [...genuine.map((row) => [...row, 'genuine'] as const), ...forged.map((row) => [...row, 'forged'] as const)];
      const said = await verdicts(
        language,
        rows.map(([, call]) => call()),
      );
      expect(rows.map(([title], index) => [title, said[index]])).toEqual(rows.map(([title, , verdict]) => [title, verdict]));
    },
  );

  test.each(LANGUAGES)('$name stands in the guide as it is in the file', ({ file }) => {
    const code = readFileSync(join(guides, 'receive-webhooks', file), 'utf8');
    expect(readFileSync(join(guides, 'receive-webhooks.md'), 'utf8')).toContain(`\n${code}\`\`\`\n`);
  });
});
