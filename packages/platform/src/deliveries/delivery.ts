import type { ApplicationId } from '@bulkhead/base';
import type { EgressPolicy } from '@bulkhead/http';
import type { TenantTx } from '@bulkhead/postgres';

export type DeliveryStatus = 'pending' | 'delivered' | 'failed' | 'cancelled';

/** What is to be sent: the same id and the same bytes on every attempt. */
export interface Message {
  readonly messageId: string;
  /** What it is about, for the log: the type of an event. */
  readonly subject: string;
  readonly contentType: string;
  readonly body: string;
}

/** The answer of an endpoint, its body cut. */
export interface EndpointAnswer {
  readonly status: number;
  readonly body: string;
}

/** What is added to one attempt. */
export interface Signed {
  readonly headers: Readonly<Record<string, string>>;
  /** What must not be kept where the endpoint sends it back. */
  readonly confidential: readonly string[];
  /** Where this message goes, where that is not the same for all. */
  readonly url?: string;
  /** What is sent instead of the message's own body, where the endpoint wants none of it. */
  readonly body?: string;
}

/** An endpoint with what signs calls to it, as its owner opens it for one batch. */
export interface Endpoint {
  readonly url: string;
  /** Signs one attempt. */
  sign(message: Message, now: Date): Signed;
  /** A word for why an answer is no acceptance although its status is 2xx; null: it is one. */
  refuses?(answer: EndpointAnswer): string | null;
}

export type StopReason = 'failing' | 'gone';

/** What the slice that owns a kind of delivery hands in: who signs, and what follows when an endpoint is stopped. */
export interface DeliveryKind {
  /** Stands in `deliveries.kind`; never renamed while rows of it may exist. */
  readonly kind: string;
  readonly policy: EgressPolicy;
  /** The endpoints of one Application that may be called now. What is sent to one that is missing here is cancelled. */
  open(tx: TenantTx, endpointIds: readonly string[], now: Date): Promise<ReadonlyMap<string, Endpoint>>;
  /** Runs in the transaction that stops the endpoint, once per stop. */
  stopped(tx: TenantTx, stop: { readonly endpointId: string; readonly reason: StopReason; readonly at: Date }): Promise<void>;
}

/** One attempt as the log of a delivery keeps it. */
export interface Attempt {
  /** ISO 8601. */
  readonly at: string;
  readonly elapsed_ms: number;
  /** Null where no answer came. */
  readonly status: number | null;
  /** Null: accepted. Else one word, such as `http_500` or `timeout`. */
  readonly failure: string | null;
  /** The beginning of the answer's body, without our signature or secrets. */
  readonly excerpt: string | null;
}

/** A delivery as it is shown. */
export interface Delivery {
  readonly deliveryId: string;
  readonly endpointId: string;
  readonly messageId: string;
  readonly subject: string;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly log: readonly Attempt[];
  readonly nextAttemptAt: Date | null;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

/** A delivery that this worker holds until its lease ends. */
export interface ClaimedDelivery extends Message {
  readonly applicationId: ApplicationId;
  readonly deliveryId: string;
  readonly kind: string;
  readonly endpointId: string;
  /** Attempts made so far. */
  readonly attempts: number;
  readonly fence: number;
}
