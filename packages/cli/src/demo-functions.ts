import { fileURLToPath } from 'node:url';
import type { DemoFunctions } from '@bulkhead/demo';

const EXAMPLE = fileURLToPath(new URL('../../../examples/tenant-function', import.meta.url));

/** The function of the demo's App, bundled when it is first deployed. */
export const demoFunctions: DemoFunctions = async () => {
  const { readFunctionSource } = await import('./function-source.ts');
  const { manifest, bundle } = await readFunctionSource(EXAMPLE, {});
  return { manifest, code: await bundle() };
};
