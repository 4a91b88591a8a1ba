import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createDatabase, dropDatabase, runPastDoors } from '@bulkhead/postgres';
import { testCluster } from '@bulkhead/testkit';

const folder = join(import.meta.dirname, '../../examples/ace-app-before');
const window = join(import.meta.dirname, 'ace-window.mjs');
const READY_LIMIT_MS = 30_000;

/** `examples/ace-app-before`, unmodified atlassian-connect-express on Express 4, in a process and a database of its own. */
export interface AceApp extends AsyncDisposable {
  readonly key: string;
  readonly url: string;
  readonly address: string;
  /** What it was told of, in order: `installed {clientKey}`. */
  heard(): Promise<string[]>;
  /** Has it call the host of a tenant through `httpClient`. */
  callHost(call: {
    clientKey: string;
    /** `asUserByAccountId` */
    userAccountId?: string;
    method: 'get' | 'put' | 'post' | 'del';
    path: string;
    json?: unknown;
  }): Promise<{ status: number; body: unknown }>;
  /** Has it answer this to installs; 0: what it answers by itself. */
  refuse(status: number): Promise<void>;
  /** Rows of its store. */
  clientInfos(): Promise<{ clientKey: string; val: Record<string, unknown> }[]>;
  /** Of its database, as who owns it, and as a role that may only serve. */
  readonly databaseUrls: { readonly owner: string; readonly serving: string };
  /** Everything it wrote to its outputs. */
  output(): string;
  /** Ends it as a developer does, and waits. */
  stop(): Promise<void>;
}

/** A port that nothing listens on at the moment, and which the system gives to nobody who asks for any: the App starts seconds later. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const probe = createServer().listen(port, '127.0.0.1');
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

/**
 * Starts it with the environment of connect.md alone: `keysUrl` is the host's key server. `env` for what a single test needs beside;
 * without NODE_ENV it runs in development.
 */
export async function startAceApp({
  port,
  keysUrl,
  env = { NODE_ENV: 'production' },
}: {
  port: number;
  keysUrl: string;
  env?: Readonly<Record<string, string>>;
}): Promise<AceApp> {
  const { adminUrl, appUrl, template } = await testCluster();
  const database = `ace_${port}_${process.pid}`;
  await createDatabase({ adminUrl, name: database });
  const storeUrl = adminUrl.replace(/\/postgres\?/, `/${database}?`);
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [window], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: String(port),
      DB_URL: storeUrl,
      AC_LOCAL_BASE_URL: url,
      AC_HOST_WHITELIST: '127.0.0.1',
      CONNECT_KEYS_CDN_URL: keysUrl,
      AC_HOST_SCRIPT_URL: new URL('/atlassian-connect/all.js', keysUrl).href,
      ...env,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(child, 'close');
  await untilListening(child, () => output);
  return {
    key: 'ace-notes',
    url,
    address: `127.0.0.1:${port}`,
    databaseUrls: { owner: storeUrl, serving: appUrl.replace(`/${template}?`, `/${database}?`) },
    heard: async () => (await (await fetch(`${url}/heard`)).json()) as string[],
    async callHost(call) {
      const answer = await fetch(`${url}/call-host`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(call),
      });
      if (answer.status !== 200) throw new Error(await answer.text());
      return (await answer.json()) as { status: number; body: unknown };
    },
    async refuse(status) {
      await fetch(`${url}/refuse`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ status }) });
    },
    clientInfos: async () =>
      (await runPastDoors(storeUrl, `select "clientKey", val from "AddonSettings" where key = 'clientInfo'`)) as Awaited<
        ReturnType<AceApp['clientInfos']>
      >,
    output: () => output,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
      await dropDatabase({ adminUrl, name: database });
    },
  };
}

/** Waits for the line by which an App says that it listens. */
export async function untilListening(child: ChildProcess, output: () => string): Promise<void> {
  const signal = AbortSignal.timeout(READY_LIMIT_MS);
  while (!/^listening /m.test(output())) {
    if (child.exitCode !== null || signal.aborted) throw new Error(`the App did not start: ${output()}`);
    await Promise.race([once(child, 'exit'), once(child.stdout!, 'data', { signal })]).catch(() => undefined);
  }
}
