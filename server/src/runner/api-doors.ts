import type { DoorRequest, DoorResponse, Doors } from '@bulkhead/sandbox';
import type { ApiClient } from './api-client.ts';

/** What `@bulkhead/functions-kit` calls; no name of the network ends so (RFC 9476 leaves `.internal` to private use). */
const HOST_SERVICES = 'http://host.bulkhead.internal';
/** Each is the route of its name below /internal/functions. */
const SERVICES: ReadonlySet<string> = new Set(['storage', 'queue']);

/**
 * Hands on what leaves an instance to the api role, by the token of the call: what is kept, and requests to the outside, which are judged
 * there. The runner itself goes nowhere else.
 */
export function apiDoors(client: ApiClient, apiUrl: () => string): Doors {
  return (request) =>
    request.url.startsWith(`${HOST_SERVICES}/`) ? hostService(client, apiUrl(), request) : outside(client, apiUrl(), request);
}

async function hostService(client: ApiClient, apiUrl: string, { url, method, token, body, signal }: DoorRequest): Promise<DoorResponse> {
  const service = url.slice(HOST_SERVICES.length + 1);
  if (!SERVICES.has(service) || method !== 'POST')
    return { status: 404, headers: [], body: Buffer.from('The host has no such service'), denied: true };
  const answer = await client.call(`${apiUrl}/internal/functions/${service}`, { method: 'POST', token, body, signal });
  return { status: answer.status, headers: [['content-type', 'application/json']], body: answer.body };
}

async function outside(client: ApiClient, apiUrl: string, request: DoorRequest): Promise<DoorResponse> {
  const { url, method, headers, token, signal } = request;
  const body = Buffer.from(JSON.stringify({ url, method, headers, body: request.body.toString('base64') }));
  const answer = await client.call(`${apiUrl}/internal/functions/fetch`, { method: 'POST', token, body, signal });
  const said = JSON.parse(answer.body.toString('utf8')) as {
    status?: number;
    headers?: [string, string][];
    body?: string;
    code?: string;
    message?: string;
  };
  if (answer.status === 200 && said.status !== undefined)
    return { status: said.status, headers: said.headers ?? [], body: Buffer.from(said.body ?? '', 'base64') };
  const isRefused = said.code === 'function.egress_undeclared' || said.code === 'egress.refused' || said.code === 'egress.url_invalid';
  return {
    status: isRefused ? 403 : 502,
    headers: [],
    body: Buffer.from(said.message ?? 'The request could not be made'),
    denied: isRefused,
  };
}
