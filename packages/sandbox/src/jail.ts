import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Limits } from './contract.ts';
import type { Isolation } from './isolation.ts';
import { findProgram } from './programs.ts';
import { seccompFilter } from './seccomp.ts';

/** How a process is started: program, arguments, and what has to stay open until then. */
export interface Launch {
  readonly program: string;
  readonly args: readonly string[];
  /** The folder of the instance's sockets, as the process sees it. */
  readonly runFolder: string;
  /** A file to hand over as descriptor 4; null: none. */
  readonly filterPath: string | null;
}

export interface Launcher {
  readonly isolation: Isolation;
  launch(instance: { folder: string; limits: Limits }): Launch;
  /** Takes the launcher's own files away. */
  close(): void;
}

interface Programs {
  readonly workerd: string;
  readonly nice: string | null;
  readonly prlimit: string | null;
  readonly setpriv: string | null;
}

const PROBE_MS = 10_000;
// 536 MB of data are taken before a guest runs; the probe asks only whether the parts are there.
const PROBE_LIMITS: Pick<Limits, 'dataBytes'> = { dataBytes: 900 * 1024 * 1024 };

/**
 * Finds out how well instances can be kept apart here, by starting the engine once in the jail. Where that fails the launcher starts
 * plain processes, and `isolation.reason` says what was missing.
 */
export async function openLauncher(workerd: string, { jail = true }: { jail?: boolean } = {}): Promise<Launcher> {
  const programs: Programs = { workerd, nice: findProgram('nice'), prlimit: findProgram('prlimit'), setpriv: findProgram('setpriv') };
  const jailed = jail ? await openJail(programs) : 'it was switched off';
  if (typeof jailed !== 'string') return jailed;
  return {
    isolation: { level: 'process', reason: jailed },
    launch: ({ folder, limits }) => plainLaunch(programs, folder, limits),
    close: () => undefined,
  };
}

async function openJail(programs: Programs): Promise<Launcher | string> {
  const bwrap = findProgram('bwrap');
  if (process.platform !== 'linux') return 'it needs Linux';
  if (bwrap === null) return 'bwrap (Debian: bubblewrap) is not installed';
  if (programs.prlimit === null) return 'prlimit (Debian: util-linux) is not installed';
  const filter = seccompFilter(process.arch);
  if (filter === null) return `there is no seccomp filter for ${process.arch}`;
  const folder = mkdtempSync(join(tmpdir(), 'bhj-'));
  const filterPath = join(folder, 'filter');
  writeFileSync(filterPath, filter, { mode: 0o600 });
  const close = () => rmSync(folder, { recursive: true, force: true });
  const refused = await probe(programs, bwrap, filterPath);
  if (refused !== null) {
    close();
    return refused;
  }
  return {
    isolation: { level: 'jail', reason: null },
    launch: ({ folder: instance, limits }) => ({
      ...withLimits(programs, limits, [
        bwrap,
        ...walls(programs.workerd),
        ...words('--ro-bind').concat(join(instance, 'code'), '/code'),
        ...words('--bind').concat(join(instance, 'run'), '/run'),
        ...words('--remount-ro / --chdir / --seccomp 4 -- /workerd serve --control-fd=3 /code/config.capnp'),
      ]),
      runFolder: '/run',
      filterPath,
    }),
    close,
  };
}

/** Namespaces, an empty root with the engine and the libraries it is linked to, no capabilities, no environment. */
function walls(workerd: string): string[] {
  const libraries = '/lib/x86_64-linux-gnu';
  return [
    ...words('--unshare-user --uid 65534 --gid 65534 --unshare-net --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup'),
    ...words('--die-with-parent --new-session --cap-drop ALL --clearenv --tmpfs / --proc /proc --dev /dev'),
    ...words(`--ro-bind-try ${libraries} ${libraries} --ro-bind-try /lib64 /lib64`),
    ...words('--ro-bind').concat(workerd, '/workerd'),
  ];
}

function words(text: string): string[] {
  return text.split(' ');
}

/** The jail around `workerd --version`; null where it stands, else why not. */
function probe(programs: Programs, bwrap: string, filterPath: string): Promise<string | null> {
  const tail = words('--remount-ro / --chdir / --seccomp 4 -- /workerd --version');
  const { program, args } = withLimits(programs, PROBE_LIMITS, [bwrap, ...walls(programs.workerd), ...tail]);
  const filter = openSync(filterPath, 'r');
  return new Promise((resolve) => {
    let said = '';
    const child = spawn(program, args, { env: {}, timeout: PROBE_MS, stdio: ['ignore', 'ignore', 'pipe', 'ignore', filter] });
    closeSync(filter);
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    child.on('error', (error) => resolve(`the jail cannot be built here: ${error.message}`));
    child.on('close', (code) => resolve(code === 0 ? null : `the jail cannot be built here: ${said.trim().split('\n').at(-1)}`));
  });
}

/** Lower priority than the host's, no core files, few descriptors, and as much data as the limit says. */
function withLimits({ nice, prlimit }: Programs, { dataBytes }: Pick<Limits, 'dataBytes'>, command: readonly string[]) {
  const [program = '', ...args] = [
    ...(nice === null ? [] : [nice, '-n', '5']),
    ...(prlimit === null ? [] : [prlimit, `--data=${dataBytes}`, '--core=0', '--nofile=512', '--fsize=0']),
    ...command,
  ];
  return { program, args };
}

/** A process without walls. It ends with the supervisor where `setpriv` is there to say so. */
function plainLaunch(programs: Programs, folder: string, limits: Limits): Launch {
  const ends = programs.setpriv === null ? [] : [programs.setpriv, '--pdeathsig', 'KILL', '--no-new-privs'];
  const serve = [programs.workerd, 'serve', '--control-fd=3', join(folder, 'code', 'config.capnp')];
  return { ...withLimits(programs, limits, [...ends, ...serve]), runFolder: join(folder, 'run'), filterPath: null };
}
