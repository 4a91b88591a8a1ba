import { createHash } from 'node:crypto';
import type { Answer } from '@bulkhead/http';

interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly $ref?: string;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean; readonly schema: Schema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
  readonly 'x-scope'?: string;
  readonly 'x-audit'?: string;
}

export interface OpenApiDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly securitySchemes: Readonly<Record<string, { readonly description: string }>> };
}

const STYLE = `
:root{color-scheme:light dark;--ink:#17212b;--soft:#5b6875;--paper:#fff;--panel:#f4f6f8;--line:#dde3e8;--accent:#0b5c8a}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#9aa8b5;--paper:#12181e;--panel:#1a222a;--line:#2c3741;--accent:#6db9e8}}
*{box-sizing:border-box}body{margin:0;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 5rem}h1{margin:0 0 .25rem}h2{margin:2.5rem 0 .5rem;text-transform:capitalize;border-bottom:1px solid var(--line)}
a{color:var(--accent)}p{color:var(--soft)}code,summary code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}
nav ul{columns:12rem;padding-left:1.1rem}details{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;background:var(--panel)}
summary{cursor:pointer;padding:.6rem .8rem;display:flex;flex-wrap:wrap;gap:.35rem .75rem;align-items:baseline}summary:focus-visible,a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
summary span{color:var(--soft)}.method{font:700 .78rem ui-monospace,monospace;min-width:3.6rem;color:var(--accent)}
.body{padding:0 .9rem .9rem;border-top:1px solid var(--line)}h3{font-size:1rem;margin:1rem 0 .25rem}
ul.schema{list-style:none;margin:.2rem 0;padding-left:.9rem;border-left:2px solid var(--line)}ul.schema li{margin:.15rem 0}ul.schema em{color:var(--soft);font-style:normal}`;

const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The API reference for people: every route of the registry, readable without JavaScript. */
export function referencePage(document: OpenApiDocument): Answer<string> {
  const byTag = new Map<string, [path: string, method: string, operation: Operation][]>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods))
      byTag.set(operation.tags[0]!, [...(byTag.get(operation.tags[0]!) ?? []), [path, method, operation]]);
  }
  const credentials = Object.entries(document.components.securitySchemes).map(
    ([name, { description }]) => `<li><code>${escape(name)}</code> <em>${escape(description)}</em></li>`,
  );
  const sections = [...byTag].map(
    ([tag, operations]) =>
      `<h2 id="${escape(tag)}">${escape(tag.replaceAll('_', ' '))}</h2>${operations.map(([path, method, operation]) => operationHtml(path, method, operation)).join('')}`,
  );
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escape(document.info.title)} API</title><style>${STYLE}</style></head>
<body><main><h1>${escape(document.info.title)} API</h1><p>${escape(document.info.description)} <a href="/v1/openapi.json">OpenAPI 3.1 document</a></p>
<p>Base URL <code>${escape(document.servers[0]?.url ?? '')}</code></p><h3>Credentials</h3><ul class="schema">${credentials.join('')}</ul>
<nav aria-label="Resources"><ul>${[...byTag.keys()].map((tag) => `<li><a href="#${escape(tag)}">${escape(tag.replaceAll('_', ' '))}</a></li>`).join('')}</ul></nav>${sections.join('')}</main></body></html>`;
  return { status: 200, body: html, headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY } };
}

function operationHtml(path: string, method: string, operation: Operation): string {
  const who = operation.security.flatMap((one) => Object.keys(one));
  const body = Object.entries(operation.requestBody?.content ?? {});
  const parts = [
    `<h3>Credential</h3><p>${who.length === 0 ? 'none' : who.map((name) => `<code>${escape(name)}</code>`).join(' or ')}${operation['x-scope'] === undefined ? '' : `, scope <code>${escape(operation['x-scope'])}</code>`}</p>`,
    operation.parameters.length === 0
      ? ''
      : `<h3>Parameters</h3><ul class="schema">${operation.parameters.map(({ name, in: where, required, schema }) => property(name, schema, required, `in ${where}`)).join('')}</ul>`,
    ...body.map(([media, { schema }]) => `<h3>Body <code>${escape(media)}</code></h3>${schemaHtml(schema)}`),
    ...Object.entries(operation.responses).map(([status, { description, content }]) => {
      const schema = Object.values(content ?? {})[0]?.schema;
      return `<h3>${escape(status)} ${escape(description)}</h3>${schema === undefined || schema.$ref !== undefined ? '' : schemaHtml(schema)}`;
    }),
  ];
  return `<details id="${escape(operation.operationId)}"><summary><b class="method">${method.toUpperCase()}</b><code>${escape(path)}</code><span>${escape(operation.summary)}</span></summary><div class="body">${parts.join('')}</div></details>`;
}

function schemaHtml(schema: Schema, depth = 0): string {
  if (depth > 6) return '';
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length > 0)
    return `<ul class="schema">${properties.map(([name, inner]) => property(name, inner, schema.required?.includes(name) ?? false, '', depth)).join('')}</ul>`;
  if (schema.items !== undefined) return schemaHtml(schema.items, depth + 1);
  return [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].map((one) => schemaHtml(one, depth + 1)).join('');
}

function property(name: string, schema: Schema, required: boolean, where: string, depth = 0): string {
  const notes = [
    typeName(schema),
    where,
    required ? 'required' : '',
    schema.default === undefined ? '' : `default ${JSON.stringify(schema.default)}`,
    schema.description ?? '',
  ].filter((note) => note !== '');
  return `<li><code>${escape(name)}</code> <em>${escape(notes.join(' · '))}</em>${schemaHtml(schema, depth + 1)}</li>`;
}

function typeName(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.items !== undefined) return `list of ${typeName(schema.items)}`;
  const union = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  if (union.length > 0) return [...new Set(union.map(typeName))].join(' or ');
  return schema.type === undefined ? 'any' : [schema.type].flat().join(' or ');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
