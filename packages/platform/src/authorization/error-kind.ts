import type { PlatformError } from '@bulkhead/base';
import type { ErrorKind } from './pages/error-page.ts';

const KINDS: Readonly<Record<string, ErrorKind>> = {
  'authorization.request_uri_unknown': 'opened',
  'authorization.flow_unknown': 'expired',
  'authorization.flow_expired': 'expired',
  'authorization.other_browser': 'browser',
  'authorization.cross_site': 'browser',
  'authorization.origin_untrusted': 'origin',
  'authorization.prefetch': 'other',
  'authorization.service_changed': 'service',
  'account.identity_mismatch': 'mismatch',
  'account.limit': 'setup',
  'upstream.access_denied': 'refused',
  'upstream.unavailable': 'silent',
  'upstream.timeout': 'silent',
  'upstream.rate_limited': 'silent',
  'upstream.client_refused': 'setup',
  'upstream.discovery_failed': 'setup',
  'page.link_opened': 'opened',
  'page.link_unknown': 'opened',
  'page.session_over': 'over',
  'page.prefetch': 'other',
  not_found: 'missing',
};

/** What an error means to the person at the browser: whether trying again may help, and who can mend it. */
export function errorKind({ code, status }: PlatformError): ErrorKind {
  const kind = KINDS[code];
  if (kind !== undefined) return kind;
  if (code.startsWith('upstream.') || code.startsWith('egress.')) return 'service';
  return status >= 500 || status === 429 ? 'other' : 'link';
}
