import { type AnyRoute, openApi } from '@bulkhead/http';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { type OpenApiDocument, referencePage } from './reference-page.ts';

export const OPENAPI_DESCRIPTION =
  'One sealed Application per customer: connect accounts, call upstream services, exchange narrower tokens. Generated from the route registry.';

const SECURITY_SCHEMES = {
  meta_token: { type: 'http', scheme: 'bearer', description: 'Meta token (bhm_…): configuration of an organization.' },
  api_key: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: 'APIKey KEY (bhk_…): every account of one Application, server side only.',
  },
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'Access token (bha_…): one account. One that is bound to a key comes as "DPoP" with a proof (RFC 9449).',
  },
  client: {
    type: 'http',
    scheme: 'basic',
    description: 'OAuth client: client_id = Application id, client secret = an API key. Also as form fields or "Authorization: APIKey".',
  },
};

/** `/v1/openapi.json` and the page for people at `/v1/docs`, over all the other routes. */
export function openApiRoutes(routes: readonly AnyRoute[], publicUrl: () => string): AnyRoute[] {
  return [
    route({
      id: 'openapi.document',
      method: 'GET',
      path: '/v1/openapi.json',
      summary: 'This API as OpenAPI 3.1',
      credentials: [],
      scope: null,
      rateClass: 'page',
      audit: null,
      cors: true,
      answers: { 200: z.looseObject({ openapi: z.string() }) },
      handler: async () => ({ status: 200, body: openApiDocument(routes, publicUrl()) }),
    }),
    route({
      id: 'openapi.root',
      method: 'GET',
      path: '/',
      summary: 'The way to the reference, for whoever opens the bare address',
      credentials: [],
      scope: null,
      rateClass: 'page',
      audit: null,
      answers: { 302: null },
      handler: async () => ({ status: 302, headers: { location: '/v1/docs' } }),
    }),
    route({
      id: 'openapi.reference',
      method: 'GET',
      path: '/v1/docs',
      summary: 'This API as a page to read',
      credentials: [],
      scope: null,
      rateClass: 'page',
      audit: null,
      answers: { 200: null },
      handler: async () => referencePage(openApiDocument(routes, publicUrl()) as unknown as OpenApiDocument),
    }),
  ];
}

export function openApiDocument(routes: readonly AnyRoute[], serverUrl: string): Record<string, unknown> {
  return openApi(routes, {
    title: 'Bulkhead',
    version: '1.0.0',
    description: OPENAPI_DESCRIPTION,
    serverUrl,
    securitySchemes: SECURITY_SCHEMES,
  });
}
