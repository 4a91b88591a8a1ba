import { askHost } from './host-service.ts';
import type { Json } from './storage-types.ts';

/** Something that happened in the Application (docs/reference/events.md). */
export interface ApplicationEvent {
  readonly id: string;
  /** Such as `account.connected`. */
  readonly type: string;
  /** Null: it concerns no one account. */
  readonly account: number | null;
  /** RFC 3339. */
  readonly created: string;
  readonly data: { readonly [field: string]: Json };
}

export interface EventPage {
  readonly events: readonly ApplicationEvent[];
  /** After the last of them: where the next page begins. */
  readonly cursor: string;
  /** How many there are after it by now. */
  readonly remaining: number;
}

/**
 * The events of the Application that its settings keep. The manifest asks for it under `permissions.scopes` with `events:read`. To be called with an event as it
 * happens, kept or not, a function has a trigger.
 */
export const events = {
  /**
   * Oldest first, from a cursor on; without one from the oldest that is kept. 100 at a time unless `limit` says otherwise, 1,000 at most. Throws
   * `HostError`: `forbidden`, `event.call_for_user`, `not_found` (a cursor that is none of this log).
   */
  async list({ cursor, limit = 100 }: { readonly cursor?: string; readonly limit?: number } = {}): Promise<EventPage> {
    const query = new URLSearchParams({ page_size: String(limit), ...(cursor === undefined ? {} : { cursor }) });
    const page = await askHost<{ objects: readonly ApplicationEvent[]; cursor: string; remaining: number }>(`events?${query}`);
    return {
      events: page.objects.map(({ id, type, account, created, data }) => ({ id, type, account, created, data })),
      cursor: page.cursor,
      remaining: page.remaining,
    };
  },
};
