import { UsageError } from '../usage-error.ts';
import type { Keys, YamlFile } from '../yaml-file.ts';

/** `${NAME}` within any text of a manifest. */
const REFERENCE = /\$\{([^}]*)\}/g;

/**
 * The file with each `${NAME}` replaced: by the variable of the environment, or by the default that `environment.variables` declares. Throws
 * `UsageError` with line and column of each that is declared nowhere or has no value.
 */
export function interpolate(file: YamlFile, environment: Readonly<Record<string, string | undefined>>): YamlFile {
  const declared = declaredVariables(file.value);
  const problems: string[] = [];
  const replaced = (text: string, keys: Keys): string =>
    text.replaceAll(REFERENCE, (whole, name: string) => {
      const value = declared.has(name) ? (environment[name] ?? declared.get(name)) : undefined;
      if (value !== undefined) return value;
      const why = declared.has(name)
        ? `has no value: set it in the environment of this command, or give it a default`
        : `is not declared: add it to environment.variables`;
      problems.push(`${file.at(keys)}: ${whole} ${why}`);
      return whole;
    });
  const walk = (value: unknown, keys: Keys): unknown => {
    if (typeof value === 'string') return replaced(value, keys);
    if (Array.isArray(value)) return value.map((each, place) => walk(each, [...keys, place]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, walk(each, [...keys, name])]));
  };
  const value = walk(file.value, []);
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return { ...file, value };
}

/** Names to defaults; of what is not as it should be the reader tells later. */
function declaredVariables(manifest: unknown): ReadonlyMap<string, string | undefined> {
  const { environment } = (manifest ?? {}) as { environment?: { variables?: unknown } };
  const variables = Array.isArray(environment?.variables) ? (environment.variables as readonly unknown[]) : [];
  return new Map(
    variables.flatMap((each): [string, string | undefined][] => {
      if (typeof each === 'string') return [[each, undefined]];
      const { key, default: fallback } = (each ?? {}) as { key?: unknown; default?: unknown };
      return typeof key === 'string' ? [[key, typeof fallback === 'string' ? fallback : undefined]] : [];
    }),
  );
}
