import { applicationErrors } from './application-errors.ts';

/** `host` or `host:port`, in lower case, as Kloudless keeps it: no scheme, no path. */
export function checkTrustedDomain(text: string): string {
  const domain = text.trim().toLowerCase();
  const form = /^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)(:\d{1,5})?$/;
  const url = form.test(domain) && domain.length <= 259 && URL.canParse(`https://${domain}`) ? new URL(`https://${domain}`) : null;
  if (url === null) throw applicationErrors('trusted_domain.refused', { field: 'domain' });
  return domain;
}

/** Whether a browser origin (`scheme://host[:port]`) is of this domain. A port is part of the name; default ports are not written. */
export function originIsOf(domain: string, origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  if (url.origin !== origin || (url.protocol !== 'https:' && url.protocol !== 'http:')) return false;
  const withDefault = url.port === '' ? `${url.hostname}:${url.protocol === 'https:' ? 443 : 80}` : url.host;
  return domain === url.host || domain === withDefault;
}
