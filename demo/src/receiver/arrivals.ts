import type { Customer } from '../company/index.ts';
import type { takeWebhook } from './take-webhook.ts';

export type Taken = ReturnType<typeof takeWebhook>;

/** A call to a webhook of the company, in the order they came. */
export interface Arrival {
  /** From 1. */
  readonly number: number;
  readonly at: Date;
  readonly customer: Customer;
  readonly taken: Taken;
}

const KEPT = 100;

/** The last calls, told to whoever looks. */
export class Arrivals {
  readonly #listeners = new Set<(arrival: Arrival) => void>();
  /** Delivery is at least once: an id that is known is answered like the first time and shown no more. */
  readonly #known = new Set<string>();
  #kept: readonly Arrival[] = [];
  #count = 0;

  add(customer: Customer, taken: Taken): void {
    const id = taken.event?.data.id ?? null;
    if (id !== null && this.#known.has(id)) return;
    if (id !== null) this.#known.add(id);
    const arrival = { number: ++this.#count, at: new Date(), customer, taken };
    this.#kept = [...this.#kept, arrival].slice(-KEPT);
    for (const tell of this.#listeners) tell(arrival);
  }

  /** The oldest first. */
  after(number: number): readonly Arrival[] {
    return this.#kept.filter((arrival) => arrival.number > number);
  }

  /** Answers what ends it. */
  listen(tell: (arrival: Arrival) => void): () => void {
    this.#listeners.add(tell);
    return () => this.#listeners.delete(tell);
  }
}
