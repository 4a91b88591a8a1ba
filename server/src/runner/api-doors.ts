import type { DoorRequest, DoorResponse, Doors } from '@bulkhead/sandbox';
import type { ApiClient } from './api-client.ts';

/** What `@bulkhead/functions-kit` calls; no name of the network ends so (RFC 9476 leaves `.internal` to private use). */
const HOST_SERVICES = 'http://host.bulkhead.internal';

/**
 * Hands on what leaves an instance to the api role, by the token of the call: what is kept, and requests to the outside, which are judged
 * there. The runner itself goes nowhere else.
 */
export function apiDoors(client: ApiClient, apiUrl: () => string): Doors {
  return (request) =>
    request.url.startsWith(`${HOST_SERVICES}/`) ? hostService(client, apiUrl(), request) : outside(client, apiUrl(), request);
}

interface HostService {
  readonly methods: 'POST' | 'GET' | 'any';
  /** What follows the host's name, path and query. */
  readonly form: RegExp;
}

/** What the host does for the code of its functions, each at `/internal/functions` of the api role under the same path. */
const SERVICES: readonly HostService[] = [
  { methods: 'POST', form: /^\/(?:storage|queue)$/ },
  { methods: 'GET', form: /^\/(?:accounts|events)(\?.*)?$/ },
  { methods: 'any', form: /^\/accounts\/\d{1,16}\/proxy\/.*$/ },
  { methods: 'GET', form: /^\/webtriggers\/[a-z][a-z0-9-]{0,62}$/ },
];

async function hostService(client: ApiClient, apiUrl: string, request: DoorRequest): Promise<DoorResponse> {
  const { method, token, body, signal } = request;
  const place = request.url.slice(HOST_SERVICES.length);
  const service = SERVICES.find(({ methods, form }) => (methods === 'any' || methods === method) && form.test(place));
  if (service === undefined) return { status: 404, headers: [], body: Buffer.from('The host has no such service'), denied: true };
  // What its fields say counts for the service of an account alone.
  const headers =
    service.methods === 'any' ? request.headers : service.methods === 'POST' ? ([['content-type', 'application/json']] as const) : [];
  const answer = await client.forward(apiUrl, `/internal/functions${place}`, { method, token, headers, body, signal });
  return service.methods === 'any' ? answer : { ...answer, headers: [['content-type', 'application/json']] };
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
