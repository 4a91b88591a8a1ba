import { type ApplicationId, defineId } from '@bulkhead/base';

/** What happened, once. */
export const eventId = defineId('evt');

/** An event as it is kept. */
export interface StoredEvent {
  readonly eventId: string;
  readonly type: string;
  /** Null: it concerns the whole Application. */
  readonly accountId: number | null;
  readonly at: Date;
  /** Small (4 KiB as JSON), and never a secret. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a log belongs to: a whole Application, or one account of it. */
export interface EventScope {
  readonly applicationId: ApplicationId;
  /** Null: every event of the Application. */
  readonly accountId: number | null;
}

/** Where a reader stands: after this event of this transaction. */
export interface EventPosition {
  readonly position: number;
  readonly seq: number;
}
