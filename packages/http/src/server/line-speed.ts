/** A line tells nothing of its speed until it has stood for so long: a burst is over by then. */
const KNOWN_AFTER_MS = 500;
const FORGOTTEN_AFTER_MS = 1_000;

/**
 * How fast a line moves: how many it let go while it stood. What a server serves while nobody waits says how many came, not how many
 * it could have served; so the count begins with the line, and older times weigh half as much as newer ones.
 */
export class LineSpeed {
  #since = 0;
  #served = 0;

  /** The line stands from now on. */
  begin(now: number): void {
    this.#since = now;
    this.#served = 0;
  }

  /** One has left the line. */
  count(): void {
    this.#served++;
  }

  /** How many leave it within so many milliseconds; Infinity where that is not known yet. */
  within(ms: number, now: number): number {
    const elapsed = now - this.#since;
    if (elapsed < KNOWN_AFTER_MS) return Infinity;
    const perMs = this.#served / elapsed;
    if (elapsed > FORGOTTEN_AFTER_MS) {
      this.#served /= 2;
      this.#since += elapsed / 2;
    }
    return perMs * ms;
  }
}
