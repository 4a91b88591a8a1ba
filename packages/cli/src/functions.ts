import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { ApiCaller, type AtServer } from './call-api.ts';
import { readFunctionSource } from './function-source.ts';
import { type Switched, waitingText } from './function-versions.ts';
import { keepAsking } from './keep-asking.ts';
import { printJson } from './print.ts';
import { printable } from './printable.ts';
import { untilStopped } from './until-stopped.ts';
import { UsageError } from './usage-error.ts';

export interface DeployOptions extends AtServer {
  readonly app?: string;
  readonly environment?: string;
  readonly forge?: true;
  readonly printManifest?: true;
}
export interface OfInstall extends AtServer {
  readonly application: string;
  readonly environment: string;
}
export interface InvokeOptions extends OfInstall {
  readonly payload?: string;
}
export interface LogsOptions extends OfInstall {
  readonly cursor?: string;
  readonly follow?: true;
}

interface Line {
  readonly at: string;
  readonly level: string;
  readonly message: string;
}
interface Invocation {
  readonly outcome: { readonly kind: string; readonly value?: unknown } & Readonly<Record<string, unknown>>;
  readonly duration_ms: number;
  readonly logs: readonly Line[];
  readonly logs_dropped: number;
}
interface LogPage {
  readonly cursor: string;
  readonly objects: readonly {
    readonly id: string;
    readonly function: string;
    readonly version: number;
    readonly outcome: string;
    readonly duration_ms: number;
    readonly started: string;
    readonly lines: readonly Line[];
    readonly lines_dropped: number;
  }[];
}

const EVERY_MS = 1_000;
/** What may take longer is not waited for over HTTP. */
const CALL_MS = 290_000;

/** Bundles the functions of a folder and deploys them; or prints the manifest that this would be by. */
export async function deployFunctions(
  folder: string,
  { app, environment, forge, printManifest, json, ...at }: DeployOptions,
): Promise<void> {
  const root = resolve(folder);
  const { manifest, report, bundle } = await readFunctionSource(root, { app, forge });
  for (const line of report) process.stderr.write(`${printable(line)}\n`);
  if (printManifest) return json ? printJson(manifest) : void process.stdout.write(stringify(manifest));
  if (environment === undefined) throw new UsageError('Name the environment with --environment, such as development or production.');
  const api = new ApiCaller('META_TOKEN', at);
  const code = await bundle();
  const path = `/v1/meta/apps/${encodeURIComponent(manifest.app)}/deployments`;
  const deployed = await api.call<Switched>('POST', path, { environment, manifest, code });
  if (json) return printJson(deployed);
  const reaches = deployed.egress_hosts.length === 0 ? 'no host' : deployed.egress_hosts.join(', ');
  process.stdout.write(
    `Deployed: version ${deployed.version} of ${manifest.app} in ${environment} (${deployed.functions.join(', ')}; may fetch from ${reaches}; ${code.length} characters)\n${waitingText(deployed)}`,
  );
}

/** Calls a function: its value on standard output, what it wrote on standard error. Exit code 1 where it has no value. */
export async function invokeFunction(app: string, name: string, options: InvokeOptions): Promise<void> {
  const api = new ApiCaller('META_TOKEN', options);
  const body = { function: name, environment: options.environment, payload: jsonOf(options.payload ?? 'null') };
  const invocation = await api.call<Invocation>('POST', `${ofInstall(app, options)}/invoke`, body, CALL_MS);
  if (invocation.outcome.kind !== 'ok') process.exitCode = 1;
  if (options.json) return printJson(invocation);
  for (const line of invocation.logs) process.stderr.write(`${lineText(line)}\n`);
  if (invocation.logs_dropped > 0) process.stderr.write(`… and ${invocation.logs_dropped} lines more\n`);
  const { kind, value, ...facts } = invocation.outcome;
  if (kind === 'ok') process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  else process.stderr.write(`${printable(`${kind}: ${Object.values(facts).filter(Boolean).join(': ')}`)} (${invocation.duration_ms} ms)\n`);
}

/** Prints what functions wrote, call by call in the order in which they ended; with `follow` until Ctrl-C. */
export async function printLogs(app: string, { follow, cursor: from, ...options }: LogsOptions): Promise<void> {
  const api = new ApiCaller('META_TOKEN', options);
  const path = `${ofInstall(app, options)}/logs?environment=${encodeURIComponent(options.environment)}&page_size=100`;
  let cursor = from ?? '0';
  await untilStopped(async (stopped) => {
    while (!stopped.aborted) {
      const ask = () => api.call<LogPage>('GET', `${path}&cursor=${encodeURIComponent(cursor)}`);
      const page: LogPage | null = await (follow ? keepAsking(ask, stopped) : ask());
      if (page === null) break;
      for (const call of page.objects) {
        if (options.json) {
          process.stdout.write(`${JSON.stringify(call)}\n`);
          continue;
        }
        process.stdout.write(`${call.started}  ${call.function}@${call.version}  ${call.outcome}  ${call.duration_ms} ms  ${call.id}\n`);
        for (const line of call.lines) process.stdout.write(`  ${lineText(line)}\n`);
        if (call.lines_dropped > 0) process.stdout.write(`  … and ${call.lines_dropped} lines more\n`);
      }
      ({ cursor } = page);
      if (page.objects.length > 0) continue;
      if (!follow) break;
      await sleep(EVERY_MS, undefined, { signal: stopped }).catch(() => undefined);
    }
  }).finally(() => process.stderr.write(`cursor ${cursor}\n`));
}

function ofInstall(app: string, { application }: OfInstall): string {
  return `/v1/meta/applications/${encodeURIComponent(application)}/installs/${encodeURIComponent(app)}`;
}

function lineText({ at, level, message }: Line): string {
  return `${at} ${level.padEnd(5)} ${printable(message).replaceAll('\n', '\n    ')}`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError('--payload: expected JSON, such as \'{"a": 1}\' or \'"text"\'.');
  }
}
