import type { FunctionManifest } from '@bulkhead/protocol';
import { functionErrors } from './function-errors.ts';
import type { FunctionLimits } from './function-runner.ts';

/** Of a function whose manifest says nothing. */
export const FUNCTION_LIMITS: FunctionLimits = { timeoutSeconds: 25, cpuMs: 1_000, memoryMb: 128 };
/** What a manifest may ask for where the operator says nothing. */
export const FUNCTION_LIMITS_MAX: FunctionLimits = { timeoutSeconds: 55, cpuMs: 10_000, memoryMb: 256 };

/** Longest wait for a place, for its turn to start and for the start, with what it takes to say so. */
const BESIDES_MS = 30_000;

const FIELDS = { timeoutSeconds: 'timeout_seconds', cpuMs: 'cpu_ms', memoryMb: 'memory_mb' } as const;

/** What a call of a function may cost: what its manifest says, and no more than the operator allows now. */
export function limitsOf(manifest: FunctionManifest, functionKey: string, max: FunctionLimits): FunctionLimits {
  const said = manifest.functions.find(({ key }) => key === functionKey)?.limits;
  const limit = (name: keyof FunctionLimits) => Math.min(said?.[FIELDS[name]] ?? FUNCTION_LIMITS[name], max[name]);
  return { timeoutSeconds: limit('timeoutSeconds'), cpuMs: limit('cpuMs'), memoryMb: limit('memoryMb') };
}

/** How long the token of a call has to count: as long as the call may take, with its wait. In milliseconds. */
export function tokenLifetimeMs({ timeoutSeconds }: FunctionLimits): number {
  return timeoutSeconds * 1_000 + BESIDES_MS;
}

/** Throws `function.limit_too_high` where a manifest asks for more than the operator allows. */
export function refuseLimitsBeyond(manifest: FunctionManifest, max: FunctionLimits): void {
  for (const [index, { key, limits }] of manifest.functions.entries())
    for (const name of Object.keys(FIELDS) as (keyof FunctionLimits)[]) {
      const asked = limits?.[FIELDS[name]];
      if (asked === undefined || asked <= max[name]) continue;
      throw functionErrors('function.limit_too_high', {
        field: `manifest.functions.${index}.limits.${FIELDS[name]}`,
        params: { function: key, limit: FIELDS[name], asked, allowed: max[name] },
      });
    }
}
