import type { ApplicationId } from '@bulkhead/base';

interface Compartment {
  /** When the first read of it began, as the clock of `Recall` tells it. */
  readonly bornAt: number;
  readonly values: Map<string, unknown>;
}

/** How long what was read may be used, counted from before it was read, whatever else happens. Milliseconds. */
export const RECALL_MS = 1_000;
const VALUES_MAX = 20_000;

/**
 * What this process read of tenants within the last second. Each tenant has a compartment of its own, which is thrown away whole: when it
 * is a second old, and as soon as anything of that tenant changes. What was read while it changed is not kept: it comes back to a
 * compartment that is no longer there.
 */
export class Recall {
  readonly #now: () => number;
  readonly #compartments = new Map<ApplicationId, Compartment>();
  #held = 0;

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** What is remembered under the name, else undefined. */
  find(applicationId: ApplicationId, name: string): unknown {
    return this.#living(applicationId)?.values.get(name);
  }

  /** Call before reading; what it returns keeps the value that was read, if nothing has changed since. */
  begin(applicationId: ApplicationId, name: string): (value: unknown) => void {
    const compartment = this.#living(applicationId) ?? this.#make(applicationId);
    return (value) => {
      if (this.#compartments.get(applicationId) !== compartment) return;
      if (!compartment.values.has(name)) this.#held += 1;
      compartment.values.set(name, value);
      if (this.#held > VALUES_MAX) this.#makeRoom();
    };
  }

  forget(applicationId: ApplicationId): void {
    const compartment = this.#compartments.get(applicationId);
    if (compartment === undefined) return;
    this.#compartments.delete(applicationId);
    this.#held -= compartment.values.size;
  }

  forgetAll(): void {
    this.#compartments.clear();
    this.#held = 0;
  }

  #living(applicationId: ApplicationId): Compartment | undefined {
    const compartment = this.#compartments.get(applicationId);
    if (compartment === undefined || this.#now() - compartment.bornAt < RECALL_MS) return compartment;
    this.forget(applicationId);
    return undefined;
  }

  #make(applicationId: ApplicationId): Compartment {
    const compartment = { bornAt: this.#now(), values: new Map<string, unknown>() };
    this.#compartments.set(applicationId, compartment);
    return compartment;
  }

  /** The oldest stand first: those that have lived long enough, and as many as it takes of the others. */
  #makeRoom(): void {
    const now = this.#now();
    for (const [applicationId, { bornAt }] of this.#compartments) {
      if (this.#held <= VALUES_MAX / 2 && now - bornAt < RECALL_MS) return;
      this.forget(applicationId);
    }
  }
}
