import { applicationId as applicationIds, type ApplicationId } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import {
  authorizationDestination,
  type AuthorizationDestination,
  authorizationDetails,
  type AuthorizationParameters,
  OUT_OF_BAND_URI,
  pushedAuthorizationDetails,
  readRawParameters,
} from '@bulkhead/protocol';
import type { z } from 'zod';
import { type ApplicationSettings, getApplicationSettings, isRegisteredRedirectUri, isTrustedOrigin } from '../applications/index.ts';
import { authorizationErrors } from './authorization-errors.ts';
import type { AnswerTarget, AuthorizationRequest } from './authorization-request.ts';

/**
 * Reads one parameter. What is wrong with it is told by name.
 * @throws authorization.malformed
 */
export function readParameter<Name extends keyof AuthorizationDestination>(
  parameters: AuthorizationParameters,
  name: Name,
): AuthorizationDestination[Name] {
  return checked(authorizationDestination.shape[name].safeParse(parameters[name]), name) as AuthorizationDestination[Name];
}

function checked<Value>(result: z.ZodSafeParseResult<Value>, name?: string): Value {
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = [...(name === undefined ? [] : [name]), ...issue.path.map(String)].join('.');
  throw authorizationErrors('authorization.malformed', { params: { problem: `"${field}": ${issue.message}.` }, field });
}

/** The Application a `client_id` names, where it exists and is active. */
export async function getClient(tx: Tx, applicationId: ApplicationId): Promise<ApplicationSettings> {
  const settings = await getApplicationSettings(tx, applicationId);
  if (settings === null || !settings.active) throw authorizationErrors('authorization.unknown_client', { field: 'client_id' });
  return settings;
}

/** The `client_id` of a request, if it has the form of one. */
export function readClientId(parameters: AuthorizationParameters): ApplicationId {
  const clientId = readParameter(parameters, 'client_id');
  if (clientId === undefined) throw authorizationErrors('authorization.client_id_missing', { field: 'client_id' });
  if (!applicationIds.is(clientId)) throw authorizationErrors('authorization.unknown_client', { field: 'client_id' });
  return clientId;
}

/**
 * Where the answer goes. Throws what may never be told to that place: the caller shows it on a page. `state` is left out where it
 * cannot be given back; `readAuthorizationRequest` complains about it afterwards.
 */
export async function readAnswerTarget(tx: Tx, settings: ApplicationSettings, parameters: AuthorizationParameters): Promise<AnswerTarget> {
  const redirectUri = readParameter(parameters, 'redirect_uri');
  if (redirectUri === undefined) throw authorizationErrors('authorization.redirect_uri_missing', { field: 'redirect_uri' });
  const state = authorizationDestination.shape.state.safeParse(parameters['state']);
  const responseType = authorizationDestination.shape.response_type.safeParse(parameters['response_type']);
  const common = { state: (state.success ? state.data : undefined) ?? null };
  if (redirectUri === OUT_OF_BAND_URI) {
    const requestId = readParameter(parameters, 'request_id') ?? null;
    return { ...common, responseMode: 'message', redirectUri: null, requestId, origin: await readTrustedOrigin(tx, settings, parameters) };
  }
  await checkRedirectUri(tx, settings, redirectUri);
  return { ...common, responseMode: responseType.data === 'token' ? 'fragment' : 'query', redirectUri, requestId: null, origin: null };
}

async function checkRedirectUri(tx: Tx, { applicationId }: ApplicationSettings, redirectUri: string): Promise<void> {
  if (await isRegisteredRedirectUri(tx, applicationId, redirectUri)) return;
  throw authorizationErrors('authorization.redirect_uri_unregistered', { params: { application: applicationId }, field: 'redirect_uri' });
}

/** The token goes to a window of this very origin or nowhere, so it is compared before anything else is done. */
async function readTrustedOrigin(tx: Tx, { applicationId }: ApplicationSettings, parameters: AuthorizationParameters): Promise<string> {
  const origin = readParameter(parameters, 'origin');
  const url = origin === undefined ? null : URL.parse(origin);
  if (origin === undefined || url === null || url.origin !== origin || !/^https?:$/.test(url.protocol))
    throw authorizationErrors('authorization.origin_missing', { field: 'origin' });
  if (await isTrustedOrigin(tx, applicationId, origin)) return origin;
  throw authorizationErrors('authorization.origin_untrusted', { params: { origin, application: applicationId }, field: 'origin' });
}

/**
 * Whether a request checked earlier (pushed, or a flow under way) may still be answered: redirect URI, domain or the implicit grant may
 * have been taken away since. Throws what is shown on a page, because nothing may be sent there any more.
 */
export async function recheckAnswerTarget(tx: Tx, settings: ApplicationSettings, request: AuthorizationRequest): Promise<void> {
  if (request.redirectUri !== null) await checkRedirectUri(tx, settings, request.redirectUri);
  if (request.responseMode === 'message') await readTrustedOrigin(tx, settings, { origin: request.origin });
  if (request.responseType === 'token' && !settings.implicitGrantEnabled)
    throw authorizationErrors('authorization.implicit_disabled', { field: 'response_type' });
}

/**
 * The whole request. `pushed`: it came authenticated, so it may name the end user and an account to connect anew; `dpopJkt`: the key it
 * came with a proof of. Throws errors that the client is told.
 */
export function readAuthorizationRequest(
  settings: ApplicationSettings,
  target: AnswerTarget,
  parameters: AuthorizationParameters,
  { pushed, dpopJkt }: { readonly pushed: boolean; readonly dpopJkt: string | null },
): AuthorizationRequest {
  readParameter(parameters, 'state');
  const responseType = readResponseType(settings, target, parameters);
  const details = checked(authorizationDetails.safeParse(parameters));
  const { end_user: endUser, account_id: accountId } = pushed ? checked(pushedAuthorizationDetails.safeParse(parameters)) : {};
  // A token goes straight to whoever opened the link (C1): only a code lets the company compare.
  if (endUser !== undefined && responseType === 'token')
    throw authorizationErrors('authorization.end_user_needs_code', { field: 'end_user' });
  const boundTo = readBinding(responseType, details.dpop_jkt, dpopJkt);
  const rawParameters = readRawParameters(parameters);
  if (rawParameters === null)
    throw authorizationErrors('authorization.malformed', {
      params: { problem: '"raw": expected at most 20 parameters of the form raw[name]=text.' },
      field: 'raw',
    });
  const username = details.form_data['username'];
  return {
    ...target,
    responseType,
    scope: details.scope,
    codeChallenge: responseType === 'code' ? checkPkce(settings, details) : null,
    dpopJkt: boundTo,
    customProperties: parameters['custom_properties'] === undefined ? null : details.custom_properties,
    rawParameters,
    accountHint: details.account ?? (typeof username === 'string' && username.length <= 255 ? username : null),
    endUser: endUser ?? null,
    reconnectAccountId: accountId ?? null,
  };
}

/** RFC 9449 §10.1: the key of the proof and the one that is named are one. A token that goes through a browser's address is bound to none. */
function readBinding(responseType: 'code' | 'token', named: string | undefined, proven: string | null): string | null {
  if (named !== undefined && proven !== null && named !== proven)
    throw authorizationErrors('authorization.dpop_key_mismatch', { field: 'dpop_jkt' });
  const jkt = named ?? proven;
  if (jkt !== null && responseType !== 'code') throw authorizationErrors('authorization.dpop_needs_code', { field: 'dpop_jkt' });
  return jkt;
}

function readResponseType(settings: ApplicationSettings, target: AnswerTarget, parameters: AuthorizationParameters): 'code' | 'token' {
  const responseType = readParameter(parameters, 'response_type');
  if (responseType === undefined)
    throw authorizationErrors('authorization.malformed', {
      params: { problem: '"response_type" is missing: send "code".' },
      field: 'response_type',
    });
  const fits = responseType === 'token' || (responseType === 'code' && target.responseMode !== 'message');
  if (!fits) throw authorizationErrors('authorization.response_type_unsupported', { field: 'response_type' });
  if (responseType === 'token' && !settings.implicitGrantEnabled)
    throw authorizationErrors('authorization.implicit_disabled', { field: 'response_type' });
  return responseType;
}

/** RFC 7636 §4.3: a challenge without a method would mean `plain`. */
function checkPkce(settings: ApplicationSettings, details: z.output<typeof authorizationDetails>): string | null {
  const { code_challenge: challenge, code_challenge_method: method } = details;
  if (challenge === undefined && method === undefined) {
    if (settings.pkceRequired) throw authorizationErrors('authorization.pkce_required', { field: 'code_challenge' });
    return null;
  }
  if (method !== 'S256') throw authorizationErrors('authorization.pkce_method', { field: 'code_challenge_method' });
  if (challenge === undefined) throw authorizationErrors('authorization.pkce_required', { field: 'code_challenge' });
  return challenge;
}
