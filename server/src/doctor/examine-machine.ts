import { once } from 'node:events';
import { access, constants, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { type Config } from '@bulkhead/platform';
import { examineServer, hasEmbeddedCluster } from '@bulkhead/postgres';
import { examineSandbox, type Finding, type Isolation } from '@bulkhead/sandbox';

export interface MachineReport {
  /** How far functions are kept apart here; null: none can run. */
  readonly isolation: Isolation | null;
  readonly findings: readonly Finding[];
}

const POSTGRES_LEAST = 150_000;
const NODE_LEAST = 22;
const DISK_GB_LEAST = 1;

/** Looks at what `bulkhead start` with this configuration, and the functions of Apps, would find on this machine. Changes nothing. */
export async function examineMachine(config: Config): Promise<MachineReport> {
  const own = [node(), await postgres(config), ...(await folder(config)), ...(await port(config))];
  if (!config.roles.has('runner')) return { isolation: null, findings: own };
  const { isolation, findings } = await examineSandbox();
  // Whoever accepts plain processes needs none of the parts of the jail.
  const isEnough = config.sandbox === 'process' && isolation !== null;
  const softened = findings.map(
    (one): Finding => (isEnough && one.state === 'failed' && one.part !== 'engine' ? { ...one, state: 'warning' } : one),
  );
  return { isolation, findings: [...own, ...softened] };
}

function node(): Finding {
  const found = `Node ${process.versions.node}`;
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= NODE_LEAST) return { part: 'node', state: 'ok', found, remedy: null };
  return { part: 'node', state: 'failed', found, remedy: `Node ${NODE_LEAST} or newer; npm ci brings one for Linux` };
}

async function postgres({ databaseUrl, dataDir }: Config): Promise<Finding> {
  const part = 'postgresql';
  if (databaseUrl === null) {
    const found = (await hasEmbeddedCluster(dataDir)) ? 'the embedded one, made already' : 'the embedded one, made by the first start';
    return { part, state: 'ok', found, remedy: null };
  }
  const server = await examineServer(databaseUrl);
  if (server.kind === 'silent')
    return {
      part,
      state: 'failed',
      found: `BULKHEAD_DATABASE_URL: ${server.reason}`,
      remedy: 'start it, or correct the address and the login',
    };
  const found = `PostgreSQL ${server.version} at BULKHEAD_DATABASE_URL`;
  if (server.versionNumber < POSTGRES_LEAST) return { part, state: 'failed', found, remedy: 'PostgreSQL 15 or newer' };
  if (!server.mayCreateRoles)
    return {
      part,
      state: 'warning',
      found: `${found}, whose login may create no roles`,
      remedy: 'alter role … createrole, unless the roles of Bulkhead are there',
    };
  return { part, state: 'ok', found, remedy: null };
}

/** The data folder, or the nearest one above it that is there: whether it may be written, and what is free. */
async function folder({ databaseUrl, dataDir }: Config): Promise<Finding[]> {
  if (databaseUrl !== null) return [];
  const part = 'disk';
  let there = dataDir;
  while (
    !(await access(there).then(
      () => true,
      () => false,
    )) &&
    there !== dirname(there)
  )
    there = dirname(there);
  try {
    await access(there, constants.W_OK);
  } catch {
    return [{ part, state: 'failed', found: `${there} may not be written`, remedy: 'another folder (BULKHEAD_DATA_DIR), or another user' }];
  }
  const { bavail, bsize } = await statfs(there);
  const gigabytes = (bavail * bsize) / 1e9;
  const found = `${gigabytes.toFixed(1)} GB free for ${dataDir}`;
  if (gigabytes >= DISK_GB_LEAST) return [{ part, state: 'ok', found, remedy: null }];
  return [
    {
      part,
      state: 'warning',
      found,
      remedy: `at least ${DISK_GB_LEAST} GB for the embedded PostgreSQL: another folder (BULKHEAD_DATA_DIR)`,
    },
  ];
}

async function port({ roles, port: wanted, host }: Config): Promise<Finding[]> {
  if (!roles.has('api') || wanted === 0) return [];
  const part = 'port';
  const probe = createServer();
  try {
    probe.listen(wanted, host);
    await once(probe, 'listening');
    probe.close();
    await once(probe, 'close');
    return [{ part, state: 'ok', found: `${wanted} on ${host} is free`, remedy: null }];
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      return [
        {
          part,
          state: 'warning',
          found: `${wanted} on ${host} is in use`,
          remedy: 'fine where Bulkhead runs already; else another: BULKHEAD_PORT',
        },
      ];
    return [
      {
        part,
        state: 'failed',
        found: `${wanted} on ${host} may not be listened on (${code})`,
        remedy: 'another port (BULKHEAD_PORT) or address (BULKHEAD_HOST)',
      },
    ];
  }
}
