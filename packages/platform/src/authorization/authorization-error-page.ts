import type { PlatformError } from '@bulkhead/base';
import type { Answer, IncomingCall } from '@bulkhead/http';
import type { Tx } from '@bulkhead/postgres';
import { type ApplicationSettings, findService, getApplicationSettings } from '../applications/index.ts';
import { errorKind } from './error-kind.ts';
import { type AuthorizationOptions, pageSetting } from './flow.ts';
import { type NamedInCall, namedInCall } from './named-in-call.ts';
import { errorPage } from './pages/error-page.ts';
import { pageAnswer } from './pages/layout.ts';
import { findTransaction, findTransactionByState } from './transaction-store.ts';

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** What people call the service that the flow of this address had left for. */
async function serviceName(tx: Tx, named: NamedInCall): Promise<string | null> {
  if (named.kind === 'client') return null;
  const flow = await (named.kind === 'flow' ? findTransaction : findTransactionByState)(tx, named.applicationId, named.hash);
  const found = flow?.upstream ? await findService(tx, named.applicationId, flow.upstream.service) : null;
  return found?.service.definition.friendly_name ?? null;
}

/** The page for an error on a page route: in the look of the Application where one is named, in the visitor's language, with a way out. */
export function authorizationErrorPage(options: Pick<AuthorizationOptions, 'db' | 'publicUrl' | 'log'>) {
  return async (error: PlatformError, requestId: string, call: IncomingCall): Promise<Answer<string>> => {
    let settings: ApplicationSettings | null = null;
    let service: string | null = null;
    const named = namedInCall(call);
    if (named !== null && error.code !== 'authorization.unknown_client') {
      try {
        await options.db.withTenant(named.applicationId, async (tx) => {
          settings = await getApplicationSettings(tx, named.applicationId);
          // Only what comes from a service names it: by then the browser was found to be the one of the flow.
          service = error.code.startsWith('upstream.') ? await serviceName(tx, named) : null;
        });
      } catch (cause) {
        // The error to be shown may be that very database: a plain page is better than none.
        options.log.debug('an error page has no branding', { err: cause });
      }
    }
    const setting = pageSetting(settings, call.headers, options.publicUrl());
    const origin = URL.parse(text(call.query['origin']));
    const values = { service: service ?? setting.language.say('the_service'), origin: origin?.host ?? '?' };
    return pageAnswer(
      errorPage({ status: error.status, kind: errorKind(error), values, code: error.code, reason: error.publicText, requestId }, setting),
      setting,
    );
  };
}
