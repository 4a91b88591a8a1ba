import { z } from 'zod';

/** What sees the state that a call leaves in its process: the next calls of its installation, or nothing. */
export const functionIsolation = z
  .enum(['installation', 'call'])
  .meta({ description: '`call`: each call has a process of its own, which ends with it. Unset: `installation`.' });

/** What one call of a function may cost. The operator of a server may allow less than is possible here. */
export const functionLimits = z.strictObject({
  timeout_seconds: z.int().min(1).max(900).optional().meta({ description: 'Until its answer. Unset: 25.' }),
  cpu_ms: z.int().min(10).max(900_000).optional().meta({ description: 'Time of a processor. Unset: 1,000.' }),
  memory_mb: z.int().min(32).max(2_048).optional().meta({ description: 'Heap, in MiB. Unset: 128.' }),
});
