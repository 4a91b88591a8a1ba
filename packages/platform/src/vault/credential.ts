import { PlatformError, Secret } from '@bulkhead/base';
import { z } from 'zod';
import { isHeaderSafe, type UpstreamCredential, type UpstreamTokens } from '../services/index.ts';
import { vaultErrors } from './vault-errors.ts';

/** What is given in to be kept: the tokens of a flow or an import, or what a person typed into a form. */
export type NewCredential = UpstreamTokens | { readonly apiKey: Secret } | { readonly username: string; readonly password: Secret };

/** An opened credential: what opens the upstream account, and what renews it. In memory only while in use. */
export type OpenCredential =
  | (Extract<UpstreamCredential, { type: 'oauth2' }> & {
      readonly refreshToken: Secret | null;
      /** Members of the token answer that decide where the account's API is (`apiBaseUrl`). */
      readonly kept: Readonly<Record<string, string>>;
    })
  | Exclude<UpstreamCredential, { type: 'oauth2' }>;

const sealedForm = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('oauth2'), access: z.string(), refresh: z.string().nullable(), kept: z.record(z.string(), z.string()) }),
  z.strictObject({ type: z.literal('api_key'), key: z.string() }),
  z.strictObject({ type: z.literal('basic'), username: z.string(), password: z.string() }),
]);

const TEXT_MAX = 16_384;

/** A token goes into a header as it is: what a header cannot hold would be a way to write a second one. */
function checked(text: string, field: string): string {
  if (text === '' || text.length > TEXT_MAX || !isHeaderSafe(text))
    throw vaultErrors('vault.credential_malformed', { params: { field }, field });
  return text;
}

/** The text that is sealed. Throws `vault.credential_malformed` for what no header could carry. */
export function serialiseCredential(credential: NewCredential): Secret {
  if ('apiKey' in credential) return json({ type: 'api_key', key: checked(credential.apiKey.reveal(), 'token') });
  if ('password' in credential) {
    // RFC 7617 §2: the first colon ends the user name.
    if (credential.username.includes(':'))
      throw vaultErrors('vault.credential_malformed', { params: { field: 'username' }, field: 'username' });
    // Both are base64 on the wire, so any text may stand in them, but nobody types a control character.
    if (
      /\p{Cc}/u.test(credential.username + credential.password.reveal()) ||
      credential.username.length + credential.password.reveal().length > TEXT_MAX
    ) {
      throw vaultErrors('vault.credential_malformed', { params: { field: 'password' }, field: 'password' });
    }
    return json({ type: 'basic', username: credential.username, password: credential.password.reveal() });
  }
  return json({
    type: 'oauth2',
    access: checked(credential.accessToken.reveal(), 'token'),
    refresh: credential.refreshToken === undefined ? null : checked(credential.refreshToken.reveal(), 'refresh_token'),
    kept: { ...credential.kept },
  });
}

function json(value: z.input<typeof sealedForm>): Secret {
  return new Secret(JSON.stringify(value));
}

/** Reads what `serialiseCredential` wrote. Throws `vault.unreadable`, without the text. */
export function readCredential(text: Secret): OpenCredential {
  let parsed: z.output<typeof sealedForm>;
  try {
    parsed = sealedForm.parse(JSON.parse(text.reveal()));
  } catch (thrown) {
    if (thrown instanceof PlatformError) throw thrown;
    throw vaultErrors('vault.unreadable', { detail: 'not a credential' });
  }
  switch (parsed.type) {
    case 'oauth2':
      return {
        type: 'oauth2',
        accessToken: new Secret(parsed.access),
        refreshToken: parsed.refresh === null ? null : new Secret(parsed.refresh),
        kept: parsed.kept,
      };
    case 'api_key':
      return { type: 'api_key', key: new Secret(parsed.key) };
    case 'basic':
      return { type: 'basic', username: parsed.username, password: new Secret(parsed.password) };
  }
}

/** When the secret stops being good by itself; null where nobody said. */
export function expiryOf(credential: NewCredential): Date | null {
  return 'accessToken' in credential && credential.expiresAt !== undefined ? new Date(credential.expiresAt) : null;
}

export function isRefreshable(credential: NewCredential): boolean {
  return 'accessToken' in credential && credential.refreshToken !== undefined;
}
