import type { AnyRoute } from './route.ts';

export const ANY_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** What can be told of a target that found no route, or is only asked about (OPTIONS). */
export interface RoutePaths {
  /** The methods that a path has, for telling a wrong method from a wrong path; the same for everybody, whoever asks. */
  methods(target: string): string[];
  /** Whether browsers of other origins may call something there. */
  isOpen(target: string): boolean;
}

/** Asks every pattern in turn, so not for the requests that are served. */
export function routePaths(routes: readonly AnyRoute[]): RoutePaths {
  const known = routes.map((route) => {
    const methods = route.method === 'ANY' ? ANY_METHODS : route.method === 'GET' ? ['GET', 'HEAD'] : [route.method];
    return { form: pathForm(route), methods, isOpen: route.cors === true };
  });
  return {
    methods(target) {
      const path = pathOf(target);
      return [...new Set(known.filter(({ form }) => form.test(path)).flatMap(({ methods }) => methods))].sort();
    },
    isOpen(target) {
      const path = pathOf(target);
      return known.some(({ form, isOpen }) => isOpen && form.test(path));
    },
  };
}

function pathForm(route: AnyRoute): RegExp {
  return new RegExp(
    `^${route.path
      .replaceAll('.', '\\.')
      .replace(/\/?\{\w+(\\\.){3}\}$/, '(/.*)?')
      .replaceAll(/\{\w+\}/g, '[^/]+')}/?$`,
  );
}

function pathOf(target: string): string {
  return target.split('?')[0]!.replaceAll(/\/{2,}/g, '/');
}
