import type { ApplicationId } from '@bulkhead/base';

interface Minute {
  readonly began: number;
  recorded: number;
  /** Refused without a line, since the last line. */
  left: number;
}

const MINUTE_MS = 60_000;
/** Lines in a minute that an Application's log takes. Above what a broken link in a newsletter causes. */
export const REFUSAL_LINES_MAX = 120;
const APPLICATIONS_MAX = 10_000;

/**
 * Bounds what anybody can make an Application's audit log write: whoever has a browser can begin flows and have them refused. Refusals
 * beyond so many a minute are counted, and the next line says how many there were. In the memory of this process.
 */
export class RefusalLines {
  readonly #minutes = new Map<ApplicationId, Minute>();

  /** How many were left out before this one, which has a line; null: this one has none. */
  admit(applicationId: ApplicationId, now: Date): number | null {
    const minute = this.#minuteOf(applicationId, now.getTime());
    if (minute.recorded >= REFUSAL_LINES_MAX) {
      minute.left += 1;
      return null;
    }
    minute.recorded += 1;
    const { left } = minute;
    minute.left = 0;
    return left;
  }

  #minuteOf(applicationId: ApplicationId, now: number): Minute {
    const known = this.#minutes.get(applicationId);
    if (known !== undefined && now - known.began < MINUTE_MS) return known;
    this.#minutes.delete(applicationId);
    // Those that are forgotten here have their count of the minute anew.
    if (this.#minutes.size >= APPLICATIONS_MAX) this.#minutes.delete(this.#minutes.keys().next().value!);
    const begun: Minute = { began: now, recorded: 0, left: known?.left ?? 0 };
    this.#minutes.set(applicationId, begun);
    return begun;
  }
}
