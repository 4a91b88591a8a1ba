/** What a process can say of time and of the processor it was given. */
export interface Meters {
  /** In milliseconds, from any moment on. */
  readonly wallMs: () => number;
  /** Of this process, in milliseconds. */
  readonly cpuMs: () => number;
}

const systemMeters: Meters = {
  wallMs: () => performance.now(),
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/**
 * Time as far as this process had a part in it. Whoever looks regularly, every `everyMs`, and comes late, is late either of its own
 * work, which counts, or since the machine was busy with others: then no request could have been served, and it does not count.
 */
export class OwnTime {
  readonly #everyMs: number;
  readonly #meters: Meters;
  #wall: number;
  /** At the last look; null where nobody cared. */
  #cpu: number | null = null;
  #now = 0;

  constructor(everyMs: number, meters: Meters = systemMeters) {
    this.#everyMs = everyMs;
    this.#meters = meters;
    this.#wall = meters.wallMs();
  }

  /** As of the last look, in milliseconds. */
  get now(): number {
    return this.#now;
  }

  /** With `matters` false the processor is not asked for its account, which is a long way on some machines; then nothing is our doing. */
  look(matters: boolean): void {
    const wall = this.#meters.wallMs();
    const cpu = matters ? this.#meters.cpuMs() : null;
    const ours = cpu === null || this.#cpu === null ? 0 : cpu - this.#cpu;
    const passed = Math.min(wall - this.#wall, Math.max(this.#everyMs, ours));
    this.#wall = wall;
    this.#cpu = cpu;
    this.#now += passed;
  }
}
