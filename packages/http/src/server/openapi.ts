import { z } from 'zod';
import type { AnyRoute } from './route.ts';

export interface OpenApiOptions {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  readonly serverUrl: string;
  /** Security scheme objects by credential kind. */
  readonly securitySchemes: Readonly<Record<string, object>>;
}

/** OpenAPI 3.1 from the registry: the whole reference, and nothing that is not served. */
export function openApi(routes: readonly AnyRoute[], options: OpenApiOptions): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/\{(\w+)\.\.\.\}$/, '{$1}');
    const methods = route.method === 'ANY' ? ['get', 'post', 'put', 'patch', 'delete'] : [route.method.toLowerCase()];
    for (const method of methods) {
      paths[path] ??= {};
      paths[path][method] = operation(route, route.method === 'ANY' ? `${route.id}.${method}` : route.id);
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: options.title,
      version: options.version,
      description: options.description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: options.serverUrl }],
    paths,
    components: { securitySchemes: options.securitySchemes, schemas: { Error: ERROR_SCHEMA } },
  };
}

const ERROR_SCHEMA = {
  type: 'object',
  properties: {
    status_code: { type: 'integer' },
    message: { type: 'string' },
    error_code: { type: 'string' },
    code: { type: 'string' },
    field: { type: 'string' },
    id: { type: 'string', description: 'The request id, also in X-Request-Id.' },
  },
  required: ['status_code', 'message', 'error_code', 'code', 'id'],
};

const TOO_MANY = {
  description: 'More requests than the quota of the caller; see x-rate-class.',
  headers: {
    'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } },
    RateLimit: { description: 'What is left: "class";r=REQUESTS;t=SECONDS until the quota is whole.', schema: { type: 'string' } },
    'RateLimit-Policy': { description: 'The quota: "class";q=REQUESTS;w=SECONDS.', schema: { type: 'string' } },
  },
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};

function operation(route: AnyRoute, operationId: string): Record<string, unknown> {
  const body = route.body as z.ZodType | undefined;
  const media = route.bodyForm === 'form-or-json' ? 'application/x-www-form-urlencoded' : 'application/json';
  return {
    operationId,
    summary: route.summary,
    tags: [route.id.split('.')[0]],
    ...(route.scope === null ? {} : { 'x-scope': route.scope }),
    'x-rate-class': route.rateClass,
    ...(route.audit === null ? {} : { 'x-audit': route.audit }),
    security: route.credentials.map((kind) => ({ [kind]: [] })),
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...(body
      ? { requestBody: { required: !body.safeParse({}).success, content: { [media]: { schema: jsonSchema(body, 'input') } } } }
      : {}),
    responses: {
      ...Object.fromEntries(Object.entries(route.answers).map(([status, schema]) => [status, answer(status, schema as z.ZodType | null)])),
      ...(route.credentials.length === 0 ? {} : { 429: TOO_MANY }),
      default: { description: 'Error', content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } },
    },
  };
}

function answer(status: string, schema: z.ZodType | null): Record<string, unknown> {
  const description = status.startsWith('3') ? 'Redirect' : 'Success';
  return schema ? { description, content: { 'application/json': { schema: jsonSchema(schema, 'output') } } } : { description };
}

function parameters(schema: z.ZodType | undefined, where: 'path' | 'query'): object[] {
  if (!schema) return [];
  const shape = jsonSchema(schema, 'input') as { properties?: Record<string, object>; required?: string[] };
  return Object.entries(shape.properties ?? {}).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || (shape.required ?? []).includes(name),
    schema: property,
  }));
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any' }) as Record<
    string,
    unknown
  >;
  return rest;
}
