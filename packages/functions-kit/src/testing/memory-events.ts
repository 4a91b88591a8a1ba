import type { ApplicationEvent } from '../events.ts';

export interface TestEvents {
  /** What `events` reads, oldest first. Absent: the manifest does not ask for `events:read`. */
  readonly events?: readonly ApplicationEvent[];
}

/** Answers what `events` asks of the host at a path; null where it is none of its. A cursor is the number of events before it. */
export function eventService({ events }: TestEvents, place: string): Response | null {
  const [, search] = /^\/events(?:\?(.*))?$/.exec(place) ?? [];
  if (!place.startsWith('/events') || (search === undefined && place !== '/events')) return null;
  if (events === undefined) return Response.json({ code: 'forbidden', message: 'this needs events:read' }, { status: 403 });
  const query = new URLSearchParams(search ?? '');
  const cursor = query.get('cursor') ?? '0';
  if (!/^\d{1,6}$/.test(cursor)) return Response.json({ code: 'not_found', message: 'not found' }, { status: 404 });
  const from = Number(cursor);
  const objects = events.slice(from, from + Number(query.get('page_size') ?? 100));
  const end = from + objects.length;
  return Response.json({ objects, cursor: String(end), remaining: Math.max(0, events.length - end) });
}
