import { functionKey } from '@bulkhead/protocol';
import type { MapPart } from './mapped.ts';

/** What Forge calls `index.run` is `src/index.run` from the folder of the manifest. */
const SOURCE = 'src';

/** More than there is here; Forge counts all of a process, and here it is the heap. */
const MEMORY_MB_MAX = 2_048;

/** Functions under their keys, with their limits; what the operator allows, the server says. */
export const mapFunctions: MapPart = ({ manifest, report, mapped }) => {
  const memoryOfAll = manifest.app.runtime?.memoryMB;
  (manifest.modules?.function ?? []).forEach(({ key, handler, timeoutSeconds, runtime }, place) => {
    const at = ['modules', 'function', place];
    const { success, error } = functionKey.safeParse(key);
    if (!success) return report.problem([...at, 'key'], `modules.function.${place}.key: ${error.issues[0]?.message}`);
    if (handler.split('/').includes('..'))
      return report.problem([...at, 'handler'], `modules.function.${place}.handler: expected a file below src`);
    if (mapped.functions.some((other) => other.key === key))
      return report.problem([...at, 'key'], `modules.function.${place}.key: two functions have the key ${key}`);
    const memory = runtime?.memoryMB ?? memoryOfAll;
    const limits = {
      ...(timeoutSeconds === undefined ? {} : { timeout_seconds: timeoutSeconds }),
      ...(memory === undefined ? {} : { memory_mb: Math.min(memory, MEMORY_MB_MAX) }),
    };
    mapped.functions.push({
      key,
      handler: `${SOURCE}/${handler}`,
      limits: Object.keys(limits).length === 0 ? undefined : limits,
      as: 'function',
      module: key,
    });
    report.understood(`function ${key}`);
  });
};
