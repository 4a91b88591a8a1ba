import type { ApplicationId, Clock, Log } from '@bulkhead/base';
import type { Answer, Egress } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { RequestContext } from '../access/index.ts';
import type { ApplicationSettings } from '../applications/index.ts';
import type { UpstreamCall } from '../services/index.ts';
import type { Vault } from '../vault/index.ts';
import type { RefusalLines } from './refusal-lines.ts';
import { type Page, pageAnswer, type PageSetting } from './pages/layout.ts';
import { languageFor } from './pages/locale.ts';
import type { UpstreamServers } from './upstream-servers.ts';

/** What the connect flow is built from. */
export interface AuthorizationOptions {
  readonly db: Database;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly egress: Egress;
  readonly log: Log;
  /** Origin of the server, without a slash at the end: issuer, callbacks, addresses of the pages. */
  readonly publicUrl: () => string;
  /** Longest duration of one call to a service, answer included. */
  readonly upstreamTimeoutMs: number;
  /** Most accounts of an Application. Default 100,000. */
  readonly accountsMax?: number | undefined;
}

/** The same with what the routes keep between requests. */
export interface FlowParts extends AuthorizationOptions {
  readonly servers: UpstreamServers;
  readonly refusalLines: RefusalLines;
}

const UPSTREAM_BYTES_MAX = 1024 * 1024;

/**
 * The way to a service. It does not end when the browser leaves: a code that was sent must also be taken in.
 */
export function upstreamCall({ egress, upstreamTimeoutMs: timeoutMs }: AuthorizationOptions, tenant: ApplicationId): UpstreamCall {
  return {
    fetch: egress.customFetch({ policy: 'upstream', tenant, maxBytes: UPSTREAM_BYTES_MAX, timeoutMs }),
    timeoutMs,
  };
}

/** The Application's look in the visitor's language. */
export function pageSetting(
  settings: ApplicationSettings | null,
  headers: RequestContext['call']['headers'],
  publicUrl: string,
): PageSetting {
  const accept = headers['accept-language'];
  const branding = settings?.branding ?? null;
  return {
    publicUrl,
    language: languageFor(branding?.locale ?? null, typeof accept === 'string' ? accept : undefined),
    brand: {
      name: settings === null ? null : (branding?.displayName ?? settings.name),
      logoUrl: branding?.logoUrl ?? settings?.logoUrl ?? null,
      primaryColour: branding?.primaryColour ?? null,
      backgroundColour: branding?.backgroundColour ?? null,
      supportUrl: branding?.supportUrl ?? null,
      privacyUrl: branding?.privacyUrl ?? null,
    },
  };
}

export function showPage(
  options: AuthorizationOptions,
  context: RequestContext,
  settings: ApplicationSettings,
  page: (setting: PageSetting) => Page,
): Answer<string> {
  const setting = pageSetting(settings, context.call.headers, options.publicUrl());
  return pageAnswer(page(setting), setting);
}

/** 303 also after a GET: whatever came before, the next request is a GET (RFC 9700 §4.12). */
export function seeOther(location: string, cookies: readonly string[] = []): Answer {
  return { status: 303, headers: { location, ...(cookies.length === 0 ? {} : { 'set-cookie': [...cookies] }) } };
}
