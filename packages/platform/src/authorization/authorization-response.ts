import type { PlatformError } from '@bulkhead/base';
import type { AnswerTarget } from './authorization-request.ts';
import type { ResultMessage } from './pages/oob-result-page.ts';

export type ResponseParameters = Readonly<Record<string, string | number>>;

/** RFC 6749 §4.1.2.1: only these characters may stand in `error_description`. */
function describable(text: string): string {
  return text.replaceAll(/[^\x20-\x21\x23-\x5B\x5D-\x7E]/g, "'");
}

/** RFC 6749 §4.1.2.1 and §4.2.2.1. What has no code of its own there is our fault or the service's. */
export function errorParameters(error: PlatformError): ResponseParameters {
  return {
    error: error.oauth ?? (error.status >= 500 ? 'server_error' : 'invalid_request'),
    error_description: describable(error.publicText),
  };
}

function encodePairs(parameters: ResponseParameters): string {
  // Not as a form: clients of old decode a fragment by hand, and none of them takes "+" for a space.
  return Object.entries(parameters)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
}

/** The parameters with `state` as it came and `iss`, which stands in every answer (RFC 9207 §2). */
function complete(target: AnswerTarget, parameters: ResponseParameters, issuer: string): ResponseParameters {
  return { ...parameters, ...(target.state === null ? {} : { state: target.state }), iss: issuer };
}

/** The redirect URI with the answer behind it. The registered text is kept, its query too. */
export function responseUrl(
  target: AnswerTarget & { readonly redirectUri: string },
  parameters: ResponseParameters,
  issuer: string,
): string {
  const pairs = encodePairs(complete(target, parameters, issuer));
  const { redirectUri } = target;
  if (target.responseMode === 'fragment') return `${redirectUri}#${pairs}`;
  return `${redirectUri}${!redirectUri.includes('?') ? '?' : /[?&]$/.test(redirectUri) ? '' : '&'}${pairs}`;
}

/** The answer as a message for the browser SDK. It compares `state` as text and finds its callback by the number it gave. */
export function responseMessage(target: AnswerTarget, parameters: ResponseParameters, issuer: string): ResultMessage {
  const requestId = target.requestId ?? '';
  return {
    type: 'authentication',
    id: /^[0-9]{1,15}$/.test(requestId) ? Number(requestId) : requestId,
    data: complete(target, parameters, issuer),
  };
}

/**
 * Where a form may end, for the page's policy: browsers hold redirects after a form to it, and what an upstream or a redirect URI
 * redirects to next nobody knows. So schemes, not hosts: never `javascript:` or `data:`. `upstreamUrls` are those of the services that can
 * be chosen.
 */
export function formTargets(
  target: Pick<AnswerTarget, 'redirectUri'>,
  publicUrl: string,
  upstreamUrls: readonly string[] = [],
): readonly string[] {
  const ends = [publicUrl, target.redirectUri ?? publicUrl, ...upstreamUrls];
  const schemes = ends.map((url) => /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0].toLowerCase()).filter((scheme) => scheme !== undefined);
  return [...new Set(['https:', ...schemes])];
}
