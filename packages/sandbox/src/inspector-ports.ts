import { once } from 'node:events';
import { createServer } from 'node:net';
import type { InstanceIdentity } from './contract.ts';

const HOST = '127.0.0.1';
/** Whatever runs in another has no debugger. */
const ENVIRONMENT = 'development';

export interface InspectorOptions {
  /** The first one; an instance beside it has the next that is free. */
  readonly port: number;
  /** A debugger may connect to `address`. */
  readonly onListen: (identity: InstanceIdentity, address: string) => void;
}

/** Ports of this machine alone for the debuggers of instances, one each. For development: a debugger reads and runs whatever it likes in there. */
export class InspectorPorts {
  readonly #options: InspectorOptions;
  readonly #taken = new Set<number>();

  constructor(options: InspectorOptions) {
    this.#options = options;
  }

  /** Null: an instance of this environment is not looked into. */
  async take({ environment }: InstanceIdentity): Promise<number | null> {
    if (environment !== ENVIRONMENT) return null;
    for (let { port } = this.#options; port <= 65_535; port++) {
      if (this.#taken.has(port)) continue;
      this.#taken.add(port);
      if (await isFree(port)) return port;
      this.#taken.delete(port);
    }
    return null;
  }

  addressOf(port: number): string {
    return `${HOST}:${port}`;
  }

  listens(identity: InstanceIdentity, port: number): void {
    this.#options.onListen(identity, this.addressOf(port));
  }

  give(port: number): void {
    this.#taken.delete(port);
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    await once(probe.listen(port, HOST), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
