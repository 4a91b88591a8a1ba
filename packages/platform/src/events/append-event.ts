import type { ApplicationId } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import { eventId } from './event.ts';
import { type EventData, type EventType, eventTypes } from './event-types.ts';
import { insertEvents } from './event-store.ts';

/** One event of the catalogue, with the data that its type prescribes. */
export type NewEvent = {
  readonly [Type in EventType]: {
    readonly applicationId: ApplicationId;
    readonly type: Type;
    /** Null: it concerns the whole Application. */
    readonly accountId: number | null;
    readonly at: Date;
    readonly data: EventData<Type>;
  };
}[EventType];

/**
 * Writes an event in the caller's transaction: it is there if and only if the change is. Nothing is written where the Application's
 * event settings do not ask for its type. Throws where the data is not what the catalogue says, before anything is written.
 */
export async function appendEvent(tx: Tx, event: NewEvent): Promise<void> {
  await appendEvents(tx, [event]);
}

/** The same for any number of events, in one statement and in this order. */
export async function appendEvents(tx: Tx, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await insertEvents(
    tx,
    events.map((event) => ({
      applicationId: event.applicationId,
      eventId: eventId.generate(),
      type: event.type,
      accountId: event.accountId,
      at: event.at,
      data: eventTypes[event.type].schema.parse(event.data),
    })),
  );
}
