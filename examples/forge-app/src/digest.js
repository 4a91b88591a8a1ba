import { InvocationError } from '@forge/events';
import { kvs } from '@forge/kvs';

/** Called by the queue. The first attempt at a note named "later" asks for another. */
export async function consume({ body, eventId, retryContext }) {
  if (body.note === 'later' && retryContext === undefined) return new InvocationError({ retryAfter: 1, retryData: { eventId } });
  const notes = (await kvs.get('digest')) ?? [];
  await kvs.set('digest', [...notes, { note: body.note, attempts: (retryContext?.retryCount ?? 0) + 1 }]);
}

/** Called once a day. */
export async function tidy({ context }) {
  await kvs.set('tidied', context.moduleKey);
  await kvs.delete('digest');
}
