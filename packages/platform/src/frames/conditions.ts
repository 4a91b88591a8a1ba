import { isDeepStrictEqual } from 'node:util';
import { type HostCondition, hostCondition, isRemoteCondition, type ModuleCondition } from '@bulkhead/protocol';
import type { Viewer } from './page-session.ts';

/** What a condition may ask about. */
export interface ConditionFacts {
  readonly viewer: Viewer;
  /** A property that the App keeps for the install; undefined where it has none of that key. */
  readonly property: (key: string) => Promise<unknown>;
  /** What the App says; null where it says nothing usable. */
  readonly remote: (url: string, params: Readonly<Record<string, string>>) => Promise<boolean | null>;
}

type Judge = (params: Readonly<Record<string, string>>, facts: ConditionFacts) => boolean | null | Promise<boolean | null>;

/** Conditions that are the same at every host. What only a product knows (`can_edit_issue`) cannot be told here. */
const JUDGES: Readonly<Record<HostCondition, Judge>> = {
  user_is_logged_in: (_params, { viewer }) => viewer.endUser !== null,
  user_is_admin: (_params, { viewer }) => viewer.isAdmin,
  // Who runs this host is nobody's end user.
  user_is_sysadmin: () => false,
  addon_is_licensed: () => true,
  feature_flag: () => false,
  entity_property_exists: ofApp((found) => found !== undefined),
  entity_property_equal_to: ofApp((found, params) => compared(params, found, isDeepStrictEqual)),
  entity_property_contains_any: ofApp((found, params) =>
    compared(params, found, (list, wanted) => listOf(wanted).some((each) => isIn(list, each))),
  ),
  entity_property_contains_all: ofApp((found, params) =>
    compared(params, found, (list, wanted) => listOf(wanted).every((each) => isIn(list, each))),
  ),
};

/** Whether a module may be shown: only where its conditions are known to hold. What cannot be told hides it, inverted or not. */
export async function mayShow(condition: ModuleCondition, facts: ConditionFacts): Promise<boolean> {
  return (await judged(condition, facts)) === true;
}

/** True, false, or null for what cannot be told (Kleene's three values). */
async function judged(condition: ModuleCondition, facts: ConditionFacts): Promise<boolean | null> {
  if ('joined' in condition) {
    const decides = condition.joined === 'or';
    let outcome: boolean | null = !decides;
    for (const each of condition.conditions) {
      const one = await judged(each, facts);
      if (one === decides) return decides;
      if (one === null) outcome = null;
    }
    return outcome;
  }
  const { condition: name, invert, params } = condition;
  const known = hostCondition(name);
  const one = isRemoteCondition(name) ? await facts.remote(name, params) : known === null ? null : await JUDGES[known](params, facts);
  return one === null ? null : one !== invert;
}

/**
 * Judges a property of the App, or the part of it that `objectName` (dotted) names; undefined where there is none. Properties of anything
 * else than the App cannot be told here.
 */
function ofApp(judge: (found: unknown, params: Readonly<Record<string, string>>) => boolean | null): Judge {
  return async (params, { property }) => {
    const { entity = 'addon', propertyKey, objectName = '' } = params;
    if ((entity !== 'addon' && entity !== 'app') || propertyKey === undefined) return null;
    let value = await property(propertyKey);
    for (const name of objectName === '' ? [] : objectName.split('.')) {
      const holds = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
      value = holds ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
    }
    return judge(value, params);
  };
}

/** `value` is JSON text. One that is not cannot be compared. */
function compared(
  { value }: Readonly<Record<string, string>>,
  found: unknown,
  compare: (found: unknown, wanted: unknown) => boolean,
): boolean | null {
  let wanted: unknown;
  try {
    wanted = JSON.parse(value ?? '');
  } catch {
    return null;
  }
  return found !== undefined && compare(found, wanted);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function isIn(found: unknown, wanted: unknown): boolean {
  return Array.isArray(found) && found.some((each) => isDeepStrictEqual(each, wanted));
}
