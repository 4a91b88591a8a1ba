import { httpErrors } from '@bulkhead/http';
import type { FunctionManifest } from '@bulkhead/protocol';
import { eventTypes } from '../../events/index.ts';

/** Throws `request.invalid` where a trigger of a manifest asks for a type of event that there is not. */
export function refuseUnknownEvents({ triggers = [] }: FunctionManifest): void {
  for (const [index, { events }] of triggers.entries())
    for (const [at, type] of events.entries())
      if (!Object.hasOwn(eventTypes, type))
        throw httpErrors('request.invalid', {
          field: `manifest.triggers.${index}.events.${at}`,
          params: { problem: `there is no such event; there are: ${Object.keys(eventTypes).join(', ')}` },
        });
}
