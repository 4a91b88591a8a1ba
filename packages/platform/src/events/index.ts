export { appendEvent, appendEvents, type NewEvent } from './append-event.ts';
export { EVENTS_CHANNEL } from './event-store.ts';
export { type EventType, eventTypes } from './event-types.ts';
