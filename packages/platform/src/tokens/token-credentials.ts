import { defineId, defineTenantCredential } from '@bulkhead/base';

export const authorizationCode = defineTenantCredential('bhc');
export const accessToken = defineTenantCredential('bha');
export const refreshToken = defineTenantCredential('bhr');

export const grantId = defineId('grt');

/** A code makes one hop through a browser; RFC 6749 §4.1.2 allows ten minutes, we one. */
export const CODE_LIFETIME_SECONDS = 60;
export const ACCESS_TOKEN_LIFETIME_SECONDS = 3600;
/** From one refresh to the next. */
export const REFRESH_TOKEN_LIFETIME_SECONDS = 30 * 24 * 3600;
export const EXCHANGED_LIFETIME_SECONDS_MAX = 24 * 3600;
/** Deleting a token deletes its descendants one level inside the other, and PostgreSQL's stack has an end. */
export const EXCHANGE_DEPTH_MAX = 8;

export function secondsAfter(now: Date, seconds: number): Date {
  return new Date(now.getTime() + seconds * 1000);
}

/** Whole seconds left, rounded down, so that a token never outlives what was said of it. */
export function secondsLeft(expiresAt: Date, now: Date): number {
  return Math.max(0, Math.floor((expiresAt.getTime() - now.getTime()) / 1000));
}
