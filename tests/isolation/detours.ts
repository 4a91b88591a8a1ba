import type { AnyRoute } from '@bulkhead/http';
import { type Names, neverExisted, type Twin, type Twins } from '@bulkhead/testkit';
import { type Shown, valid } from './credentials.ts';
import type { Cell } from './matrix.ts';
import { namesIn, type Request } from './requests.ts';
import { type Row, rowsOf } from './rows.ts';

type Bend = (request: Request, names: Names) => Request;

const onPath =
  (change: (path: string, names: Names) => string): Bend =>
  (request, names) => {
    const [path = '', ...query] = request.path.split('?');
    return { ...request, path: [change(path, names), ...query].join('?') };
  };
const percentEncoded = (text: string): string => `%${text.charCodeAt(0).toString(16).padStart(2, '0')}${text.slice(1)}`;
const everyId = (change: (id: string) => string): Bend =>
  onPath((path, names) => {
    const ids = new Set(Object.values(names).map(encodeURIComponent));
    return path
      .split('/')
      .map((segment) => (ids.has(segment) ? change(segment) : segment))
      .join('/');
  });

/** The same request in other words, as somebody writes it who hopes that one check reads it otherwise than the next. */
const spellings: Readonly<Record<string, Bend>> = {
  'as HEAD': (request) => (request.method === 'GET' ? { ...request, method: 'HEAD' } : request),
  'with a slash at its end': onPath((path) => `${path}/`),
  'with a slash twice': onPath((path) => path.replace('/v1/', '/v1//')),
  'in capitals': onPath((path) => path.replace('/v1/', '/V1/')),
  'with an id in percent encoding': everyId(percentEncoded),
  'with an id that ends in a dot and a nought': everyId((id) => `${id}.0`),
  'with an id that begins with a nought': everyId((id) => `0${id}`),
  'with an id and a space': everyId((id) => `${id}%20`),
  'with an id and a NUL': everyId((id) => `${id}%00`),
  'with an id twice': everyId((id) => `${id},${id}`),
  'with an id in other case': everyId((id) => (id === id.toUpperCase() ? id.toLowerCase() : id.toUpperCase())),
  'with a step back': onPath((path) => path.replace(/\/v1\/(\w+)\//, '/v1/$1/%2e%2e/$1/')),
};

/** What rides along in a request that is in order: names of the other, where somebody may look for them. */
function stowaways(victim: Twin): Readonly<Record<string, Bend>> {
  const named = (names: Names) => ({
    application_id: names.application,
    client: names.application,
    organization_id: victim.organizationId,
    organization: victim.organizationId,
    source_application_id: names.application,
    credential_id: names.account,
    parent_id: names.application,
  });
  return {
    'in the query': (request, names) => ({
      ...request,
      path: `${request.path}${request.path.includes('?') ? '&' : '?'}${new URLSearchParams(named(names))}`,
    }),
    'in the body': (request, names) => {
      if (request.body instanceof URLSearchParams)
        return { ...request, body: new URLSearchParams([...request.body, ...Object.entries(named(names))]) };
      return typeof request.body === 'object' && request.body !== null
        ? { ...request, body: { ...request.body, ...named(names) } }
        : request;
    },
    'in headers': (request, names) => ({
      ...request,
      headers: {
        ...request.headers,
        'x-application-id': names.application,
        'x-bulkhead-application-id': names.application,
        'x-account-id': names.account,
        'x-original-url': `/v1/accounts/${names.account}`,
        'x-rewrite-url': `/v1/accounts/${names.account}`,
        'x-http-method-override': 'DELETE',
        cookie: victim.cookie,
      },
    }),
  };
}

function first(kind: string, twin: Twin): Shown {
  return valid(kind, twin)[0]!;
}

function* spelt(route: AnyRoute, row: Row, { stranger, sibling, victim }: Twins): Generator<Cell> {
  if (row.path === undefined || namesIn(row).length === 0) return;
  const missing = neverExisted(victim);
  for (const kind of route.credentials) {
    const twin = kind === 'meta_token' ? stranger : sibling;
    for (const [how, bend] of Object.entries(spellings))
      yield {
        route,
        row,
        shown: first(kind, twin),
        title: `${twin.title}'s ${kind}, the victim's places, ${how}`,
        victim: victim.names,
        missing,
        // A place that is no place, a method that is none, a form that is none: all say nothing of the victim.
        statuses: kind === 'install' ? [400, 401, 404, 405, 415, 422] : [400, 404, 405, 415, 422],
        challenged: false,
        bend,
      };
  }
}

function* riding(route: AnyRoute, row: Row, { stranger, sibling, victim }: Twins): Generator<Cell> {
  if (row.late !== undefined || row.browser) return;
  const missing = neverExisted(victim);
  for (const kind of route.credentials) {
    const twin = kind === 'meta_token' ? stranger : sibling;
    for (const [where, bend] of Object.entries(stowaways(victim)))
      yield {
        route,
        row,
        shown: first(kind, twin),
        title: `${twin.title}'s ${kind}, its own places, the victim's names ${where}`,
        victim: twin.names,
        missing: { ...twin.names },
        statuses: [200, 201, 202, 204, 302, 303, 400, 404, 405, 409, 422],
        challenged: false,
        // What is made is new each time; the pass-through's upstream says the query again.
        ...(route.method === 'GET' && !route.id.startsWith('passthrough.') ? {} : { alike: false }),
        // What rides along is the victim's, then what never existed.
        bend: (request, names) => bend(request, names === twin.names ? victim.names : missing),
      };
  }
}

/** Every way round: a foreign place in another spelling, and a foreign name that rides along. */
export function detourCells(routes: readonly AnyRoute[], twins: Twins): Cell[] {
  return routes.flatMap((route) => (rowsOf(route.id) ?? []).flatMap((row) => [...spelt(route, row, twins), ...riding(route, row, twins)]));
}

/** Everything that an Application's own credentials ask for, to be refused now that it is switched off, or gone, or they have expired. */
export function deadCells(routes: readonly AnyRoute[], twin: Twin, kinds: readonly string[]): Cell[] {
  const missing = neverExisted(twin);
  return routes.flatMap((route) =>
    route.credentials
      .filter((kind) => kinds.includes(kind))
      .flatMap((kind) =>
        (rowsOf(route.id) ?? []).flatMap((row) =>
          valid(kind, twin).map((shown) => ({
            route,
            row,
            shown,
            title: `${shown.title}, which is worth nothing any more`,
            victim: twin.names,
            missing,
            statuses: kind === 'meta_token' ? [404] : route.invalidToken === undefined ? [401] : [400, 401, 403],
            challenged: false,
          })),
        ),
      ),
  );
}
