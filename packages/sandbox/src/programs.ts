import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Where Debian and its kin put programs; the environment is not asked. */
const FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];

/** The path of a program of the system; null where there is none. */
export function findProgram(name: string): string | null {
  return FOLDERS.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

/** The engine's program, out of its package: no install script has to run. Null where the package has none for this machine. */
export function findWorkerd(): string | null {
  const architecture = process.arch === 'x64' ? '64' : process.arch;
  const ofMain = createRequire(createRequire(import.meta.url).resolve('workerd'));
  try {
    const manifest = ofMain.resolve(`@cloudflare/workerd-${process.platform}-${architecture}/package.json`);
    const path = join(dirname(manifest), 'bin', 'workerd');
    return isExecutable(path) ? path : null;
  } catch {
    return null;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
