/** A path of a product's API, as `route` makes it. */
export interface Route {
  readonly value: string;
}

/** A path whose values are encoded, so that none of them leads elsewhere. */
export function route(parts: TemplateStringsArray, ...values: readonly unknown[]): Route {
  const value = parts.reduce((path, part, place) => {
    if (place === 0) return part;
    const given = values[place - 1];
    return path + (given instanceof URLSearchParams ? given.toString() : encodeURIComponent(String(given))) + part;
  }, '');
  return { value };
}

export function assumeTrustedRoute(path: string): Route {
  return { value: path };
}
