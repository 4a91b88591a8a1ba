export { appendEvent, appendEvents, type NewEvent } from './append-event.ts';
export { eventShape } from './event-messages.ts';
export { eventRoutes } from './event-routes.ts';
export { EVENTS_CHANNEL } from './event-store.ts';
export { type EventType, eventTypes } from './event-types.ts';
export { keepPartitions } from './keep-partitions.ts';
