import { functionOf, type MapPart } from './mapped.ts';

/** Forge spreads the calls of an interval over its installations; so does the jitter, up to an hour. */
const INTERVALS = {
  fiveMinute: { cron: '*/5 * * * *', jitter_seconds: 299 },
  hour: { cron: '0 * * * *', jitter_seconds: 3_599 },
  day: { cron: '0 0 * * *', jitter_seconds: 3_600 },
  week: { cron: '0 0 * * 0', jitter_seconds: 3_600 },
} as const;

/** Of Forge's events those of its own products begin so; events of this host are such as account.connected. */
const OWN_EVENT = /^[a-z_]+\.[a-z_]+$/;

/** Scheduled triggers, as cron. A call that failed is not made again: the next one comes. */
export const mapSchedules: MapPart = (parts) => {
  const schedules = (parts.manifest.modules?.scheduledTrigger ?? []).flatMap(({ key, function: calls, interval }, place) => {
    const at = ['modules', 'scheduledTrigger', place];
    const own = functionOf(parts, { type: 'scheduledTrigger', key, calls, as: 'scheduled', at });
    return own === null ? [] : [{ at, entry: { key, function: own, ...INTERVALS[interval], overlap: 'allow', retries: 0 } }];
  });
  parts.mapped.lists.set('schedules', schedules);
};

/** Consumers, as queues under the names that they consume. */
export const mapConsumers: MapPart = (parts) => {
  const queues = (parts.manifest.modules?.consumer ?? []).flatMap(({ key, queue, function: direct, resolver }, place) => {
    const at = ['modules', 'consumer', place];
    const method = resolver?.method;
    const options = method === undefined ? {} : { options: { method } };
    const own = functionOf(parts, { type: 'consumer', key, calls: direct ?? resolver?.function, as: 'consumer', at, ...options });
    return own === null ? [] : [{ at, entry: { key: queue, function: own } }];
  });
  parts.mapped.lists.set('queues', queues);
};

/** Triggers of events that this host has. */
export const mapTriggers: MapPart = (parts) => {
  const triggers = (parts.manifest.modules?.trigger ?? []).flatMap(({ key, function: calls, events }, place) => {
    const at = ['modules', 'trigger', place];
    const own = events.filter((event) => OWN_EVENT.test(event));
    if (own.length === 0) {
      parts.report.inert(at, `trigger ${key}`, `nothing here has an event ${events.join(', ')}`);
      return [];
    }
    for (const [index, event] of events.entries())
      if (!OWN_EVENT.test(event)) parts.report.inert([...at, 'events', index], `event ${event} of trigger ${key}`, 'nothing here has it');
    const called = functionOf(parts, { type: 'trigger', key, calls, as: 'trigger', at });
    return called === null ? [] : [{ at, entry: { key, events: own, function: called } }];
  });
  parts.mapped.lists.set('triggers', triggers);
};
