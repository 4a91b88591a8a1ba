import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'bhs-';
// sockaddr_un holds 107 bytes; the rest of a path is `/` + number + `/run/gw.sock`.
const FOLDER_BYTES_MAX = 107 - 30;

/** Folders for instances, one per incarnation, below one that names this process. */
export class InstanceFolders {
  readonly #root: string;
  #next = 1;

  /** Takes away what processes that are gone have left. Throws where the path would be too long for a socket. */
  constructor(parent = tmpdir()) {
    for (const name of readdirSync(parent)) {
      const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
      if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(parent, name), { recursive: true, force: true });
    }
    this.#root = mkdtempSync(join(parent, `${PREFIX}${process.pid}-`));
    chmodSync(this.#root, 0o700);
    if (Buffer.byteLength(this.#root) > FOLDER_BYTES_MAX) {
      this.close();
      throw new Error(`The folder for temporary files has too long a name for sockets: ${parent}`);
    }
  }

  next(): string {
    return join(this.#root, String(this.#next++));
  }

  close(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}
