import { setTimeout as sleep } from 'node:timers/promises';
import { ApiCaller, type AtServer, CallError } from './call-api.ts';
import { confirm } from './confirm.ts';
import { printJson } from './print.ts';
import { UsageError } from './usage-error.ts';

export interface ApproveOptions extends AtServer {
  readonly environment: string;
  readonly application?: string;
  readonly all?: true;
  readonly yes?: true;
}
export interface InstallEnvironment {
  readonly environment: string;
  readonly joined: boolean;
  readonly running: number | null;
  readonly newest: number | null;
  readonly requested: readonly string[];
  readonly approved: readonly string[];
  readonly waiting: readonly string[];
}
interface WaitingPage {
  readonly total: number;
  readonly version: number | null;
  readonly requested: readonly string[];
  readonly objects: readonly { readonly application_id: string; readonly waiting: readonly string[] }[];
}

const PAGE = 100;
const SHOWN_MAX = 10;
const TURNS_MAX = 10;

/** Approves what the newest version requests: for one install, which joins the environment with it, or for all that wait. Shows first what and for whom. */
export async function approveFunctions(app: string, options: ApproveOptions): Promise<void> {
  if ((options.application === undefined) === (options.all === undefined))
    throw new UsageError('Name the install with --application app…, or all that wait with --all.');
  const api = new ApiCaller('META_TOKEN', options);
  await (options.application === undefined ? approveAll(api, app, options) : approveOne(api, app, options.application, options));
}

async function approveOne(api: ApiCaller, app: string, application: string, options: ApproveOptions): Promise<void> {
  const { environment, json } = options;
  const path = environmentPath(app, application, environment);
  const seen = await api.call<InstallEnvironment>('GET', path);
  if (seen.joined && seen.waiting.length === 0) {
    if (json) return printJson(seen);
    process.stdout.write(`Nothing waits: ${requestedText(seen.requested)} is approved for ${app} in ${environment}.\n`);
    return;
  }
  const joins = seen.joined ? '' : `${application} joins the environment ${environment}. `;
  process.stderr.write(
    `${joins}Version ${seen.newest ?? '-'} of ${app} requests ${requestedText(seen.requested)}; new is ${requestedText(seen.waiting)}.\n`,
  );
  await assertYes(options, seen.waiting.length > 0);
  const now = await api.call<InstallEnvironment>('PUT', path, { permissions: seen.requested });
  if (json) return printJson(now);
  process.stdout.write(
    `Approved: ${now.running === null ? 'nothing is deployed yet' : `version ${now.running} runs`} for ${application} in ${environment}.\n`,
  );
}

async function approveAll(api: ApiCaller, app: string, options: ApproveOptions): Promise<void> {
  const { environment, json } = options;
  const path = `/v1/meta/apps/${encodeURIComponent(app)}/environments/${encodeURIComponent(environment)}/waiting?page_size=${PAGE}`;
  const first = await api.call<WaitingPage>('GET', path);
  if (first.total === 0) return json ? printJson({ approved: 0, failed: [] }) : void process.stdout.write('No install waits.\n');
  process.stderr.write(
    `Version ${first.version ?? '-'} of ${app} in ${environment} requests ${requestedText(first.requested)}.\nFor ${first.total} installs not all of it is approved:\n`,
  );
  for (const { application_id: id, waiting } of first.objects.slice(0, SHOWN_MAX))
    process.stderr.write(`  ${id}  new: ${waiting.join(', ')}\n`);
  if (first.total > SHOWN_MAX) process.stderr.write(`  … and ${first.total - SHOWN_MAX} more\n`);
  await assertYes(options, true);
  const failed: { application_id: string; message: string }[] = [];
  let approved = 0;
  // Who is approved waits no more, so the first page is always the next one; those that failed stay at its beginning.
  for (let page = first; page.objects.length > 0; page = await patiently(() => api.call<WaitingPage>('GET', path))) {
    if (page.requested.join() !== first.requested.join())
      throw new CallError(`Another version was deployed meanwhile, which requests something else. ${approved} were approved; ask again.`);
    const fresh = page.objects.filter(({ application_id: id }) => !failed.some((each) => each.application_id === id));
    if (fresh.length === 0) break;
    for (const { application_id: id } of fresh)
      try {
        await patiently(() => api.call('PUT', environmentPath(app, id, environment), { permissions: first.requested }));
        approved++;
      } catch (thrown) {
        if (!(thrown instanceof CallError)) throw thrown;
        failed.push({ application_id: id, message: thrown.message });
      }
    process.stderr.write(`  ${approved} of ${first.total} approved\n`);
    if (failed.length >= PAGE) break;
  }
  if (failed.length > 0) process.exitCode = 1;
  if (json) return printJson({ approved, failed });
  for (const each of failed) process.stderr.write(`Not approved: ${each.application_id}: ${each.message}\n`);
  process.stdout.write(`Approved: for ${approved} installs in ${environment}.\n`);
}

/** Comes again when the server says so: it takes so many requests in a while. */
export async function patiently<T>(ask: () => Promise<T>, turns = TURNS_MAX): Promise<T> {
  for (;;)
    try {
      return await ask();
    } catch (thrown) {
      if (!(thrown instanceof CallError) || thrown.retryAfterMs === 0 || --turns <= 0) throw thrown;
      await sleep(thrown.retryAfterMs);
    }
}

export function environmentPath(app: string, application: string, environment: string): string {
  return `/v1/meta/applications/${encodeURIComponent(application)}/installs/${encodeURIComponent(app)}/environments/${encodeURIComponent(environment)}`;
}

function requestedText(permissions: readonly string[]): string {
  return permissions.length === 0 ? 'nothing' : permissions.join(', ');
}

/** Throws where the answer is no, or nobody is there to ask. */
export async function assertYes({ yes }: { readonly yes?: true }, isAsked: boolean): Promise<void> {
  if (yes || !isAsked) return;
  if (!process.stdin.isTTY) throw new UsageError('Nobody is here to ask: say --yes to do this.');
  if (!(await confirm('Do this? Type yes: ', { input: process.stdin, output: process.stderr })))
    throw new CallError('Nothing was changed.');
}
