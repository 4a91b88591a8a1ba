import { totalmem } from 'node:os';
import { type Instance, MEMORY_MB_EXPECTED } from './instance.ts';

export interface RoomOptions {
  /** Processes at a time. Default 200. */
  readonly instancesMax?: number;
  /** What all processes together may hold for themselves, in MiB. Default: half of what this machine, or its control group, has. */
  readonly memoryMb?: number;
  /** Processes of one identity at a time, whatever their version and limits. Default 20. */
  readonly instancesOfOneMax?: number;
}

/** Who has just started is about to be called: it is not the one to go. */
const SETTLED_MS = 1_000;

/** How many instances there may be, and who goes where another must fit: whoever has been idle longest. */
export class Room {
  readonly #instancesMax: number;
  readonly #memoryMb: number;
  readonly #instancesOfOneMax: number;

  constructor({ instancesMax = 200, memoryMb = memoryOfMachine() / 2, instancesOfOneMax = 20 }: RoomOptions) {
    this.#instancesMax = instancesMax;
    this.#memoryMb = memoryMb;
    this.#instancesOfOneMax = instancesOfOneMax;
  }

  /** Makes room for one more. `instances` in the order of their last use, `starting`: not among them yet. False: there is none. */
  forOneMore(instances: Iterable<Instance>, isOfSame: (instance: Instance) => boolean, starting: { all: number; same: number }): boolean {
    const all = [...instances].filter(({ state }) => state !== 'dead');
    const same = all.filter(isOfSame);
    if (same.length + starting.same >= this.#instancesOfOneMax && !endLongestIdle(same)) return false;
    if (live(all).length + starting.all >= this.#instancesMax && !endLongestIdle(all)) return false;
    return this.#fit(all, (starting.all + 1) * MEMORY_MB_EXPECTED);
  }

  /** Ends whoever has been idle longest, until what is left keeps within the memory; who is at work stays. */
  keep(instances: Iterable<Instance>): void {
    this.#fit([...instances], 0);
  }

  #fit(all: readonly Instance[], moreMb: number): boolean {
    let heldMb = moreMb + all.reduce((sum, { state, memoryMb }) => sum + (state === 'dead' ? 0 : memoryMb), 0);
    while (heldMb > this.#memoryMb) {
      const ended = endLongestIdle(all);
      if (ended === null) return false;
      heldMb -= ended.memoryMb;
    }
    return true;
  }
}

function live(instances: readonly Instance[]): Instance[] {
  return instances.filter(({ state }) => state === 'warm');
}

function endLongestIdle(instances: readonly Instance[]): Instance | null {
  const idle = live(instances).find(({ inFlight, isUnused, idleMs }) => inFlight === 0 && (!isUnused || idleMs > SETTLED_MS));
  idle?.drain();
  return idle ?? null;
}

function memoryOfMachine(): number {
  const constrained = process.constrainedMemory();
  return Math.min(totalmem(), constrained > 0 ? constrained : Infinity) / 1024 / 1024;
}
