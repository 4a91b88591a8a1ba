import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Programs of the system that the harness uses; none of them is a dependency of the product. */
export type Tool = 'nginx' | 'wrk' | 'taskset';

const PACKAGES: Readonly<Record<Tool, string>> = { nginx: 'nginx-light', wrk: 'wrk', taskset: 'util-linux' };
// Debian keeps daemons in sbin, which an ordinary user's PATH leaves out.
const FOLDERS = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];

/** Where the program is, or null. */
export function findTool(tool: Tool): string | null {
  for (const folder of FOLDERS) {
    const path = join(folder, tool);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return null;
}

export function toolPath(tool: Tool): string {
  const path = findTool(tool);
  if (path === null) throw new Error(installHint([tool]));
  return path;
}

export function missingTools(needed: readonly Tool[]): Tool[] {
  return [...new Set(needed)].filter((tool) => findTool(tool) === null);
}

/** What an operator reads when something is missing. */
export function installHint(missing: readonly Tool[]): string {
  return `${missing.join(', ')} not found. On Debian or Ubuntu: apt-get install --no-install-recommends ${missing.map((tool) => PACKAGES[tool]).join(' ')}`;
}
