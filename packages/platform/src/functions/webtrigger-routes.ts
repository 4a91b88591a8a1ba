import type { ServerResponse } from 'node:http';
import type { ApplicationId } from '@bulkhead/base';
import { ALREADY_SENT, type AnyRoute, type IncomingCall, type RawRequest, readBytes } from '@bulkhead/http';
import { z } from 'zod';
import { type RequestContext, route } from '../access/index.ts';
import { onlyHeader } from '../inbound/index.ts';
import type { CallingParts } from './call-function.ts';
import { callWebtrigger, findWebtrigger } from './call-webtrigger.ts';
import type { WebtriggerAnswer } from './webtrigger-answer.ts';
import { webtriggerPayload } from './webtrigger-request.ts';

/** What a function is handed is JSON of at most 1 MiB; base64 takes a third more. */
const BODY_LIMIT = { bytes: 700_000, ms: 10_000 } as const;

export interface WebtriggerParts extends CallingParts {
  readonly publicUrl: () => string;
  /** Counts a call that is proven against the quota of its Application. Throws `rate.exceeded`. */
  readonly takeRate: (applicationId: ApplicationId, call: IncomingCall) => void;
}

/** Path of a web trigger below the public URL. No secret stands in it. */
export function webtriggerPath({
  applicationId,
  appKey,
  triggerKey,
  environment,
}: {
  applicationId: string;
  appKey: string;
  triggerKey: string;
  environment: string;
}): string {
  return `/f/${applicationId}/${encodeURIComponent(appKey)}/${triggerKey}${environment === 'production' ? '' : `@${environment}`}`;
}

/**
 * Where functions of Apps are called from outside. Anybody may ask, so a caller is believed by what the manifest says a caller must prove,
 * or not at all.
 */
export function webtriggerRoutes(parts: WebtriggerParts): AnyRoute[] {
  const path = '/f/{application_id}/{app_key}/{trigger}';
  const params = z.object({ application_id: z.string(), app_key: z.string(), trigger: z.string() });
  const common = {
    method: 'ANY',
    summary: 'Call a function of an App by its web trigger: as its manifest says, with a signature, a bearer secret, or without proof',
    credentials: [],
    scope: null,
    rateClass: 'webtrigger',
    audit: null,
    bodyForm: 'stream',
    idempotent: false,
    // Whatever the function answers.
    answers: {},
  } as const;
  async function called(context: RequestContext<null>, named: z.output<typeof params>, raw: RawRequest): Promise<typeof ALREADY_SENT> {
    const body = await readBytes(raw.message, BODY_LIMIT);
    const { application_id: applicationId, app_key: appKey, trigger } = named;
    const request = {
      method: raw.message.method ?? 'GET',
      url: parts.publicUrl() + raw.target,
      header: (name: string) => onlyHeader(raw, name),
      body,
    };
    const proven = await findWebtrigger(parts, { applicationId, appKey, trigger }, request, context.now);
    parts.takeRate(proven.callable.applicationId, context.call);
    const payload = webtriggerPayload(raw, body, { hidesAuthorization: proven.trigger.authentication.type === 'bearer' });
    send(raw.response, await callWebtrigger(parts, proven, payload, context.now), context);
    return ALREADY_SENT;
  }
  return [
    route({ ...common, id: 'webtrigger.call', path, params, handler: (context, { params: named, raw }) => called(context, named, raw) }),
    route({
      ...common,
      id: 'webtrigger.call_below',
      path: `${path}/{path...}`,
      summary: 'The same with a path below the address, which the function gets as `userPath`',
      params: params.extend({ path: z.string() }),
      handler: (context, { params: named, raw }) => called(context, named, raw),
    }),
  ];
}

/** Whoever has left hears nothing. */
function send(response: ServerResponse, answer: WebtriggerAnswer, { requestId, call }: RequestContext<null>): void {
  if (response.destroyed) return;
  const headers: Record<string, string | readonly string[]> = { ...answer.headers, 'x-request-id': requestId };
  const fields = call.answerFields ?? [];
  for (let at = 0; at < fields.length; at += 2) headers[fields[at]!] = fields[at + 1]!;
  // RFC 9110 §8.6: none on a 204; a 304 has none of its own.
  if (answer.status !== 204 && answer.status !== 304) headers['content-length'] = String(answer.body.byteLength);
  if (answer.statusText !== null) response.statusMessage = answer.statusText;
  response.writeHead(answer.status, headers as Record<string, string | string[]>).end(answer.body);
}
