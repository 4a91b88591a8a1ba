import type { AnyRoute } from '@bulkhead/http';
import type { Twin } from '@bulkhead/testkit';

/** A credential as it is shown, and what a finding calls it. */
export interface Shown {
  readonly title: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What is made for one request. */
  readonly sign?: (request: { readonly method: string; readonly path: string }) => string;
}

/** The headers of a request with this credential. */
export function headersOf(
  request: { readonly method: string; readonly path: string; readonly headers: Readonly<Record<string, string>> },
  { headers, sign }: Pick<Shown, 'headers' | 'sign'>,
): Record<string, string> {
  return { ...request.headers, ...headers, ...(sign === undefined ? {} : { authorization: sign(request) }) };
}

const bearer = (title: string, token: string): Shown => ({ title, headers: { authorization: `Bearer ${token}` } });
const apiKey = (title: string, key: string): Shown => ({ title, headers: { authorization: `APIKey ${key}` } });
const basic = (title: string, id: string, secret: string): Shown => ({
  title,
  headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
});

/** Live credentials of a kind that a route takes. */
export function valid(kind: string, twin: Twin): readonly Shown[] {
  switch (kind) {
    case 'meta_token':
      return [
        bearer(`${twin.title}'s Meta token`, twin.metaToken),
        { title: `${twin.title}'s Meta token as DeveloperKey`, headers: { authorization: `DeveloperKey ${twin.metaToken}` } },
      ];
    case 'api_key':
      return [apiKey(`${twin.title}'s API key`, twin.apiKey)];
    case 'bearer':
      return [bearer(`${twin.title}'s access token`, twin.names.access_token)];
    case 'client':
      return [apiKey(`${twin.title} as client`, twin.apiKey), basic(`${twin.title} as client by Basic`, twin.applicationId, twin.apiKey)];
    case 'install':
      return [
        { title: `${twin.title}'s App`, headers: {}, sign: (request) => twin.app.authorization(request) },
        bearer(`${twin.title}'s App, for a user`, twin.app.userToken),
      ];
    case 'invocation':
      return [bearer(`${twin.title}'s running function`, twin.app.invocationToken)];
    default:
      throw new Error(`nobody told the matrix what a ${kind} looks like`);
  }
}

/** Whatever proves nothing: none, noise, revoked, of the wrong kind, in the wrong place. All of it the owner's own. */
export function worthless(route: AnyRoute, twin: Twin): readonly Shown[] {
  const taken = new Set<string>(route.credentials);
  const { names, applicationId } = twin;
  const noise: Shown[] = [
    { title: 'no credential', headers: {} },
    { title: 'an empty credential', headers: { authorization: '' } },
    bearer('noise as Bearer', 'garbage'),
    apiKey('noise as APIKey', 'garbage'),
    basic('noise as Basic', applicationId, 'garbage'),
    { title: 'an unknown scheme', headers: { authorization: `Digest ${twin.apiKey}` } },
    bearer('a revoked access token', twin.revokedBearer),
    apiKey('a revoked API key', twin.revokedApiKey),
    basic('a revoked API key by Basic', applicationId, twin.revokedApiKey),
    bearer('a revoked Meta token', twin.revokedMetaToken),
    bearer('a refresh token as Bearer', names.refresh_token),
    bearer('a code as Bearer', names.code),
    bearer('an API key as Bearer', twin.apiKey),
    apiKey('an access token as APIKey', names.access_token),
    apiKey('a Meta token as APIKey', twin.metaToken),
    bearer('two tokens at once', `${names.access_token},${names.second_access_token}`),
  ];
  const others: Shown[] = [
    ...(taken.has('meta_token') ? [] : [bearer('a Meta token', twin.metaToken)]),
    ...(taken.has('bearer')
      ? []
      : [bearer('an access token', names.access_token), basic('an access token by Basic', applicationId, names.access_token)]),
    ...(taken.has('install')
      ? worthlessTokens(twin)
      : [
          { title: "an App's token", headers: {}, sign: (request: Signed) => twin.app.authorization(request) },
          bearer("an App's token for a user", twin.app.userToken),
        ]),
    bearer('the token of a function that has ended', twin.app.endedInvocationToken),
    ...(taken.has('invocation') ? [] : [bearer('the token of a running function', twin.app.invocationToken)]),
    ...(taken.has('api_key') || taken.has('client') ? [] : [apiKey('an API key', twin.apiKey)]),
  ];
  return [...noise, ...others];
}

type Signed = { readonly method: string; readonly path: string };

/** Tokens of the right App that are not made for this request, not by its secret, or not of now. */
function worthlessTokens({ app, applicationId, names }: Twin): readonly Shown[] {
  const shown = (title: string, sign: (request: Signed) => string): Shown => ({ title, headers: {}, sign });
  const elsewhere = `/t/${applicationId}/rest/atlassian-connect/1/addons`;
  return [
    shown('a token for another address', ({ method }) => app.authorization({ method, path: elsewhere })),
    shown('a token for another method', ({ method, path }) => app.authorization({ method: method === 'GET' ? 'POST' : 'GET', path })),
    shown('a context token', (request) => app.authorization(request, { qsh: 'context-qsh' })),
    shown('a token without qsh', (request) => app.authorization(request, { qsh: undefined })),
    shown('a token that is over', (request) => app.authorization(request, { iat: 1_000, exp: 1_180 })),
    shown('a token for a year', (request) => app.authorization(request, { exp: Math.floor(Date.now() / 1_000) + 31_536_000 })),
    shown('a token for another host', (request) => app.authorization(request, { aud: ['another-client-key'] })),
    shown("a token in the host's own name", (request) => app.authorization(request, { iss: app.clientKey })),
    { title: 'a token for a user as JWT', headers: { authorization: `JWT ${app.userToken}` } },
    { title: 'an assertion', headers: { authorization: `JWT ${names.app_assertion}` } },
    shown('a token as Bearer', (request) => app.authorization(request).replace('JWT ', 'Bearer ')),
    shown('a token without its signature', (request) => app.authorization(request).replace(/\.[^.]*$/, '.')),
    shown('a token of an unsigned kind', (request) => {
      const [, claims] = app.authorization(request).split('.');
      return `JWT ${Buffer.from('{"typ":"JWT","alg":"none"}').toString('base64url')}.${claims}.`;
    }),
  ];
}
