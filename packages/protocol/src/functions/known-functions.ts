import type { z } from 'zod';

/** The lists of a manifest whose entries name a function. */
const CALLERS = ['webtriggers', 'queues', 'schedules', 'triggers'] as const;

interface Named {
  readonly functions: readonly { readonly key: string }[];
}

/** Refuses an entry that names a function which the manifest does not have. */
export function refuseUnknownFunctions(
  manifest: Named & Readonly<Partial<Record<(typeof CALLERS)[number], readonly { function: string }[] | undefined>>>,
  context: z.RefinementCtx,
): void {
  const known = new Set(manifest.functions.map(({ key }) => key));
  for (const list of CALLERS)
    for (const [index, entry] of (manifest[list] ?? []).entries())
      if (!known.has(entry.function))
        context.addIssue({
          code: 'custom',
          path: [list, index, 'function'],
          message: `there is no function "${entry.function}" in this manifest`,
        });
}
