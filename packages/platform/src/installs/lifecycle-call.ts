import { type ApplicationId, randomBase62, type Secret } from '@bulkhead/base';
import {
  appTarget,
  type LifecycleEvent,
  type LifecycleEventType,
  queryStringHash,
  sharedSecretKey,
  signConnectJwt,
} from '@bulkhead/protocol';
import type { Endpoint } from '../deliveries/index.ts';
import type { InstallSigningKey } from './install-keys.ts';

/** How long a token that we sign counts, in seconds. */
const TOKEN_SECONDS = 180;

/** By what an App knows that a lifecycle call comes from its host: an install key (RS256), or the secret it shares with us (HS256). */
export type LifecycleSigner = InstallSigningKey | { readonly sharedSecret: Secret };

/** Where an App keeps what it is told of: null where it does not want to know. */
export function lifecycleEndpoint(
  { baseUrl, path, clientKey }: { baseUrl: string; path: string | undefined; clientKey: string },
  signer: LifecycleSigner | null,
  confidential: readonly Secret[] = [],
): Endpoint | null {
  const place = path === undefined ? null : appTarget(baseUrl, path);
  if (place === null) return null;
  const hidden = confidential.map((secret) => secret.reveal());
  return {
    url: place.url,
    sign(_message, now) {
      if (signer === null) return { headers: {}, confidential: hidden };
      const iat = Math.floor(now.getTime() / 1_000);
      const claims = {
        iss: clientKey,
        iat,
        exp: iat + TOKEN_SECONDS,
        // Two calls of one second are two tokens: an App that refuses replays takes both.
        jti: randomBase62(22),
        qsh: queryStringHash({ method: 'POST', target: place.target }),
      };
      // An audience in a token of the shared secret would name the tenant instead of `iss`, to atlassian-connect-express at least.
      const token =
        'kid' in signer
          ? signConnectJwt({ algorithm: 'RS256', key: signer.key, kid: signer.kid }, { ...claims, aud: [baseUrl] })
          : signConnectJwt({ algorithm: 'HS256', key: sharedSecretKey(signer.sharedSecret) }, claims);
      const secret = 'kid' in signer ? [] : [signer.sharedSecret.reveal()];
      // An App may send back a part of what it got as well as the whole.
      const parts = [token, token.slice(0, token.lastIndexOf('.')), ...token.split('.')];
      return { headers: { authorization: `JWT ${token}` }, confidential: [...parts, ...secret, ...hidden] };
    },
  };
}

/** The base URL under which an App finds the host of one Application. */
export function tenantBaseUrl(publicUrl: string, applicationId: ApplicationId): string {
  return `${publicUrl}/t/${applicationId}`;
}

/** The body of a lifecycle call. */
export function lifecyclePayload(
  eventType: LifecycleEventType,
  { appKey, clientKey, hostUrl, sharedSecret }: { appKey: string; clientKey: string; hostUrl: string; sharedSecret?: Secret },
): string {
  const event: LifecycleEvent = {
    key: appKey,
    clientKey,
    oauthClientId: clientKey,
    ...(sharedSecret === undefined ? {} : { sharedSecret: sharedSecret.reveal() }),
    baseUrl: hostUrl,
    displayUrl: hostUrl,
    productType: 'bulkhead',
    description: 'Bulkhead',
    eventType,
  };
  return JSON.stringify(event);
}
