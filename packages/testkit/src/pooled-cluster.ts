import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { randomBase62, Secret, silentLog } from '@bulkhead/base';
import { createDatabase, ensureRoles, pingServer } from '@bulkhead/postgres';

/** Where Debian puts PostgreSQL 15; the oldest version that will do. */
const BINARIES = process.env['TEST_POSTGRES_BINARIES'] ?? '/usr/lib/postgresql/15/bin';
const PGBOUNCER = process.env['TEST_PGBOUNCER'] ?? '/usr/sbin/pgbouncer';
const READY_LIMIT_MS = 60_000;

export interface PooledCluster {
  /** Superuser, past the pooler, to the database `postgres`. */
  readonly adminUrl: string;
  /** Past the pooler, to the named database. */
  readonly ownerUrl: string;
  readonly listenUrl: string;
  /** Through the pooler, to the named database. */
  readonly appUrl: string;
  readonly controlUrl: string;
  readonly systemUrl: string;
  readonly cluster: { stop(): Promise<void> };
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * A PostgreSQL 15 behind a PgBouncer in transaction mode, both of Debian, both this run's own: not durable, on free ports of
 * 127.0.0.1. Each database may have three connections per role however many clients there are, so that transactions of
 * different callers really do share them.
 */
export async function startPooledCluster(folder: string, database: string): Promise<PooledCluster> {
  const account = unprivileged();
  await mkdir(folder, { recursive: true });
  await chmod(join(folder, '..'), 0o711);
  if (account !== null) await chown(folder, account.uid, account.gid);
  const passwords = {
    postgres: randomBase62(24),
    bulkhead_owner: randomBase62(24),
    bulkhead_app: randomBase62(24),
    bulkhead_control: randomBase62(24),
    bulkhead_system: randomBase62(24),
  };
  const [postgresPort, poolerPort] = [await freePort(), await freePort()];
  const url = (login: keyof typeof passwords, port: number, name: string) =>
    `postgresql://${login}:${passwords[login]}@127.0.0.1:${port}/${name}?sslmode=disable`;
  const adminUrl = url('postgres', postgresPort, 'postgres');

  const passwordFile = await ownedFile(join(folder, 'password'), passwords.postgres, account);
  const data = join(folder, 'data');
  run(account, join(BINARIES, 'initdb'), ['-D', data, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync']);
  const fast = ['listen_addresses=127.0.0.1', 'max_connections=400', 'fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];
  const flags = ['-D', data, '-p', String(postgresPort), '-k', folder, ...fast.flatMap((setting) => ['-c', setting])];
  const postgres = start(account, join(BINARIES, 'postgres'), flags);
  const started: ChildProcess[] = [postgres];
  const stop = async () => {
    for (const child of started.toReversed()) await end(child);
  };
  try {
    await ready(postgres, adminUrl);
    await createDatabase({ adminUrl, name: database });
    const secrets = Object.fromEntries(Object.entries(passwords).map(([login, text]) => [login, new Secret(text)])) as Record<
      keyof typeof passwords,
      Secret
    >;
    await ensureRoles({ url: url('postgres', postgresPort, database), log: silentLog, passwords: secrets });
    const users = await ownedFile(join(folder, 'users.txt'), `"postgres" "${passwords.postgres}"\n`, account);
    // The pooler knows one password and asks the database for every other login's. What the driver says of itself at the
    // start it must know or be told to ignore.
    const settings = `[databases]
* = host=127.0.0.1 port=${postgresPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${poolerPort}
unix_socket_dir =
pool_mode = transaction
default_pool_size = 3
max_client_conn = 2000
server_idle_timeout = 5
autodb_idle_timeout = 10
auth_type = scram-sha-256
auth_file = ${users}
auth_user = postgres
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
`;
    const settingsFile = await ownedFile(join(folder, 'pgbouncer.ini'), settings, account);
    const pooler = start(account, PGBOUNCER, [settingsFile]);
    started.push(pooler);
    await ready(pooler, url('bulkhead_app', poolerPort, database));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    adminUrl,
    ownerUrl: url('bulkhead_owner', postgresPort, database),
    listenUrl: url('bulkhead_system', postgresPort, database),
    appUrl: url('bulkhead_app', poolerPort, database),
    controlUrl: url('bulkhead_control', poolerPort, database),
    systemUrl: url('bulkhead_system', poolerPort, database),
    cluster: { stop },
  };
}

/** Both programs refuse to run as root; the package made them a user. */
function unprivileged(): Account | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
}

async function ownedFile(path: string, text: string, account: Account | null): Promise<string> {
  await writeFile(path, text, { mode: 0o600 });
  if (account !== null) await chown(path, account.uid, account.gid);
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function run(account: Account | null, command: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { cwd: '/', encoding: 'utf8', ...account });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`);
}

function start(account: Account | null, command: string, args: readonly string[]): ChildProcess {
  // It dies with us, however that ends. The order matters: a change of user forgets the signal.
  const asUser = account === null ? [] : [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'];
  const child = spawn('setpriv', [...asUser, '--pdeathsig', 'INT', command, ...args], { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
  child.stderr?.resume();
  child.unref();
  return child;
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  for (const limit = performance.now() + READY_LIMIT_MS; performance.now() < limit; await delay(50)) {
    if (child.exitCode !== null) throw new Error(`${child.spawnargs.join(' ')} ended with ${child.exitCode}`);
    if (await pingServer(url)) return;
  }
  throw new Error(`${child.spawnargs.join(' ')} took no connections in time.`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.ref();
  child.kill('SIGINT');
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await exit;
  clearTimeout(late);
}
