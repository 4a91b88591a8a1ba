import { eventTypes } from '../events/index.ts';

/** A webhook as a descriptor has it, or as an App adds it: what is beyond `event` and `url` is whatever was written. */
interface WebhookModule {
  readonly event: string;
  readonly url: string;
  readonly excludeBody?: boolean | undefined;
  readonly filter?: unknown;
  readonly propertyKeys?: unknown;
}

/** Where it stands among the webhooks, and what is wrong with it. */
export interface WebhookFinding {
  readonly path: readonly [number, string];
  readonly problem: string;
}

const FIELDS = new Set(['key', 'name', 'event', 'url', 'filter', 'excludeBody', 'propertyKeys']);
const WARNINGS_MAX = 20;

export function isHostEvent(event: string): boolean {
  return Object.hasOwn(eventTypes, event);
}

/**
 * What keeps webhooks from being registered: fields that would have to change what is told, and cannot. A filter that nobody heeds sends an App
 * what it said it must not get. Of events that there are not here nothing is ever told, so there it does not matter.
 */
export function* refusedWebhooks(webhooks: readonly WebhookModule[]): Generator<WebhookFinding> {
  const seen = new Map<string, boolean>();
  for (const [index, { event, url, filter, propertyKeys, excludeBody }] of webhooks.entries()) {
    if (!isHostEvent(event)) continue;
    if (filter !== undefined && filter !== '' && filter !== null)
      yield {
        path: [index, 'filter'],
        problem: 'not heeded by this host; take it away, and leave out what is not wanted when the webhook comes',
      };
    if (propertyKeys !== undefined && propertyKeys !== null && !(Array.isArray(propertyKeys) && propertyKeys.length === 0))
      yield {
        path: [index, 'propertyKeys'],
        problem:
          'not heeded by this host, whose events have no entity properties; take it away, and ask for what is needed when the webhook comes',
      };
    // They are one lane of calls to the App, and each of its calls has a body or has none.
    const place = `${event} ${url}`;
    if (seen.has(place) && seen.get(place) !== (excludeBody === true))
      yield { path: [index, 'excludeBody'], problem: 'other than in another webhook of the same event and url; take one of them away' };
    seen.set(place, excludeBody === true);
  }
}

/** What keeps more webhooks from standing beside those that are there, by their place among the more. */
export function refusedBeside(
  held: readonly WebhookModule[],
  more: readonly WebhookModule[],
): { readonly index: number; readonly field: string; readonly problem: string }[] {
  return [...refusedWebhooks([...held, ...more])].flatMap(({ path: [index, field], problem }) =>
    index < held.length ? [] : [{ index: index - held.length, field, problem }],
  );
}

/** What of webhooks has no effect here, in sentences. At most 20. */
export function webhookWarnings(webhooks: readonly WebhookModule[]): string[] {
  return webhooks
    .flatMap((webhook, index) => {
      const at = `modules.webhooks.${index}`;
      if (!isHostEvent(webhook.event))
        return [`${at}: this host has no event ${JSON.stringify(webhook.event)}, so this webhook is never called.`];
      return Object.keys(webhook)
        .filter((field) => !FIELDS.has(field))
        .map((field) => `${at}.${field}: no host knows it.`);
    })
    .slice(0, WARNINGS_MAX);
}
