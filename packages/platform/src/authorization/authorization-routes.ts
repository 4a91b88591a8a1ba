import type { AnyRoute } from '@bulkhead/http';
import { authorizationDestination, authorizationDetails, pushedAuthorizationAnswer, pushedAuthorizationDetails } from '@bulkhead/protocol';
import { z } from 'zod';
import { type RequestContext, route } from '../access/index.ts';
import { chooseService, showFlow } from './choose-service.ts';
import { authorizationErrors } from './authorization-errors.ts';
import { RefusalLines } from './refusal-lines.ts';
import type { AuthorizationOptions, FlowParts } from './flow.ts';
import { FRAME_PAGE } from './pages/oob-result-page.ts';
import { pushAuthorizationRequest } from './push-authorization-request.ts';
import { receiveAuthorizationResponse } from './receive-authorization-response.ts';
import { recordThrown } from './record-refusal.ts';
import { startAuthorization } from './start-authorization.ts';
import { submitCredential } from './submit-credential.ts';
import { UpstreamServers } from './upstream-servers.ts';

/**
 * The parameters as documentation: every name with its description, every value as it came. They are judged one by one in a fixed
 * order, because what is wrong with one decides where that may be said.
 */
function documented(...shapes: readonly Readonly<Record<string, z.ZodType>>[]) {
  const fields = shapes
    .flatMap((shape) => Object.entries(shape))
    .map(([name, schema]): [string, z.ZodType] => [
      name,
      z
        .unknown()
        .optional()
        .meta({ description: schema.meta()?.description ?? '' }),
    ]);
  return z.looseObject(Object.fromEntries(fields));
}

const query = documented(authorizationDestination.shape, authorizationDetails.shape);
const pushedBody = documented(authorizationDestination.shape, authorizationDetails.shape, pushedAuthorizationDetails.shape);
const flowParams = z.object({ transaction: z.string() });
/** A form field; a repeated one counts as absent. */
const field = z.string().max(4096).optional().catch(undefined);

/** A HEAD must not begin, use up or end anything: link checkers send it. */
const NOTHING = { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } } as const;

/** The connect flow's own routes: authorization endpoint, pushed requests, pages, upstream callback. */
export function authorizationRoutes(given: AuthorizationOptions): AnyRoute[] {
  const options: FlowParts = { ...given, servers: new UpstreamServers(given.clock), refusalLines: new RefusalLines() };
  const page = { credentials: [], scope: null, rateClass: 'page', audit: null, errors: 'page' } as const;

  const authorize = (id: string, path: string) =>
    route({
      ...page,
      id,
      method: 'GET',
      path,
      summary: 'Authorization endpoint (RFC 6749 §3.1): begins connecting an account.',
      query,
      answers: { 200: null, 303: null },
      handler: async (context, input) => (context.call.method === 'HEAD' ? NOTHING : startAuthorization(options, context, input.query)),
    });

  const routes = [
    authorize('authorization.start', '/v1/oauth'),
    authorize('authorization.startServices', '/v1/oauth/services'),

    route({
      id: 'authorization.push',
      method: 'POST',
      path: '/v1/oauth/par',
      summary: 'Pushed authorization request (RFC 9126): names the end user, or an account to connect anew.',
      credentials: ['client'],
      scope: null,
      rateClass: 'oauth',
      audit: 'authorization.push',
      body: pushedBody,
      bodyForm: 'form-or-json',
      errors: 'oauth',
      answers: { 201: pushedAuthorizationAnswer },
      handler: async (context, { body }) => {
        const { requestUri, expiresIn } = await pushAuthorizationRequest(options, context, body);
        return { status: 201, body: { request_uri: requestUri, expires_in: expiresIn } };
      },
    }),

    route({
      ...page,
      id: 'authorization.show',
      method: 'GET',
      path: '/v1/oauth/authorize/{transaction}',
      summary: 'The page of a connect flow: the service chooser, or a credential form.',
      params: flowParams,
      query: z.object({ service: field }),
      answers: { 200: null },
      handler: (context, input) => showFlow(options, context, input.params.transaction, input.query.service),
    }),

    route({
      ...page,
      id: 'authorization.choose',
      method: 'POST',
      path: '/v1/oauth/authorize/{transaction}',
      summary: 'Chooses a service, or cancels.',
      params: flowParams,
      body: z.object({ service: field, cancel: field }),
      bodyForm: 'form-or-json',
      idempotent: false,
      answers: { 200: null, 303: null },
      handler: (context, input) => chooseService(options, context, input.params.transaction, input.body),
    }),

    route({
      ...page,
      id: 'authorization.submitCredential',
      method: 'POST',
      path: '/v1/oauth/authorize/{transaction}/credential',
      summary: 'Gives the credential of a service without OAuth.',
      params: flowParams,
      body: z.object({ service: field, api_key: field, username: field, password: field }),
      bodyForm: 'form-or-json',
      idempotent: false,
      answers: { 200: null, 303: null, 422: null },
      handler: (context, input) => submitCredential(options, context, input.params.transaction, input.body),
    }),

    route({
      ...page,
      id: 'authorization.callback',
      method: 'GET',
      path: '/v1/oauth/callback/{callback_id}',
      summary: 'Where a service sends the browser back to (RFC 6749 §4.1.2).',
      params: z.object({ callback_id: z.string() }),
      query: z.looseObject({}),
      answers: { 200: null, 303: null },
      handler: async (context, { params, raw }) => {
        if (context.call.method === 'HEAD') return NOTHING;
        if (raw.target.length > 16_384) throw authorizationErrors('authorization.flow_unknown');
        const at = raw.target.indexOf('?');
        return receiveAuthorizationResponse(
          options,
          context,
          params.callback_id,
          new URLSearchParams(at < 0 ? '' : raw.target.slice(at + 1)),
        );
      },
    }),

    route({
      ...page,
      id: 'authorization.frame',
      method: 'GET',
      path: '/static/iexd.html',
      summary: 'An empty page that the browser SDK puts into a hidden frame.',
      answers: { 200: null },
      handler: async () => ({
        status: 200,
        body: FRAME_PAGE.text,
        // The only page that may be framed: it is empty and does nothing.
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'",
          'cache-control': 'public, max-age=3600',
        },
      }),
    }),
  ];
  return routes.map((declared) => (declared.errors === 'page' ? recorded(options, declared) : declared));
}

/** Whatever a page refuses leaves a trace with the Application that its address names. */
function recorded(options: FlowParts, declared: AnyRoute): AnyRoute {
  return {
    ...declared,
    handler: async (context: RequestContext, input) => {
      try {
        return await declared.handler(context, input);
      } catch (thrown) {
        await recordThrown(options, context, thrown);
        throw thrown;
      }
    },
  };
}
