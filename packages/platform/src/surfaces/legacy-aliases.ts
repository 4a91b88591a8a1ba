import type { AnyRoute } from '@bulkhead/http';

/** The same routes at the address where Kloudless's older clients (Python 1.x, Java 1.1) look for them: `/v1/applications…`. */
export function legacyAliases(routes: readonly AnyRoute[]): AnyRoute[] {
  const prefix = '/v1/meta/applications';
  return routes
    .filter((route) => route.path.startsWith(prefix))
    .map((route) => ({ ...route, id: `${route.id}.legacy`, path: `/v1/applications${route.path.slice(prefix.length)}` }));
}
