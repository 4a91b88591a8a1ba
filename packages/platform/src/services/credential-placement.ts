import type { Secret } from '@bulkhead/base';
import type { UpstreamService } from './service.ts';
import { servicesErrors } from './services-errors.ts';

/** What opens an upstream account, by the service's `auth.type`. */
export type UpstreamCredential =
  | { readonly type: 'oauth2'; readonly accessToken: Secret }
  | { readonly type: 'api_key'; readonly key: Secret }
  | { readonly type: 'basic'; readonly username: string; readonly password: Secret };

export interface PlacedCredential {
  readonly url: string;
  /** One header at most; its value is a secret in clear, for the outgoing request only. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * `prefix` stands before the key as it is written. Only in `Authorization` a bare scheme (`Bearer`, `Token`) gets the space that
 * RFC 9110 §11.4 demands.
 */
function withPrefix(name: string, prefix: string, key: string): string {
  return name.toLowerCase() === 'authorization' && /^[A-Za-z][A-Za-z0-9-]*$/.test(prefix) ? `${prefix} ${key}` : prefix + key;
}

/**
 * Puts an account's credential where the service wants it. A key in the query replaces every parameter of that name that the
 * caller sent. Throws `service.credential_malformed` for a key that no header can hold, TypeError where credential and service do not belong together: a fault of ours.
 */
export function placeCredential(service: UpstreamService, credential: UpstreamCredential, url: string): PlacedCredential {
  const { auth } = service.definition;
  if (auth.type === 'oauth2' && credential.type === 'oauth2')
    return { url, headers: { authorization: `Bearer ${credential.accessToken.reveal()}` } };
  if (auth.type === 'basic' && credential.type === 'basic') {
    const pair = Buffer.from(`${credential.username}:${credential.password.reveal()}`, 'utf8').toString('base64');
    return { url, headers: { authorization: `Basic ${pair}` } };
  }
  if (auth.type === 'api_key' && credential.type === 'api_key') {
    const value = withPrefix(auth.in === 'header' ? auth.name : '', auth.prefix ?? '', credential.key.reveal());
    if (credential.key.reveal() === '' || (auth.in === 'header' && !isHeaderSafe(value)))
      throw servicesErrors('service.credential_malformed');
    if (auth.in === 'header') return { url, headers: { [auth.name.toLowerCase()]: value } };
    const query = `${encodeURIComponent(auth.name)}=${encodeURIComponent(value)}`;
    const sent = withoutParameter(url, auth.name);
    return { url: sent + (sent.includes('?') ? (/[?&]$/.test(sent) ? '' : '&') : '?') + query, headers: {} };
  }
  throw new TypeError(`a credential of type ${credential.type} does not fit service ${service.definition.id}`);
}

/** Takes out every parameter of that name, however it is written; the rest stays byte for byte. */
function withoutParameter(url: string, name: string): string {
  const mark = url.indexOf('?');
  if (mark === -1 || !new URLSearchParams(url.slice(mark + 1)).has(name)) return url;
  const kept = url
    .slice(mark + 1)
    .split('&')
    .filter((piece) => !new URLSearchParams(piece).has(name));
  return `${url.slice(0, mark)}${kept.length === 0 ? '' : '?'}${kept.join('&')}`;
}

/** Whether a header value may hold this text: keys and passwords typed by people come with line ends. */
export function isHeaderSafe(text: string): boolean {
  return /^[\x20-\x7e\x80-\xff]*$/.test(text);
}
