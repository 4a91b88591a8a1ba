/** A condition of a module, read: a name (or the address of a remote one), or several joined. */
export type ModuleCondition =
  | { readonly condition: string; readonly invert: boolean; readonly params: Readonly<Record<string, string>> }
  | { readonly joined: 'and' | 'or'; readonly conditions: readonly ModuleCondition[] };

/** Conditions that mean the same at every host. */
export const HOST_CONDITIONS = [
  'user_is_logged_in',
  'user_is_admin',
  'user_is_sysadmin',
  'addon_is_licensed',
  'feature_flag',
  'entity_property_exists',
  'entity_property_equal_to',
  'entity_property_contains_any',
  'entity_property_contains_all',
] as const;
export type HostCondition = (typeof HOST_CONDITIONS)[number];

/** Which of them a name is, also one of old (`addon_property_…`); null for what only a product knows, or its App. */
export function hostCondition(name: string): HostCondition | null {
  const named = name.replace(/^addon_property_/, 'entity_property_');
  return HOST_CONDITIONS.find((each) => each === named) ?? null;
}

/** Names that nobody but a product of its own knows, in the order they stand. */
export function unknownConditions(condition: ModuleCondition): string[] {
  if ('joined' in condition) return condition.conditions.flatMap(unknownConditions);
  const { condition: name } = condition;
  return isRemoteCondition(name) || hostCondition(name) !== null ? [] : [name];
}

/** Where in the text it stands, and what is wrong with it. */
export interface ConditionProblem {
  readonly path: readonly (string | number)[];
  readonly problem: string;
}

const DEPTH_MAX = 5;
const CONDITIONS_MAX = 50;
const REMOTE_MAX = 5;
const PARAMS_MAX = 20;

/** Whether it is asked of the App instead of being known here. */
export function isRemoteCondition(condition: string): boolean {
  return /^(?:https?:\/\/|\/)/i.test(condition);
}

/**
 * The conditions of a module, all of which must hold. Forms: `{condition, invert?, params?}`, `{and: […]}`, `{or: […]}`,
 * `{type: "and" | "or", conditions: […]}`; nested at most five deep, at most 50 in all, of them five remote.
 */
export function readConditions(listed: unknown): ModuleCondition | ConditionProblem {
  const counts = { all: 0, remote: 0 };
  return readJoined('and', listed ?? [], [], 1, counts);
}

interface Counts {
  all: number;
  remote: number;
}

function readJoined(
  joined: 'and' | 'or',
  listed: unknown,
  path: readonly (string | number)[],
  depth: number,
  counts: Counts,
): ModuleCondition | ConditionProblem {
  if (!Array.isArray(listed)) return { path, problem: 'not a list of conditions' };
  if (depth > DEPTH_MAX) return { path, problem: `nested more than ${DEPTH_MAX} deep; join fewer conditions` };
  const conditions: ModuleCondition[] = [];
  for (const [index, each] of (listed as unknown[]).entries()) {
    const read = readOne(each, [...path, index], depth, counts);
    if ('problem' in read) return read;
    conditions.push(read);
  }
  return { joined, conditions };
}

function readOne(value: unknown, path: readonly (string | number)[], depth: number, counts: Counts): ModuleCondition | ConditionProblem {
  counts.all += 1;
  if (counts.all > CONDITIONS_MAX) return { path, problem: `one of more than ${CONDITIONS_MAX} conditions; use fewer` };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { path, problem: 'not an object' };
  const { condition, invert, params, and, or, type, conditions } = value as Readonly<Record<string, unknown>>;
  if (and !== undefined) return readJoined('and', and, [...path, 'and'], depth + 1, counts);
  if (or !== undefined) return readJoined('or', or, [...path, 'or'], depth + 1, counts);
  if (conditions !== undefined) {
    const joined = typeof type === 'string' ? type.toLowerCase() : 'and';
    if (joined !== 'and' && joined !== 'or') return { path: [...path, 'type'], problem: 'neither "and" nor "or"' };
    return readJoined(joined, conditions, [...path, 'conditions'], depth + 1, counts);
  }
  if (typeof condition !== 'string' || condition === '' || condition.length > 200)
    return { path: [...path, 'condition'], problem: 'missing; give its name, or the address of a remote condition' };
  if (isRemoteCondition(condition) && (counts.remote += 1) > REMOTE_MAX)
    return { path: [...path, 'condition'], problem: `one of more than ${REMOTE_MAX} remote conditions; ask the App less often` };
  if (invert !== undefined && invert !== true && invert !== false && invert !== 'true' && invert !== 'false')
    return { path: [...path, 'invert'], problem: 'neither true nor false' };
  const read = readParams(params);
  if (read === null)
    return { path: [...path, 'params'], problem: `not an object of at most ${PARAMS_MAX} texts, each of at most 500 characters` };
  return { condition, invert: invert === true || invert === 'true', params: read };
}

function readParams(params: unknown): Readonly<Record<string, string>> | null {
  if (params === undefined || params === null) return {};
  if (typeof params !== 'object' || Array.isArray(params)) return null;
  const entries = Object.entries(params);
  if (entries.length > PARAMS_MAX) return null;
  const texts: [string, string][] = [];
  for (const [name, value] of entries) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) return null;
    const text = String(value);
    if (name.length > 100 || text.length > 500) return null;
    texts.push([name, text]);
  }
  return Object.fromEntries(texts);
}
