import { text } from 'node:stream/consumers';
import { variableName } from '@bulkhead/protocol';
import { assertYes, environmentPath, patiently } from './approve-functions.ts';
import { ApiCaller, type AtServer, CallError } from './call-api.ts';
import { printJson } from './print.ts';
import { printable } from './printable.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface InEnvironment extends AtServer {
  readonly environment: string;
  readonly application?: string;
}
export interface SetOptions extends InEnvironment {
  readonly plain?: true;
}
export interface LeaveOptions extends AtServer {
  readonly environment: string;
  readonly application: string;
}
export interface RemoveOptions extends AtServer {
  readonly yes?: true;
}

interface AppEnvironment {
  readonly environment: string;
  readonly newest: number | null;
  readonly versions: number;
  readonly variables: number;
  readonly installs: number;
  readonly installs_waiting: number;
}
interface Variable {
  readonly name: string;
  readonly secret: boolean;
  readonly value: string | null;
  readonly modified: string;
}

const VALUE_BYTES_MAX = 4_096;
const REMOVALS_MAX = 1_000;

export async function listEnvironments(app: string, { json, ...at }: AtServer): Promise<void> {
  const objects = await environmentsOf(new ApiCaller('META_TOKEN', at), app);
  if (json) return printJson(objects);
  const rows = objects.map((each) => [
    each.environment,
    each.newest === null ? '-' : String(each.newest),
    ...[each.versions, each.variables, each.installs, each.installs_waiting].map(String),
  ]);
  const headings = ['ENVIRONMENT', 'NEWEST', 'VERSIONS', 'VARIABLES', 'INSTALLS', 'WAITING'];
  process.stdout.write(rows.length === 0 ? 'Nothing is deployed or set.\n' : table(headings, rows));
}

export async function listVariables(app: string, options: InEnvironment): Promise<void> {
  const { objects } = await new ApiCaller('META_TOKEN', options).call<{ objects: readonly Variable[] }>('GET', variables(app, options));
  if (options.json) return printJson(objects);
  const rows = objects.map(({ name, secret, value, modified }) => [name, secret ? '(secret)' : printable(value ?? ''), modified]);
  process.stdout.write(rows.length === 0 ? 'Nothing is set.\n' : table(['NAME', 'VALUE', 'SET'], rows));
}

/** Sets a variable. A value that is not given is read from standard input, where no other process of the machine sees it. */
export async function setVariable(app: string, name: string, given: string | undefined, options: SetOptions): Promise<void> {
  if (given !== undefined && options.plain !== true)
    throw new UsageError(
      'A secret is read from standard input: every process of the machine can read an argument. For what is none say --plain.',
    );
  if (!variableName.safeParse(name).success) throw new UsageError('The name of a variable is A-Z, then A-Z, 0-9 or _, 64 at most.');
  const value = given ?? (await valueOfInput());
  if (Buffer.byteLength(value) > VALUE_BYTES_MAX) throw new UsageError(`The value is longer than ${VALUE_BYTES_MAX} bytes.`);
  const path = `${variables(app, options)}/${encodeURIComponent(name)}`;
  const set = await new ApiCaller('META_TOKEN', options).call<Variable>('PUT', path, { value, secret: options.plain !== true });
  if (options.json) return printJson(set);
  process.stdout.write(`Set: ${name}${set.secret ? ', a secret,' : ''} for ${whose(app, options)}, from the next call on.\n`);
}

export async function unsetVariable(app: string, name: string, options: InEnvironment): Promise<void> {
  await new ApiCaller('META_TOKEN', options).call('DELETE', `${variables(app, options)}/${encodeURIComponent(name)}`);
  if (options.json) return printJson({ unset: name });
  process.stdout.write(`Unset: ${name} for ${whose(app, options)}, from the next call on.\n`);
}

export async function leaveEnvironment(app: string, options: LeaveOptions): Promise<void> {
  await new ApiCaller('META_TOKEN', options).call('DELETE', environmentPath(app, options.application, options.environment));
  if (options.json) return printJson({ left: options.environment });
  process.stdout.write(`Left: ${options.application} is no longer in ${options.environment}.\n`);
}

/** Removes an environment with what goes with it; says first what that is, and goes on until all of it is gone. */
export async function removeEnvironment(app: string, environment: string, options: RemoveOptions): Promise<void> {
  const api = new ApiCaller('META_TOKEN', options);
  const found = (await environmentsOf(api, app)).find((each) => each.environment === environment);
  if (found === undefined) throw new CallError(`The App "${app}" has no environment "${environment}".`);
  process.stderr.write(
    `With ${environment} go ${found.versions} versions, ${found.variables} variables, and what ${found.installs} installs keep in it.\n`,
  );
  await assertYes(options, true);
  const path = `/v1/meta/apps/${encodeURIComponent(app)}/environments/${encodeURIComponent(environment)}`;
  await patiently(async () => {
    process.stderr.write('  deleting\n');
    await api.call('DELETE', path);
  }, REMOVALS_MAX);
  if (options.json) return printJson({ removed: environment });
  process.stdout.write(`Removed: ${environment} of ${app}.\n`);
}

async function environmentsOf(api: ApiCaller, app: string): Promise<readonly AppEnvironment[]> {
  return (await api.call<{ objects: readonly AppEnvironment[] }>('GET', `/v1/meta/apps/${encodeURIComponent(app)}/environments`)).objects;
}

async function valueOfInput(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('The value, then Ctrl-D:\n');
  // The line end is of the terminal or of echo, not of the value.
  return (await text(process.stdin)).replace(/\r?\n$/, '');
}

function variables(app: string, { environment, application }: InEnvironment): string {
  return application === undefined
    ? `/v1/meta/apps/${encodeURIComponent(app)}/environments/${encodeURIComponent(environment)}/variables`
    : `${environmentPath(app, application, environment)}/variables`;
}

function whose(app: string, { environment, application }: InEnvironment): string {
  return `${app} in ${environment}${application === undefined ? '' : ` of ${application}`}`;
}
