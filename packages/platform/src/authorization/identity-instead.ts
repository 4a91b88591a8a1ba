import { randomBase62, sha256 } from '@bulkhead/base';
import type { UpstreamIdentity, UpstreamService } from '../services/index.ts';
import type { NewCredential } from '../vault/index.ts';

/**
 * Stands in for an identity the service does not tell: a user name says who it is, one key is one account, and of a token nobody can say
 * whether it is the account of another one.
 */
export function identityInstead(applicationId: string, service: UpstreamService, credential: NewCredential): UpstreamIdentity {
  const { friendly_name: name } = service.definition;
  if ('password' in credential) return { id: `user:${credential.username}`, name: credential.username };
  if ('apiKey' in credential) {
    const digest = sha256(`${applicationId}|${service.definition.id}|${credential.apiKey.reveal()}`).toString('hex').slice(0, 32);
    return { id: `key:${digest}`, name };
  }
  return { id: `unknown:${randomBase62(22)}`, name };
}

/**
 * Whether an account's identity is one of those that die with its credential: with a new one nobody could show that the same person came
 * back, so the account cannot be connected anew (C4).
 */
export function diesWithCredential(identityId: string): boolean {
  return /^(?:key:[0-9a-f]{32}|unknown:[0-9A-Za-z]{22})$/.test(identityId);
}
