import { silentLog } from '@bulkhead/base';
import { World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DemoApp } from '../app/index.ts';
import type { Fetch } from '../company/index.ts';
import { type DemoServices, startDemoServices } from '../services.ts';
import { runTerminalDemo } from './run-terminal-demo.ts';

let services: DemoServices;
let world: World;

beforeAll(async () => {
  services = await startDemoServices({ log: silentLog });
  world = await World.create({ egressAllow: services.egressAllow });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await services.close();
});

async function run(
  change: { fetch?: Fetch; metaToken?: string; bulkheadUrl?: string; app?: DemoApp } = {},
): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const code = await runTerminalDemo({
    bulkheadUrl: world.url,
    metaToken: world.metaToken,
    upstream: services.upstream,
    app: services.app,
    clock: world.clock,
    out: (line) => lines.push(line),
    ...change,
  });
  return { code, text: lines.join('\n') };
}

/** The world's own answers, but for one kind of request. */
function lying(when: (url: string, init: RequestInit) => boolean, answer: () => Response): Fetch {
  return (url, init) => (when(url, init) ? Promise.resolve(answer()) : fetch(url, init));
}

describe('the demo in the terminal', () => {
  it('goes through every chapter against the real platform and ends with 0', async () => {
    const { code, text } = await run();
    expect(text).not.toContain('✗');
    expect(code).toBe(0);
    for (const said of [
      'Ada Alder',
      'Bea Birch',
      'Alder Logistics – budget.csv',
      'word for word the same',
      'A note for Alder Logistics is there for them, and not for Birch Clinics',
      'Every answer was the expected one.',
    ])
      expect(text).toContain(said);
    expect(text.match(/✓ 404/g)?.length).toBe(4);
  });

  it('shows each request as a curl line and no credential in full', async () => {
    const { text } = await run();
    expect(text).toContain('-H "Authorization: Bearer $META_TOKEN"');
    expect(text).toContain('-H "Authorization: APIKey $ALDER_API_KEY"');
    expect(text).not.toContain(world.metaToken);
    expect(text).not.toContain(services.upstream.client.client_secret);
    expect(text).not.toMatch(/bh[kact]_\w{12,}/);
  });

  it('writes no colour codes where the output is no terminal', async () => {
    const { text } = await run();
    expect(text).not.toContain('\u001b');
  });

  it('leaves no Application behind', async () => {
    await run();
    expect((await world.meta('GET', '/applications')).json.total).toBe(0);
  });

  it('ends with 1 when the wall is open: another customer’s account answers 200', async () => {
    const seen = new Set<string>();
    const open = lying(
      (url, init) => {
        // The second account that appears in a path belongs to the other customer.
        const account = /\/accounts\/(\d+)\/proxy\/files$/.exec(url)?.[1];
        if (account === undefined || account === '4503599627370496' || init.method !== 'GET') return false;
        seen.add(account);
        return [...seen].indexOf(account) === 1;
      },
      () => Response.json({ files: [] }),
    );
    const { code, text } = await run({ fetch: open });
    expect(text).toContain('✗ 200');
    expect(code).toBe(1);
  });

  it('ends with 1 when the refusal differs from that for an account that never existed', async () => {
    const chatty = lying(
      (url) => url.includes('/accounts/4503599627370496/'),
      () => Response.json({ status_code: 404, message: 'No such account.', error_code: 'not_found' }, { status: 404 }),
    );
    const { code, text } = await run({ fetch: chatty });
    expect(text).toContain('it differs from the answer for an account that never existed');
    expect(code).toBe(1);
  });

  it('ends with 1 when a note turns up at the other customer', async () => {
    const notes: string[] = [];
    const { code, text } = await run({
      app: {
        ...services.app,
        addNote: (_clientKey, note) => Promise.resolve(notes.push(note) > 0),
        notes: () => Promise.resolve(notes),
      },
    });
    expect(text).toContain('the App finds 1 for them, 1 for Birch Clinics');
    expect(code).toBe(1);
  });

  it('ends with 1 and a sentence for a wrong Meta token', async () => {
    const { code, text } = await run({ metaToken: 'bhm_wrong-token-of-sufficient-length' });
    expect(code).toBe(1);
    expect(text).toContain('✗ 401');
  });

  it('ends with 1 and the way out where nothing listens', async () => {
    const { code, text } = await run({ bulkheadUrl: 'http://127.0.0.1:9' });
    expect(code).toBe(1);
    expect(text).toContain('npm start');
  });
});
