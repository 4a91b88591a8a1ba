import { ApiCaller, type AtServer } from './call-api.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';

export interface OfApplication extends AtServer {
  readonly application: string;
}
export interface AddOptions extends OfApplication {
  readonly scopes?: string;
}

interface Install {
  readonly app_key: string;
  readonly client_key: string;
  readonly status: string;
  readonly scopes: readonly string[];
  readonly installed: string | null;
}
interface Call {
  readonly created: string;
  readonly event: string;
  readonly status: string;
  readonly attempts: number;
  readonly next_attempt: string | null;
  readonly log: readonly { readonly status: number | null; readonly failure: string | null; readonly excerpt: string | null }[];
}

function opened(options: OfApplication, key?: string) {
  const below = `/v1/meta/applications/${encodeURIComponent(options.application)}/installs`;
  return { api: new ApiCaller('META_TOKEN', options), path: key === undefined ? below : `${below}/${encodeURIComponent(key)}` };
}

export async function addInstall(key: string, options: AddOptions): Promise<void> {
  const scopes = (options.scopes ?? '').split(',').filter((scope) => scope !== '');
  const { api, path } = opened(options);
  const install = await api.call<Install>('POST', path, { app_key: key, scopes });
  if (options.json) return printJson(install);
  process.stdout.write(`Installed: ${install.app_key} is ${install.client_key} here.\n`);
}

export async function removeInstall(key: string, options: OfApplication): Promise<void> {
  const { api, path } = opened(options, key);
  await api.call('DELETE', path);
  if (options.json) return printJson({ uninstalled: key });
  process.stdout.write(`Uninstalled: ${key}\n`);
}

export async function listInstalls(options: OfApplication): Promise<void> {
  const { api, path } = opened(options);
  const { objects } = await api.call<{ objects: readonly Install[] }>('GET', `${path}?page_size=200`);
  if (options.json) return printJson(objects);
  const rows = objects.map((each) => [each.app_key, each.status, each.scopes.join(',') || '-', each.installed ?? '-', each.client_key]);
  process.stdout.write(rows.length === 0 ? 'No App is installed.\n' : table(['APP', 'STATUS', 'SCOPES', 'INSTALLED', 'CLIENT KEY'], rows));
}

export async function listCalls(key: string, options: OfApplication): Promise<void> {
  const { api, path } = opened(options, key);
  const { objects } = await api.call<{ objects: readonly Call[] }>('GET', `${path}/deliveries?page_size=100`);
  if (options.json) return printJson(objects);
  const rows = objects.map(({ created, event, status, attempts, log }) => {
    const last = log.at(-1);
    const said = last === undefined ? '-' : (last.failure ?? `status ${last.status}`);
    return [created, event, status, String(attempts), said, last?.excerpt?.replaceAll(/\s+/g, ' ').slice(0, 60) ?? ''];
  });
  process.stdout.write(
    rows.length === 0 ? 'There was no call.\n' : table(['CREATED', 'EVENT', 'STATUS', 'ATTEMPTS', 'LAST', 'SAID'], rows),
  );
}
