import type { PlatformError } from '@bulkhead/base';
import type { Answer, IncomingCall } from '@bulkhead/http';
import { type ApplicationSettings, getApplicationSettings } from '../applications/index.ts';
import { type AuthorizationOptions, pageSetting } from './flow.ts';
import { namedInCall } from './named-in-call.ts';
import { type ErrorKind, errorPage } from './pages/error-page.ts';
import { pageAnswer } from './pages/layout.ts';

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
  not_found: 'missing',
};

function kindOf({ code, status }: PlatformError): ErrorKind {
  const kind = KINDS[code];
  if (kind !== undefined) return kind;
  if (code.startsWith('upstream.') || code.startsWith('egress.')) return 'service';
  return status >= 500 || status === 429 ? 'other' : 'link';
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The page for an error on a page route: in the look of the Application where one is named, in the visitor's language, with a way out. */
export function authorizationErrorPage(options: Pick<AuthorizationOptions, 'db' | 'publicUrl' | 'log'>) {
  return async (error: PlatformError, requestId: string, call: IncomingCall): Promise<Answer<string>> => {
    let settings: ApplicationSettings | null = null;
    const applicationId = namedInCall(call)?.applicationId ?? null;
    if (applicationId !== null && error.code !== 'authorization.unknown_client') {
      try {
        settings = await options.db.withTenant(applicationId, (tx) => getApplicationSettings(tx, applicationId));
      } catch (cause) {
        // The error to be shown may be that very database: a plain page is better than none.
        options.log.debug('an error page has no branding', { err: cause });
      }
    }
    const setting = pageSetting(settings, call.headers, options.publicUrl());
    const origin = URL.parse(text(call.query['origin']));
    const values = { service: setting.language.say('the_service'), origin: origin?.host ?? '?' };
    return pageAnswer(
      errorPage({ status: error.status, kind: kindOf(error), values, code: error.code, reason: error.publicText, requestId }, setting),
      setting,
    );
  };
}
