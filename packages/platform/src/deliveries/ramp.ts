/** One call more for every so many results that were written: what is under way stays a sixteenth of what is safe. */
const RESULTS_PER_PLACE = 16;

/**
 * How many deliveries may be between the endpoint's yes and the row that says so: what a kill at this moment sends twice. One in a
 * process that has just begun or whose database has just been away; it widens by what is written, so within some sixty round trips it is
 * no bound any more.
 */
export class Ramp {
  readonly #max: number;
  #places = 1;

  constructor(max: number) {
    this.#max = max;
  }

  get places(): number {
    return Math.floor(this.#places);
  }

  widen(written: number): void {
    this.#places = Math.min(this.#max, this.#places + written / RESULTS_PER_PLACE);
  }

  fallBack(): void {
    this.#places = 1;
  }
}
