import { readFile } from 'node:fs/promises';
import { ApiCaller, type AtServer } from './call-api.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface RegisterOptions extends AtServer {
  readonly file?: string;
}

interface App {
  readonly key: string;
  readonly name: string;
  readonly base_url: string;
  readonly scopes: readonly string[];
  readonly warnings?: readonly string[];
}

export async function registerApp(address: string | undefined, options: RegisterOptions): Promise<void> {
  const { file } = options;
  if ((address === undefined) === (file === undefined))
    throw new UsageError('Name the address of the descriptor, or a file with --file: not both, not neither.');
  const body = file === undefined ? { descriptor_url: address } : { descriptor: await readDescriptor(file) };
  const app = await new ApiCaller('META_TOKEN', options).call<App>('POST', '/v1/meta/apps', body);
  if (options.json) return printJson(app);
  for (const warning of app.warnings ?? [])
    process.stderr.write(warning.includes(' ') ? `${warning}\n` : `Nobody knows the field "${warning}" of the descriptor.\n`);
  process.stdout.write(`Registered: ${app.key} (${scopesText(app)}), at ${app.base_url}\n`);
}

export async function listApps(options: AtServer): Promise<void> {
  const { objects } = await new ApiCaller('META_TOKEN', options).call<{ objects: readonly App[] }>('GET', '/v1/meta/apps?page_size=500');
  if (options.json) return printJson(objects);
  const rows = objects.map((app) => [app.key, app.scopes.join(',') || '-', app.base_url, app.name]);
  process.stdout.write(rows.length === 0 ? 'There is no App.\n' : table(['KEY', 'SCOPES', 'BASE URL', 'NAME'], rows));
}

export async function removeApp(key: string, options: AtServer): Promise<void> {
  await new ApiCaller('META_TOKEN', options).call('DELETE', `/v1/meta/apps/${encodeURIComponent(key)}`);
  if (options.json) printJson({ removed: key });
  else process.stdout.write(`Removed: ${key}\n`);
}

function scopesText({ scopes }: App): string {
  return scopes.length === 0 ? 'asks for no scope' : `asks for ${scopes.join(', ')}`;
}

async function readDescriptor(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch {
    throw new UsageError(`--file: ${path} cannot be read, or is not JSON.`);
  }
}
