import { functionKey } from '@bulkhead/protocol';
import type { MapPart } from './mapped.ts';

/** What Forge calls `index.run` is `src/index.run` from the folder of the manifest. */
const SOURCE = 'src';

/** Functions under their keys. */
export const mapFunctions: MapPart = ({ manifest, report, mapped }) => {
  (manifest.modules?.function ?? []).forEach(({ key, handler }, place) => {
    const at = ['modules', 'function', place];
    const { success, error } = functionKey.safeParse(key);
    if (!success) return report.problem([...at, 'key'], `modules.function.${place}.key: ${error.issues[0]?.message}`);
    if (handler.split('/').includes('..'))
      return report.problem([...at, 'handler'], `modules.function.${place}.handler: expected a file below src`);
    if (mapped.functions.some((other) => other.key === key))
      return report.problem([...at, 'key'], `modules.function.${place}.key: two functions have the key ${key}`);
    mapped.functions.push({ key, handler: `${SOURCE}/${handler}`, as: 'function', module: key });
    report.understood(`function ${key}`);
  });
};
