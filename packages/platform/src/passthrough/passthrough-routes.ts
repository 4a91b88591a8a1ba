import { ALREADY_SENT, type AnyRoute, type RawRequest } from '@bulkhead/http';
import { z } from 'zod';
import { type RequestContext, route } from '../access/index.ts';
import { accountIdOf, accountParams } from '../accounts/index.ts';
import { forwardCall, type ForwardOptions } from './forward-call.ts';
import { passthroughErrors } from './passthrough-errors.ts';
import { parseRawHeaders, withHeaders } from './request-headers.ts';
import { proxyTarget, rawUriTarget } from './target.ts';
import type { ForwardingPrincipal } from './token-limits.ts';
import { UpstreamLimits } from './upstream-limits.ts';

const COMMON = {
  credentials: ['api_key', 'bearer'],
  scope: null,
  rateClass: 'passthrough',
  audit: null,
  cors: true,
  bodyForm: 'stream',
  // The key is the upstream's: it is handed on with the other headers.
  idempotent: false,
  // Whatever the upstream answers.
  answers: {},
} as const;

/** A method by its token (RFC 9110 §9.1), but for those that speak to the proxy itself. */
function rawMethod(text: string | undefined): string {
  const method = (text ?? 'GET').trim().toUpperCase();
  if (/^[A-Z]{3,16}$/.test(method) && !['CONNECT', 'TRACE', 'TRACK', 'PRI'].includes(method)) return method;
  throw passthroughErrors('passthrough.header_malformed', {
    params: { header: 'X-Kloudless-Raw-Method', problem: 'is not a method that can be passed on' },
  });
}

function rawHeader({ message }: RawRequest, name: string): string | undefined {
  const value = message.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** `X-Bulkhead-Upstream-Limit: ignore`: the service is asked although it told the account to wait. */
function ignoresLimit(raw: RawRequest): boolean {
  return rawHeader(raw, 'x-bulkhead-upstream-limit')?.trim().toLowerCase() === 'ignore';
}

export function passthroughRoutes(options: ForwardOptions): AnyRoute[] {
  const parts = { ...options, limits: new UpstreamLimits(options.clock) };
  async function proxied(context: RequestContext<ForwardingPrincipal>, accountId: number, raw: RawRequest): Promise<typeof ALREADY_SENT> {
    await forwardCall(parts, context, {
      accountId,
      method: raw.message.method ?? 'GET',
      headers: raw.message.rawHeaders,
      message: raw.message,
      response: raw.response,
      ignoresLimit: ignoresLimit(raw),
      place: () => ({ target: proxyTarget(raw.target), isRelative: true }),
    });
    return ALREADY_SENT;
  }

  return [
    route({
      ...COMMON,
      id: 'passthrough.proxy',
      method: 'ANY',
      path: '/v1/accounts/{account_id}/proxy/{path...}',
      summary: "Call the upstream API with the account's credential; method, query, body and answer pass unchanged",
      params: accountParams.extend({ path: z.string() }),
      handler: (context, { params, raw }) => proxied(context, accountIdOf(context, params.account_id), raw),
    }),
    // The router knows no empty rest of a path.
    route({
      ...COMMON,
      id: 'passthrough.proxy_root',
      method: 'ANY',
      path: '/v1/accounts/{account_id}/proxy',
      summary: 'The same for the base URL of the API itself',
      params: accountParams,
      handler: (context, { params, raw }) => proxied(context, accountIdOf(context, params.account_id), raw),
    }),
    route({
      ...COMMON,
      credentials: ['install'],
      // The methods that change something need more, which is looked at with the call.
      scope: 'app:READ',
      cors: false,
      id: 'app_passthrough.proxy',
      method: 'ANY',
      path: '/t/{application_id}/rest/bulkhead/1/accounts/{account_id}/proxy/{path...}',
      summary: "Call the upstream API with an account's credential, as an App that is installed: READ reads, WRITE changes, DELETE deletes",
      params: z.object({ application_id: z.string(), account_id: z.string().regex(/^\d{1,16}$/), path: z.string() }),
      handler: (context, { params, raw }) => proxied(context, Number(params.account_id), raw),
    }),
    route({
      ...COMMON,
      credentials: ['invocation'],
      // The methods need what the App was granted, which is looked at with the call.
      scope: 'function:accounts:use',
      cors: false,
      id: 'function_runner.proxy',
      method: 'ANY',
      path: '/internal/functions/accounts/{account_id}/proxy/{path...}',
      summary: "For the runner: call the upstream API with an account's credential, for a call whose manifest may use accounts",
      params: z.object({ account_id: z.string().regex(/^\d{1,16}$/), path: z.string() }),
      handler: (context, { params, raw }) => proxied(context, Number(params.account_id), raw),
    }),
    route({
      ...COMMON,
      id: 'passthrough.raw',
      method: 'POST',
      path: '/v1/accounts/{account_id}/raw',
      summary: 'Call the upstream API, the address in X-Kloudless-Raw-URI, the method in X-Kloudless-Raw-Method',
      params: accountParams,
      handler: async (context, { params, raw }) => {
        const uri = rawHeader(raw, 'x-kloudless-raw-uri');
        if (uri === undefined || uri.trim() === '')
          throw passthroughErrors('passthrough.header_malformed', { params: { header: 'X-Kloudless-Raw-URI', problem: 'is missing' } });
        const query = raw.target.includes('?') ? raw.target.slice(raw.target.indexOf('?') + 1) : '';
        await forwardCall(parts, context, {
          accountId: accountIdOf(context, params.account_id),
          method: rawMethod(rawHeader(raw, 'x-kloudless-raw-method')),
          headers: withHeaders(raw.message.rawHeaders, parseRawHeaders(rawHeader(raw, 'x-kloudless-raw-headers'))),
          message: raw.message,
          response: raw.response,
          ignoresLimit: ignoresLimit(raw),
          place: (base) => rawUriTarget(query === '' ? uri : uri.trim() + (uri.includes('?') ? '&' : '?') + query, base),
        });
        return ALREADY_SENT;
      },
    }),
  ];
}
