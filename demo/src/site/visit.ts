import { randomBytes } from 'node:crypto';
import { alder, birch, type Customer, type HeldCredential } from '../company/index.ts';
import type { Pending } from '../company/requests.ts';
import type { RecordedCall } from './recorder.ts';

export const customers: readonly Customer[] = [alder, birch];
export type CustomerKey = Customer['key'];

export const stepNames = ['clone', 'connect', 'call', 'exchange', 'wall', 'app'] as const;
export type StepName = (typeof stepNames)[number];

export const serviceIds = ['harbour', 'lantern'] as const;
export type ServiceId = (typeof serviceIds)[number];

export interface ConnectedAccount {
  readonly service: ServiceId;
  readonly id: string;
  readonly token: HeldCredential;
}

/** What a step came to, in plain words. */
export interface Outcome {
  readonly good: boolean;
  readonly text: string;
  /** What else a reader should know. */
  readonly points?: readonly string[];
}

export interface StepResult extends Outcome {
  readonly calls: readonly RecordedCall[];
}

/** One customer as the company's server knows them during this visit. */
export interface Lane {
  readonly customer: Customer;
  application: { readonly id: string; readonly key: HeldCredential } | null;
  pending: { readonly flow: Pending; readonly calls: readonly RecordedCall[] } | null;
  readonly accounts: Map<ServiceId, ConnectedAccount>;
  narrowed: HeldCredential | null;
  /** Of the App, once it is installed: who it is here, and the notes that it keeps for this customer. */
  install: { readonly clientKey: string; readonly notes: readonly string[]; readonly functionUrl: string | null } | null;
  readonly results: Map<StepName, StepResult>;
}

/** One visitor's run of the demo. */
export interface Visit {
  readonly id: string;
  readonly lanes: Readonly<Record<CustomerKey, Lane>>;
  /** The last thing that happened, to be read out. */
  news: string;
  /** Actions of one visit run one after the other. */
  queue: Promise<void>;
}

function emptyLane(customer: Customer): Lane {
  return { customer, application: null, pending: null, accounts: new Map(), narrowed: null, install: null, results: new Map() };
}

function emptyVisit(id: string): Visit {
  return { id, lanes: { alder: emptyLane(alder), birch: emptyLane(birch) }, news: '', queue: Promise.resolve() };
}

export function otherLane(visit: Visit, { customer }: Lane): Lane {
  return visit.lanes[customer.key === 'alder' ? 'birch' : 'alder'];
}

/** Visits by the random id in the visitor's cookie; the oldest gives way. */
export class Visits {
  readonly #byId = new Map<string, Visit>();
  readonly #visitsMax: number;

  constructor(visitsMax = 200) {
    this.#visitsMax = visitsMax;
  }

  find(id: string | null): Visit | null {
    return id === null ? null : (this.#byId.get(id) ?? null);
  }

  begin(): Visit {
    const visit = emptyVisit(randomBytes(16).toString('base64url'));
    this.#byId.set(visit.id, visit);
    if (this.#byId.size > this.#visitsMax) this.end(this.#byId.keys().next().value!);
    return visit;
  }

  end(id: string): void {
    this.#byId.delete(id);
  }
}
