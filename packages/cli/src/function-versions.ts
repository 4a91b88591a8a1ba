import { ApiCaller, type AtServer } from './call-api.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface VersionsOptions extends AtServer {
  readonly environment?: string;
}
export interface RollbackOptions extends AtServer {
  readonly environment: string;
  readonly to?: string;
}

/** A version, as deploying and going back answer it. */
export interface Switched {
  readonly app_key: string;
  readonly environment: string;
  readonly version: number;
  readonly functions: readonly string[];
  readonly egress_hosts: readonly string[];
  readonly new_permissions: readonly string[];
  readonly installs: number;
  readonly installs_waiting: number;
}
interface Version {
  readonly environment: string;
  readonly version: number;
  readonly created: string;
  readonly withdrawn: string | null;
  readonly permissions: readonly string[];
  readonly code_sha256: string;
}

/** Lists the versions of an App that are kept, the newest first. */
export async function listVersions(app: string, { environment, json, ...at }: VersionsOptions): Promise<void> {
  const api = new ApiCaller('META_TOKEN', at);
  const which = environment === undefined ? '' : `&environment=${encodeURIComponent(environment)}`;
  const { objects } = await api.call<{ objects: readonly Version[] }>('GET', `${deployments(app)}?page_size=200${which}`);
  if (json) return printJson(objects);
  const rows = objects.map((each) => [
    each.environment,
    String(each.version),
    each.created,
    each.withdrawn === null ? '-' : each.withdrawn,
    each.code_sha256.slice(0, 12),
    each.permissions.join(' ') || '-',
  ]);
  const headings = ['ENVIRONMENT', 'VERSION', 'DEPLOYED', 'WITHDRAWN', 'CODE', 'REQUESTS'];
  process.stdout.write(rows.length === 0 ? 'Nothing is deployed.\n' : table(headings, rows));
}

/** Goes back to the version before, or to the one that `to` names. */
export async function rollBack(app: string, { environment, to, json, ...at }: RollbackOptions): Promise<void> {
  if (to !== undefined && !/^[1-9]\d{0,8}$/.test(to)) throw new UsageError('--to: expected the number of a version, such as 3.');
  const api = new ApiCaller('META_TOKEN', at);
  const body = { environment, ...(to === undefined ? {} : { version: Number(to) }) };
  const switched = await api.call<Switched>('POST', `${deployments(app)}/rollback`, body);
  if (json) return printJson(switched);
  process.stdout.write(
    `Back: version ${switched.version} of ${app} runs in ${environment} from the next call on.\n${waitingText(switched)}`,
  );
}

/** What a version newly requests and who waits for consent to it; empty where nobody does. */
export function waitingText({ app_key: app, environment, new_permissions: fresh, installs, installs_waiting: waiting }: Switched): string {
  const requested = fresh.length === 0 ? '' : `It requests what the version before did not: ${fresh.join(', ')}\n`;
  if (waiting === 0) return requested;
  return `${requested}${waiting} of ${installs} installs wait for approval; until then an older version runs for them, or none.\n  Approve: npx bulkhead functions approve ${app} --environment ${environment} --all\n`;
}

function deployments(app: string): string {
  return `/v1/meta/apps/${encodeURIComponent(app)}/deployments`;
}
