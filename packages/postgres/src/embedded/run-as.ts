import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { listAccounts } from './accounts.ts';

/** How PostgreSQL is started: it refuses to run as root, and must not outlive us. */
export interface RunAs {
  readonly kind: 'plain' | 'namespace' | 'user';
  /** Words before the command. */
  readonly prefix: readonly string[];
  /** The user and group to run as, where that is not ours. */
  readonly uid?: number;
  readonly gid?: number;
}

const NOBODY = 65534;

function works(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/**
 * As a plain user: as we are. As root: in a user namespace where we count as nobody (files stay root's), and where the
 * machine refuses those, as the user `postgres` or `nobody`. `kind` forces one, for tests.
 */
export async function chooseRunAs(kind?: RunAs['kind']): Promise<RunAs> {
  // The signal for our death is forgotten when a process changes what it may do: it is set last, inside the namespace.
  const dying = works('setpriv', ['--pdeathsig', 'INT', 'true']) ? ['setpriv', '--pdeathsig', 'INT'] : [];
  if (process.getuid?.() !== 0) return { kind: 'plain', prefix: dying };
  const namespace = ['unshare', '--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`];
  if (kind !== 'user' && works('unshare', [...namespace.slice(1), ...dying, 'true']))
    return { kind: 'namespace', prefix: [...namespace, ...dying] };
  return { kind: 'user', prefix: dying, ...(await unprivilegedUser()) };
}

async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  const accounts = await listAccounts();
  const user = accounts.find(({ name }) => name === 'postgres') ?? accounts.find(({ name }) => name === 'nobody');
  return { uid: user?.uid ?? NOBODY, gid: user?.gid ?? NOBODY };
}

/** Starts a binary; its standard error is piped, nothing else of ours reaches it. */
export function start(as: RunAs, command: string, args: readonly string[]): ChildProcess {
  const [program = command, ...words] = [...as.prefix, command, ...args];
  return spawn(program, words, {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: '/',
    // A session of its own: Ctrl-C in the terminal is for us, and we stop the server when we are done with it.
    detached: true,
    // HOME: libpq inside the server looks there for certificates and must be allowed to.
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/tmp', LC_ALL: 'C', TZ: 'UTC' },
    ...(as.uid === undefined ? {} : { uid: as.uid }),
    ...(as.gid === undefined ? {} : { gid: as.gid }),
  });
}
