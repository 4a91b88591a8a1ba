import { queryValues, readConnectJwt, type UnverifiedJwt } from '@bulkhead/protocol';
import { type AppRequest, hasHeader, oneHeader } from '../app-request.ts';
import { appRefusals } from '../refusals.ts';

/** Where a kind of token may stand. `JWT` and `Bearer` are schemes of the Authorization header, in exactly this spelling. */
export interface TokenPlaces {
  readonly scheme: 'JWT' | 'Bearer';
  /** Whether `?jwt=` counts too: an iframe's first request has no header of its own. */
  readonly inQuery: boolean;
}

/**
 * The one token of a request. One in a form, a cookie or another header is none; with two of them nobody knows who is calling, so neither
 * counts. Throws `app_kit.unauthorized`.
 */
export function findToken(request: AppRequest, { scheme, inQuery }: TokenPlaces): string {
  const inUrl = queryValues(request.rawTarget, 'jwt');
  const [only] = inUrl;
  if (!hasHeader(request, 'authorization')) {
    if (only === undefined || inUrl.length > 1 || !inQuery)
      throw unauthorized(inUrl.length === 0 ? 'no token' : 'a token where none counts');
    return only;
  }
  const header = oneHeader(request, 'authorization');
  if (header === undefined || inUrl.length > 0) throw unauthorized('more than one token');
  if (!header.startsWith(`${scheme} `)) throw unauthorized('another scheme');
  return header.slice(scheme.length + 1);
}

/** The same, read but not verified. */
export function findJwt(request: AppRequest, places: TokenPlaces): UnverifiedJwt {
  // What a router may read otherwise than we do (an absolute form, a control character) was not signed as it will be served.
  if (!/^\/[\x21-\x7e]*$/.test(request.rawTarget)) throw unauthorized('not a plain request target');
  const read = readConnectJwt(findToken(request, places));
  if ('refused' in read) throw unauthorized(read.refused);
  return read;
}

/** One answer for every reason; the reason is for the log. */
export function unauthorized(detail: string): Error {
  return appRefusals('app_kit.unauthorized', { detail });
}
