/** A number of places, and a bounded line of those who wait for one, first come first served. */
export class Places {
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(places: number, waitingMax: number) {
    this.#free = places;
    this.#waitingMax = waitingMax;
  }

  /** Resolves to what gives the place back; null at once where too many wait, or after `waitMs` without one. */
  async take(waitMs: number): Promise<(() => void) | null> {
    if (this.#free > 0) this.#free--;
    else if (this.#waiting.length >= this.#waitingMax) return null;
    else if (!(await this.#wait(waitMs))) return null;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    };
  }

  #wait(waitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const next = (): void => {
        clearTimeout(tooLate);
        resolve(true);
      };
      const tooLate = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(next), 1);
        resolve(false);
      }, waitMs);
      this.#waiting.push(next);
    });
  }
}
