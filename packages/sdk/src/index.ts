export { PlatformError } from '@bulkhead/base';
export type { EventPage } from '@bulkhead/protocol';
export { type EventLog, eventLog, type EventLogOptions, type EventQuery, type FollowOptions } from './event-log.ts';
export type { EventRefusal } from './event-refusals.ts';
export type { TokenRefusal } from './token-refusals.ts';
export { type VerifiedToken, verifyToken, type VerifyTokenOptions } from './verify-token.ts';
export { verifyKloudlessWebhook, verifyWebhook, type VerifyWebhookOptions, type WebhookHeaders } from './verify-webhook.ts';
export type { WebhookRefusal } from './webhook-refusals.ts';
