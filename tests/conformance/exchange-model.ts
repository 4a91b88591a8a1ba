import fc from 'fast-check';

/** Limits as a request writes them: absent means unlimited. */
export interface Limits {
  readonly methods?: readonly string[];
  readonly path_prefix?: string;
  readonly origins?: readonly string[];
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly origin: string | undefined;
}

/** What one exchange asks for. */
export interface Step {
  /** `narrow`: made from the subject's own limits by taking something away, so it must be granted. */
  readonly details:
    | { readonly kind: 'inherit' }
    | { readonly kind: 'any'; readonly limits: readonly Limits[] }
    | { readonly kind: 'narrow'; readonly cut: Limits };
  readonly scope: string | undefined;
  readonly expiresIn: number | undefined;
  /** Which key the request proves to hold: none, or one of two. */
  readonly key: 0 | 1 | 2;
}

/** What a scope of one service leaves: every call, those that only read, or none. */
export type Reach = 0 | 1 | 2;

const METHODS = ['GET', 'POST', 'DELETE'] as const;
const PATHS = ['/', '/a', '/a/b', '/a/b/c', '/ab', '/a-b', '/a%2Fb', '/A', '/b', '/b/a'] as const;
const ORIGINS = [undefined, 'https://one.example', 'https://two.example'] as const;

/** Every call that the limits of this test can tell apart. */
export const CALLS: readonly Call[] = METHODS.flatMap((method) =>
  PATHS.flatMap((path) => ORIGINS.map((origin) => ({ method, path, origin }))),
);

const limits: fc.Arbitrary<Limits> = fc.record(
  {
    methods: fc.subarray([...METHODS], { minLength: 1 }),
    path_prefix: fc.constantFrom(...PATHS),
    origins: fc.subarray(['https://one.example', 'https://two.example'], { minLength: 1 }),
  },
  { requiredKeys: [] },
);

export const step: fc.Arbitrary<Step> = fc.record({
  details: fc.oneof(
    { weight: 2, arbitrary: fc.constant({ kind: 'inherit' as const }) },
    { weight: 3, arbitrary: limits.map((cut) => ({ kind: 'narrow' as const, cut })) },
    { weight: 3, arbitrary: fc.array(limits, { minLength: 1, maxLength: 3 }).map((list) => ({ kind: 'any' as const, limits: list })) },
  ),
  scope: fc.option(
    fc.constantFrom(
      'any',
      'all',
      'harbour',
      'harbour:admin',
      'harbour:all.all',
      'harbour.raw',
      'harbour.all.read',
      'harbour.basic',
      'any.basic',
      'gdrive.storage',
    ),
    { nil: undefined, freq: 2 },
  ),
  expiresIn: fc.option(fc.integer({ min: 1, max: 200_000 }), { nil: undefined }),
  key: fc.constantFrom(0, 0, 1, 1, 2) as fc.Arbitrary<0 | 1 | 2>,
});

/** Whether the limits let the call pass, written anew from the public contract and not from the code under test. */
export function permits(details: readonly Limits[] | null, call: Call): boolean {
  return details === null || details.some((each) => permitsOne(each, call));
}

function permitsOne({ methods, path_prefix: prefix, origins }: Limits, { method, path, origin }: Call): boolean {
  if (methods !== undefined && !methods.includes(method)) return false;
  if (origins !== undefined && (origin === undefined || !origins.includes(origin))) return false;
  return prefix === undefined || prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
}

/** The limits that this step asks for, given those of its subject; undefined where it asks for none. */
export function asked({ details }: Step, held: readonly Limits[] | null): readonly Limits[] | undefined {
  if (details.kind === 'inherit') return undefined;
  if (details.kind === 'any') return details.limits;
  if (held === null) return [details.cut];
  const [first = {}] = held;
  const cut = { ...details.cut };
  const common = (mine: readonly string[] | undefined, theirs: readonly string[] | undefined) =>
    theirs === undefined ? mine : (mine?.filter((each) => theirs.includes(each)) ?? theirs);
  const methods = common(cut.methods, first.methods);
  const origins = common(cut.origins, first.origins);
  const prefix = first.path_prefix === undefined ? cut.path_prefix : under(cut.path_prefix, first.path_prefix);
  return [
    {
      ...(methods === undefined ? {} : { methods: methods.length === 0 ? [...(first.methods ?? [])] : methods }),
      ...(origins === undefined ? {} : { origins: origins.length === 0 ? [...(first.origins ?? [])] : origins }),
      ...(prefix === undefined ? {} : { path_prefix: prefix }),
    },
  ];
}

function under(inner: string | undefined, outer: string): string {
  return inner !== undefined && (outer === '/' || inner === outer || inner.startsWith(`${outer}/`)) ? inner : outer;
}

/** How far a scope text reaches, by the public grammar: only `basic` is nothing, only `read` is reading. */
export function reachOf(scope: string): Reach {
  const tokens = scope.split(' ').filter((token) => !/^[^.]+\.basic(\.|$)/.test(token));
  if (tokens.length === 0) return 0;
  return tokens.every((token) => /\.read(:kloudless)?$/.test(token)) ? 1 : 2;
}

export function reaches(reach: Reach, { method }: Call): boolean {
  return reach === 2 || (reach === 1 && method === 'GET');
}
