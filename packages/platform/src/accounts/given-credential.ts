import { constantTimeEqual, PlatformError, Secret, sha256 } from '@bulkhead/base';
import { apiBaseUrl, type UpstreamService } from '../services/index.ts';
import type { NewCredential, OpenCredential } from '../vault/index.ts';
import { accountErrors } from './account-errors.ts';

/** The credential fields of an import or an update, parsed. */
export interface GivenCredential {
  readonly token?: string | undefined;
  readonly token_secret?: string | undefined;
  readonly refresh_token?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly token_expiry?: number | null | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

export function namesCredential(given: GivenCredential): boolean {
  return [given.token, given.token_secret, given.refresh_token, given.token_expiry, given.username, given.password].some(
    (value) => value !== undefined,
  );
}

function required(value: string | undefined, field: string): string {
  if (value === undefined) throw accountErrors('account.missing_field', { params: { field }, field });
  return value;
}

/**
 * The credential as the service wants it. What is not given is taken from `before`, the credential an account has already.
 * Throws `account.missing_field`, naming the field under Kloudless's name.
 */
export function credentialFrom(
  service: UpstreamService,
  given: GivenCredential,
  extra: Readonly<Record<string, unknown>>,
  before: OpenCredential | null,
): NewCredential {
  switch (service.definition.auth.type) {
    case 'api_key': {
      const known = before?.type === 'api_key' ? before.key.reveal() : undefined;
      return { apiKey: new Secret(required(given.token ?? known, 'token')) };
    }
    case 'basic': {
      const known = before?.type === 'basic' ? before : undefined;
      return {
        username: required(given.username ?? given.token ?? known?.username, 'token'),
        password: new Secret(required(given.password ?? given.token_secret ?? known?.password.reveal(), 'token_secret')),
      };
    }
    case 'oauth2': {
      const known = before?.type === 'oauth2' ? before : undefined;
      const refreshToken = given.refresh_token ?? known?.refreshToken?.reveal();
      return {
        accessToken: new Secret(required(given.token ?? known?.accessToken.reveal(), 'token')),
        ...(refreshToken === undefined ? {} : { refreshToken: new Secret(refreshToken) }),
        ...(given.token_expiry === undefined || given.token_expiry === null ? {} : { expiresAt: given.token_expiry }),
        kept: keptOf(service, extra, known?.kept ?? {}),
      };
    }
  }
}

/** Whether two credentials show by themselves that they open the same account: one key, one user name, a token of one grant. */
export function opensTheSame(given: NewCredential, stored: OpenCredential): boolean {
  if ('apiKey' in given) return stored.type === 'api_key' && sameSecret(given.apiKey, stored.key);
  if ('password' in given) return stored.type === 'basic' && given.username === stored.username;
  if (stored.type !== 'oauth2') return false;
  const { refreshToken } = given;
  return (
    sameSecret(given.accessToken, stored.accessToken) ||
    (refreshToken !== undefined && stored.refreshToken !== null && sameSecret(refreshToken, stored.refreshToken))
  );
}

function sameSecret(one: Secret, other: Secret): boolean {
  return constantTimeEqual(sha256(one.reveal()), sha256(other.reveal()));
}

/** The address of the account's API, where the service has one per account (`instance_url`): named by the caller, checked as any. */
function keptOf(
  service: UpstreamService,
  extra: Readonly<Record<string, unknown>>,
  before: Readonly<Record<string, string>>,
): Record<string, string> {
  const field = service.quirks.baseUrlFrom?.kept;
  if (field === undefined) return { ...before };
  const value = extra[field] ?? before[field];
  if (typeof value !== 'string') throw accountErrors('account.missing_field', { params: { field }, field });
  const kept = { ...before, [field]: value };
  try {
    apiBaseUrl(service, kept);
  } catch (thrown) {
    if (thrown instanceof PlatformError) throw accountErrors('account.missing_field', { params: { field }, field, cause: thrown });
    throw thrown;
  }
  return kept;
}
