/** No dot segments in any spelling, no backslash, no space, no fragment: two programs read the same path in it. */
export function isPlain(text: string): boolean {
  if (!/^[!"$-[\]-~]*$/.test(text)) return false;
  return !text
    .split('?')[0]!
    .split('/')
    .some((segment) => /^\.{1,2}$/.test(segment.replaceAll(/%2e/gi, '.')));
}

/** Where a path or address of a descriptor leads, and what of it lies behind `baseUrl`: what a qsh is made of. */
export interface AppTarget {
  /** The whole address. */
  readonly url: string;
  /** Path from its slash on, relative to `baseUrl`, and query, if there is one. */
  readonly target: string;
}

/** Null where `url` does not lie below `baseUrl` by whole segments, or the target is longer than `lengthMax` characters. */
export function appTarget(baseUrl: string, url: string, lengthMax = 400): AppTarget | null {
  const base = baseUrl.replace(/\/+$/, '');
  const target = url.startsWith('/') ? url : url.startsWith(`${base}/`) ? url.slice(base.length) : url === base ? '/' : null;
  if (target === null || target.startsWith('//') || target.length > lengthMax || !isPlain(target)) return null;
  return { url: base + target, target };
}
