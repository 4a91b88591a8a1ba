import { open } from 'node:fs/promises';
import { ApiCaller, type AtServer, CallError } from './call-api.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface StorageOptions extends AtServer {
  readonly application: string;
  readonly environment: string;
}
export interface ExportOptions extends StorageOptions {
  readonly output?: string;
}
export interface RelinkOptions extends StorageOptions {
  readonly store?: string;
  readonly replace?: true;
}

interface Used {
  readonly used: number;
  readonly most: number;
}
interface Usage {
  readonly stores: readonly {
    readonly id: string;
    readonly environment: string;
    readonly values: Used;
    readonly bytes: Used;
    readonly kept_since: string | null;
    readonly forgotten: string | null;
  }[];
}

const END = /^\{"type":"end","values":(\d+)\}\n$/;
const END_BYTES_MAX = 100;

function pathOf(app: string, { application }: StorageOptions): string {
  return `/v1/meta/applications/${encodeURIComponent(application)}/installs/${encodeURIComponent(app)}/storage`;
}

/** Prints how much is kept, a line per store: those in use, then those that are kept. */
export async function printUsage(app: string, options: StorageOptions): Promise<void> {
  print(await new ApiCaller('META_TOKEN', options).call<Usage>('GET', pathOf(app, options)), options);
}

function print(usage: Usage, { json }: StorageOptions): void {
  if (json) return printJson(usage);
  if (usage.stores.length === 0) return void process.stdout.write('Nothing is kept.\n');
  const rows = usage.stores.map(({ id, environment, values, bytes, forgotten }) => [
    environment,
    `${values.used} of ${values.most}`,
    `${bytes.used} of ${bytes.most}`,
    forgotten === null ? 'in use' : `kept until ${forgotten}`,
    id,
  ]);
  process.stdout.write(table(['environment', 'values', 'bytes', 'state', 'store'], rows));
}

/**
 * Writes what is kept as lines of JSON to a file, which must not be there yet and is the caller's alone, or to standard output. Throws
 * `CallError` where the answer did not come to its end: what has been written is not all.
 */
export async function exportStorage(app: string, options: ExportOptions): Promise<void> {
  const api = new ApiCaller('META_TOKEN', options);
  const { output } = options;
  const file =
    output === undefined
      ? null
      : await open(output, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => Promise.reject(unwritable(output, error)));
  let end = Buffer.alloc(0);
  try {
    for await (const bytes of api.download(`${pathOf(app, options)}/export?environment=${encodeURIComponent(options.environment)}`)) {
      await (file === null ? new Promise<void>((resolve) => process.stdout.write(bytes, () => resolve())) : file.writeFile(bytes));
      end = Buffer.concat([end, bytes]).subarray(-END_BYTES_MAX);
    }
  } finally {
    await file?.close();
  }
  const last = end.subarray(end.lastIndexOf('\n', -2) + 1).toString('utf8');
  const count = END.exec(last)?.[1];
  if (count === undefined) throw new CallError('The answer was cut before its last line: what was written is not all. Ask again.');
  process.stderr.write(`${count} values\n`);
}

function unwritable(output: string, { code }: NodeJS.ErrnoException): Error {
  return new UsageError(
    code === 'EEXIST' ? `--output: ${output} is there already; take another name.` : `--output: ${output} cannot be written (${code}).`,
  );
}

/** Puts back what an uninstall has left, and prints what is kept then. */
export async function relinkStorage(app: string, options: RelinkOptions): Promise<void> {
  const { environment, store, replace } = options;
  const body = { environment, ...(store !== undefined && { store }), replace: replace === true };
  print(await new ApiCaller('META_TOKEN', options).call<Usage>('POST', `${pathOf(app, options)}/relink`, body), options);
}
