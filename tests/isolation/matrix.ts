import type { AnyRoute } from '@bulkhead/http';
import { type HttpAnswer, type Name, type Names, neverExisted, type Twin, type Twins, type World } from '@bulkhead/testkit';
import { headersOf, type Shown, valid, worthless } from './credentials.ts';
import { namesIn, type Request, requestOf } from './requests.ts';
import { type Row, rowsOf } from './rows.ts';

/** What may differ between two answers that say the same. */
const VOLATILE_HEADERS = new Set(['date', 'x-request-id', 'connection', 'keep-alive']);

const AT_ONCE = 6;

export interface Cell {
  readonly route: AnyRoute;
  readonly title: string;
  readonly shown: Shown;
  readonly row: Row;
  /** With something of the victim in its places, and with something that never existed. */
  readonly victim: Names;
  readonly missing: Names;
  readonly statuses: readonly number[];
  readonly challenged: boolean;
  /** Another way to write the request. */
  readonly bend?: (request: Request, names: Names) => Request;
  /** False where every answer is new (something is made), and the two cannot be alike. */
  readonly alike?: false;
}

/** An answer without what is new in every answer, and without the names that the request itself had brought. */
function comparable(answer: HttpAnswer, brought: readonly Name[], names: Names): string {
  const requestId = answer.headers.get('x-request-id') ?? 'no request id';
  const headers = [...answer.headers].filter(([name]) => !VOLATILE_HEADERS.has(name)).map(([name, value]) => `${name}: ${value}`);
  const text = [answer.status, ...headers.sort(), '', answer.text].join('\n');
  return brought
    .reduce((shorter, name) => shorter.replaceAll(names[name], `{${name}}`), text)
    .replaceAll(requestId, '{request id}')
    .replaceAll(/^(ratelimit: "\w+");r=\d+;t=\d+$/gm, '$1')
    .replaceAll(/nonce-[\w+/=-]+/g, 'nonce-{nonce}')
    .replaceAll(/nonce="[^"]*"/g, 'nonce="{nonce}"');
}

function send(world: World, request: Request, shown: Shown): Promise<HttpAnswer> {
  return world.call(request.method, request.path, {
    headers: headersOf(request, shown),
    ...(request.body === undefined ? {} : { body: request.body }),
  });
}

/** `own` with the victim's, then with what never existed, in every place alone and in all at once. */
function* mixtures(names: readonly Name[], own: Names, victim: Names, missing: Names): Generator<readonly [string, Names, Names]> {
  const places = names.length > 1 ? [...names.map((name) => [name]), names] : names.length === 1 ? [[...names]] : [];
  for (const taken of places) {
    const take = (from: Names): Names => ({ ...own, ...Object.fromEntries(taken.map((name) => [name, from[name]])) });
    yield [taken.join(' + '), take(victim), take(missing)];
  }
}

/** Judges cells a few at a time. */
export async function judgeAll(world: World, cells: readonly Cell[], canaries: readonly string[]): Promise<string[]> {
  const findings: string[] = [];
  for (let at = 0; at < cells.length; at += AT_ONCE) {
    const judged = await Promise.all(cells.slice(at, at + AT_ONCE).map((cell) => judge(world, cell, canaries)));
    findings.push(...judged.flat());
  }
  return findings;
}

/** Whom another Application's credential must not reach with which names. */
function reach(kind: string, twin: Twin, victim: Twin): (name: Name) => boolean {
  const sameOrganization = twin.organizationId === victim.organizationId;
  // A Meta token reaches all Applications of its organization, by their id; but nothing of one by way of another.
  if (kind === 'meta_token' && sameOrganization)
    return (name) => name !== 'application' && name !== 'app' && name !== 'clone' && name !== 'canary';
  return () => true;
}

function* foreignCells(route: AnyRoute, row: Row, twins: Twins): Generator<Cell> {
  const { victim } = twins;
  const names = namesIn(row).filter((name) => !row.open?.includes(name));
  const missing = neverExisted(victim);
  const statuses = row.foreign ?? [404];
  for (const twin of [twins.stranger, twins.sibling]) {
    for (const kind of route.credentials) {
      const within = names.filter(reach(kind, twin, victim));
      for (const [place, mine, never] of mixtures(within, twin.names, victim.names, missing)) {
        for (const shown of valid(kind, twin))
          yield {
            route,
            row,
            shown,
            title: `${shown.title}, the victim's ${place}`,
            victim: mine,
            missing: never,
            statuses,
            challenged: false,
          };
      }
    }
    if (route.credentials.length === 0) {
      const headers = row.browser ? { cookie: twin.cookie } : {};
      for (const name of names)
        yield {
          route,
          row,
          shown: { title: `${twin.title}'s browser`, headers },
          title: `${twin.title}'s browser, the victim's ${name}`,
          victim: { ...twin.names, [name]: victim.names[name] },
          missing: { ...twin.names, [name]: missing[name] },
          statuses,
          challenged: false,
        };
    }
  }
}

/** One account of the victim against another: a token reaches its own account only. */
function* housemateCells(route: AnyRoute, row: Row, { victim }: Twins): Generator<Cell> {
  if (!route.credentials.includes('bearer') || !namesIn(row).includes('account')) return;
  const shown = { title: "the victim's other account", headers: { authorization: `Bearer ${victim.names.second_access_token}` } };
  yield {
    route,
    row,
    shown,
    title: shown.title,
    victim: victim.names,
    missing: { ...victim.names, account: neverExisted(victim).account },
    statuses: row.foreign ?? [404],
    challenged: false,
  };
}

function* worthlessCells(route: AnyRoute, row: Row, { victim }: Twins): Generator<Cell> {
  if (route.credentials.length === 0) return;
  const missing = neverExisted(victim);
  for (const shown of worthless(route, victim)) {
    const statuses = shown.title === 'no credential' || route.invalidToken === undefined ? [401] : [400, 401, 403];
    yield { route, row, shown, title: shown.title, victim: victim.names, missing, statuses, challenged: !statuses.includes(400) };
  }
  const [good] = valid(route.credentials[0]!, victim);
  const inUrl = `${headersOf({ method: 'GET', path: '/', headers: {} }, good!)['authorization']}`.split(' ')[1]!;
  const elsewhere = { ...row, query: { ...row.query, access_token: inUrl } };
  yield {
    route,
    row: elsewhere,
    shown: { title: 'a token in the URL', headers: {} },
    title: 'a token in the URL',
    victim: victim.names,
    missing,
    statuses: [400, 401],
    challenged: false,
  };
}

/** A Meta token that may only read, at a route that writes: its own organization's Applications and foreign ones. */
function* narrowCells(route: AnyRoute, row: Row, twins: Twins): Generator<Cell> {
  if (!route.credentials.includes('meta_token') || route.scope === null || route.scope.endsWith(':read')) return;
  for (const twin of [twins.victim, twins.stranger]) {
    const shown = { title: `${twin.title}'s reading Meta token`, headers: { authorization: `Bearer ${twin.readingMetaToken}` } };
    const statuses =
      twin === twins.victim || !namesIn(row).some((name) => name in (row.path ?? {}) || name === 'application' || name === 'clone')
        ? [403]
        : [403, 404];
    // Within the own organization a child is never looked for: the answer is the same with every id below.
    const below = namesIn(row).filter((name) => twin !== twins.victim || (name !== 'application' && name !== 'clone'));
    const missing = neverExisted(twins.victim);
    const never = { ...twins.victim.names, ...Object.fromEntries(below.map((name) => [name, missing[name]])) } as Names;
    yield { route, row, shown, title: shown.title, victim: twins.victim.names, missing: never, statuses, challenged: false };
  }
}

/** Sends a cell's two requests and says what is wrong with the answers. */
export async function judge(world: World, cell: Cell, canaries: readonly string[]): Promise<string[]> {
  const { route, row, shown, statuses } = cell;
  const written = (names: Names): Request => cell.bend?.(requestOf(route, row, names), names) ?? requestOf(route, row, names);
  const [hit, miss] = (await Promise.all([cell.victim, cell.missing].map((names) => send(world, written(names), shown)))) as [
    HttpAnswer,
    HttpAnswer,
  ];
  const brought = namesIn(row);
  const [said, never] = [comparable(hit, brought, cell.victim), comparable(miss, brought, cell.missing)];
  const say = (problem: string) => `${route.id}: ${cell.title}: ${problem}`;
  const problems: string[] = [];
  if (!statuses.includes(hit.status)) problems.push(say(`answers ${hit.status}, not ${statuses.join(' or ')}: ${hit.text.slice(0, 300)}`));
  if (said !== never && !row.browser && cell.alike !== false)
    problems.push(say(`tells the victim's from what never existed:\n${said.slice(0, 800)}\n--- never existed ---\n${never.slice(0, 800)}`));
  if (cell.challenged && !hit.headers.has('www-authenticate')) problems.push(say('answers 401 without WWW-Authenticate'));
  const everything = hit.text + JSON.stringify([...hit.headers]);
  for (const canary of canaries)
    if (everything.includes(canary))
      problems.push(
        say(
          `holds the victim's canary: ${everything.slice(Math.max(0, everything.indexOf(canary) - 200), everything.indexOf(canary) + 100)}`,
        ),
      );
  return problems;
}

function isAlias({ id }: AnyRoute): boolean {
  return id.endsWith('.legacy') || id.endsWith('.service_keys');
}

/** The routes that nobody wrote a row for. */
export function routesWithoutRow(routes: readonly AnyRoute[]): string[] {
  return routes.filter(({ id }) => rowsOf(id) === null).map(({ id, method, path }) => `${id} (${method} ${path})`);
}

/**
 * Every attack of the matrix, or only those by live credentials of others (which is what a broken database would show). Each finding is a
 * sentence; none is the answer that lets a build pass.
 */
export async function attack(
  world: World,
  twins: Twins,
  routes: readonly AnyRoute[],
  by: 'everybody' | 'strangers' = 'everybody',
): Promise<{ readonly findings: readonly string[]; readonly cells: number }> {
  const findings: string[] = [];
  let cells = 0;
  for (const route of routes) {
    for (const row of rowsOf(route.id) ?? []) {
      const worst = by === 'strangers' ? [] : [...worthlessCells(route, row, twins)];
      // An alias has the handler and the credentials of what it is an alias of; that it is guarded at all is told by less.
      const all = [
        ...foreignCells(route, row, twins),
        ...housemateCells(route, row, twins),
        ...narrowCells(route, row, twins),
        ...(isAlias(route) ? worst.slice(0, 3) : worst),
      ];
      cells += all.length;
      findings.push(...(await judgeAll(world, all, [twins.victim.canary])));
    }
  }
  return { findings, cells };
}

/** The owner's own calls, without which a refusal proves nothing: a request that is wrong for everybody is refused to everybody. `over`: routes whose things the attack may have ended. */
export async function ownersCalls(
  world: World,
  twin: Twin,
  routes: readonly AnyRoute[],
  others: readonly Twin[],
  over: readonly string[] = [],
): Promise<string[]> {
  const calls = routes
    .flatMap((route) => (rowsOf(route.id) ?? []).map((row) => ({ route, row })))
    // What a route has ended its alias cannot end again.
    .filter(({ route, row }) => !over.includes(route.id) && (row.late === undefined || !route.id.endsWith('.legacy')))
    .sort((left, right) => (left.row.late ?? 0) - (right.row.late ?? 0));
  const findings: string[] = [];
  for (const { route, row } of calls) {
    const kinds = row.late === undefined ? route.credentials : route.credentials.slice(0, 1);
    const shown =
      kinds.length === 0
        ? [{ title: 'anybody', headers: row.browser ? { cookie: twin.cookie } : {} }]
        : kinds.flatMap((kind) => valid(kind, twin).slice(0, 1));
    for (const each of shown) {
      const answer = await send(world, requestOf(route, row, twin.names), each);
      if (answer.status !== row.own && !(answer.status === 409 && row.own === 201))
        findings.push(`${route.id}: ${each.title}: answers ${answer.status}, not ${row.own}: ${answer.text.slice(0, 300)}`);
      for (const other of others)
        if (answer.text.includes(other.canary)) findings.push(`${route.id}: ${each.title}: holds the canary of the ${other.title}`);
    }
  }
  return findings;
}
