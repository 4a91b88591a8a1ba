import { posix } from 'node:path';
import { type Finding, isTest, type SourceFile } from './source-file.ts';

/** The floor of each package; an import goes to a lower floor, never sideways, never up. */
const floors: Readonly<Record<string, number>> = {
  base: 0,
  protocol: 1,
  postgres: 1,
  http: 2,
  sandbox: 2,
  platform: 3,
  'functions-kit': 3,
  sdk: 3,
  'app-kit': 3,
  // Of the examples the one that the demo installs; it knows the kit alone.
  'example-installable-app': 3,
  demo: 4,
  testkit: 5,
  server: 5,
  cli: 6,
};

/** The slices of `packages/platform/src` from low to high; slices of one row do not know each other. */
const sliceRows: readonly (readonly string[])[] = [
  ['config', 'access', 'services', 'tasks'],
  ['audit', 'events', 'vault', 'deliveries'],
  ['developers'],
  ['applications'],
  ['accounts', 'webhooks', 'installs'],
  ['tokens', 'passthrough', 'inbound'],
  ['authorization', 'functions', 'incidents'],
  ['frames'],
  ['provisioning'],
  ['surfaces'],
  ['keys'],
  ['forget-past.ts'],
  ['platform.ts'],
  ['index.ts'],
];

/** What a package offers beside its face: for its users' tests, so that none of it is in their production. */
const sideDoors = new Set(['@bulkhead/app-kit/testkit', '@bulkhead/functions-kit/testing']);

const platformSource = 'packages/platform/src/';

/** Floors, slices and faces: arrows go down, and a package or slice is entered through its `index.ts` only. */
export function checkFloors(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  const owner = packageOf(file.path);
  const home = owner === null ? null : floors[owner];
  if (owner !== null && home === undefined && !isTest(file.path)) {
    findings.push({
      rule: 'floors',
      path: file.path,
      line: 1,
      text: `Package ${owner} has no floor yet: give it one in tests/lint/floors.ts.`,
    });
  }
  if (file.path.startsWith(platformSource) && !isTest(file.path) && sliceRank(sliceOf(file.path)) === -1) {
    findings.push({
      rule: 'slices',
      path: file.path,
      line: 1,
      text: `Slice ${sliceOf(file.path)} is not in the order: give it a row in tests/lint/floors.ts.`,
    });
  }
  for (const { specifier, line } of file.imports) {
    const found = specifier.startsWith('.')
      ? relativeImport(file.path, posix.normalize(posix.join(posix.dirname(file.path), specifier)))
      : packageImport(file.path, owner, specifier);
    if (found !== null) findings.push({ ...found, path: file.path, line });
  }
  return findings;
}

function packageImport(path: string, owner: string | null, specifier: string): Pick<Finding, 'rule' | 'text'> | null {
  const match = /^@bulkhead\/([^/]+)(\/.*)?$/.exec(specifier);
  if (match?.[1] === undefined) return null;
  const target = match[1];
  if (match[2] !== undefined && !sideDoors.has(specifier))
    return { rule: 'faces', text: `${specifier}: a package is entered through @bulkhead/${target} only.` };
  if (owner === null || (isTest(path) && target === 'testkit')) return null;
  const from = floors[owner];
  const to = floors[target];
  if (to === undefined) return { rule: 'floors', text: `Package ${target} has no floor yet: give it one in tests/lint/floors.ts.` };
  if (from === undefined || to < from) return null;
  return { rule: 'floors', text: `${owner} (floor ${from}) must not import ${target} (floor ${to}): arrows go down.` };
}

function relativeImport(path: string, target: string): Pick<Finding, 'rule' | 'text'> | null {
  const from = packageOf(path);
  const to = packageOf(target);
  if (from !== to && !target.startsWith('tests/')) {
    return { rule: 'faces', text: `${target} belongs to ${to ?? 'the root'}: import it by its package name, not by path.` };
  }
  if (!path.startsWith(platformSource) || !target.startsWith(platformSource)) return null;
  const home = sliceOf(path);
  const other = sliceOf(target);
  if (home === other) return null;
  const rest = target.slice(platformSource.length + other.length);
  if (rest !== '' && rest !== '/index.ts') return { rule: 'faces', text: `${other} is entered through ${other}/index.ts only.` };
  // A test beside the composition root may look anywhere below it.
  const homeRank = sliceRank(home);
  const otherRank = sliceRank(other);
  if (otherRank === -1 || (homeRank === -1 && isTest(path)) || otherRank < homeRank) return null;
  return { rule: 'slices', text: `${home} must not import ${other}: slices know only those in earlier rows.` };
}

/** `packages/http/src/x.ts` → `http`; `server/src/x.ts` → `server`; the root and `tests/` belong to nobody. */
function packageOf(path: string): string | null {
  const [first, second] = path.split('/');
  if (first === 'packages') return second ?? null;
  return first === 'server' || first === 'demo' ? first : null;
}

function sliceOf(path: string): string {
  return path.slice(platformSource.length).split('/')[0] ?? '';
}

function sliceRank(slice: string): number {
  return sliceRows.findIndex((row) => row.includes(slice));
}
