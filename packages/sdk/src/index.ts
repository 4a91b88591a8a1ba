export { PlatformError } from '@bulkhead/base';
export type { TokenRefusal } from './token-refusals.ts';
export { type VerifiedToken, verifyToken, type VerifyTokenOptions } from './verify-token.ts';
