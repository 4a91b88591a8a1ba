import { randomBase62, type Secret } from '@bulkhead/base';
import { appTarget, queryStringHash, sharedSecretKey, signConnectJwt } from '@bulkhead/protocol';
import { fillVariables, tenantBaseUrl } from '../installs/index.ts';
import type { Viewer } from './page-session.ts';
import type { ShownInstall } from './shown-install.ts';

/** Of the whole address but its token. */
export const ADDRESS_MAX = 4_000;
const TOKEN_SECONDS = 180;
/** What a host tells a page of itself (`cv`): of the last of Atlassian's that was versioned. */
const CONNECT_VERSION = '1.0.0';
/** Parameters that are the host's to say. One of these names in the address of a module is left out. */
const RESERVED = new Set(['xdm_e', 'xdm_c', 'cp', 'lic', 'cv', 'jwt', 'dialog', 'simpleDialog', 'ui-params']);

/** The parts of a context by their dotted names (`issue.key`), and what the host knows itself. */
export function variablesOf(
  { applicationId }: Pick<ShownInstall, 'applicationId'>,
  viewer: Viewer,
): Readonly<Record<string, string | number | null>> {
  const values: Record<string, string | number | null> = Object.create(null);
  const walk = (value: unknown, name: string): void => {
    if (typeof value === 'object' && value !== null)
      for (const [part, inner] of Object.entries(value)) walk(inner, name === '' ? part : `${name}.${part}`);
    else if (name !== '')
      values[name] = typeof value === 'string' || typeof value === 'number' ? value : typeof value === 'boolean' ? String(value) : null;
  };
  walk(viewer.context, '');
  values['application.id'] = applicationId;
  values['user.accountId'] = viewer.endUser;
  return values;
}

/** What the host says of itself to every page, and to whatever else an App is asked for a person. */
export function standardParameters(publicUrl: string, { applicationId, appKey }: ShownInstall, moduleKey: string): [string, string][] {
  return [
    ['xdm_e', publicUrl],
    ['xdm_c', `channel-${appKey}__${moduleKey}`],
    ['cp', tenantBaseUrl('', applicationId)],
    ['lic', 'active'],
    ['cv', CONNECT_VERSION],
  ];
}

/** A request to an App for a person: where it goes, and the token (HS256) that proves it; null for an App that wants none. */
export interface SignedGet {
  readonly url: string;
  readonly token: string | null;
}

/**
 * The address of a page or remote condition: variables filled in, parameters appended, signed over all of it (qsh). Null where what comes
 * out does not lie below the App's base URL, or is too long.
 */
export function signGet(
  { baseUrl, clientKey, isSigned, sharedSecret, ...install }: ShownInstall,
  { url, viewer, parameters, now }: { url: string; viewer: Viewer; parameters: readonly (readonly [string, string])[]; now: Date },
): SignedGet | null {
  const [path = '', query = ''] = splitOnce(fillVariables(url, variablesOf(install, viewer)), '?');
  const own = query.split('&').filter((pair) => pair !== '' && !RESERVED.has(decoded(splitOnce(pair, '=')[0]!)));
  const said = parameters.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  const place = appTarget(baseUrl, `${path}?${[...own, ...said].join('&')}`, ADDRESS_MAX);
  if (place === null) return null;
  const qsh = queryStringHash({ method: 'GET', target: place.target });
  return { url: place.url, token: isSigned ? userToken({ clientKey, sharedSecret }, { viewer, qsh, now, seconds: TOKEN_SECONDS }) : null };
}

/** A token of the host for one person: for one request, or (`context-qsh`) for the App's own page. */
export function userToken(
  { clientKey, sharedSecret }: { clientKey: string; sharedSecret: Secret },
  { viewer, qsh, now, seconds }: { viewer: Viewer; qsh: string; now: Date; seconds: number },
): string {
  const iat = Math.floor(now.getTime() / 1_000);
  return signConnectJwt(
    { algorithm: 'HS256', key: sharedSecretKey(sharedSecret) },
    {
      iss: clientKey,
      ...(viewer.endUser === null ? {} : { sub: viewer.endUser }),
      iat,
      exp: iat + seconds,
      // Two of one second are two: an App that refuses replays takes both.
      jti: randomBase62(22),
      qsh,
      context: viewer.context,
    },
  );
}

function splitOnce(text: string, by: string): [string] | [string, string] {
  const at = text.indexOf(by);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}
