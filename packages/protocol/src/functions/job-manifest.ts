import { z } from 'zod';
import { functionKey } from './function-key.ts';
import { nextTick } from './cron.ts';

/** Of a queue, a schedule or a trigger. */
export const jobSourceKey = z
  .string()
  .regex(/^[a-z][A-Za-z0-9_-]{0,62}$/, 'expected a letter in lower case, then letters, digits, - or _, 63 at most');

/** Attempts after the first. */
const retries = z.int().min(0).max(10);

const queue = z.strictObject({
  key: jobSourceKey,
  function: functionKey,
  retries: retries.optional(),
  concurrency: z.int().min(1).max(16).optional(),
});

const timeZone = z
  .string()
  .max(64)
  .refine((name) => {
    try {
      return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
    } catch {
      return false;
    }
  }, 'expected a time zone such as Europe/Berlin');

const schedule = z
  .strictObject({
    key: jobSourceKey,
    function: functionKey,
    cron: z
      .string()
      .max(100)
      .regex(/^\S+( +\S+){4}$/, 'expected five fields: minute, hour, day of month, month, day of week'),
    timezone: timeZone.optional(),
    jitter_seconds: z.int().min(0).max(3_600).optional(),
    overlap: z.enum(['skip', 'queue', 'allow']).optional(),
    retries: retries.optional(),
  })
  .refine(({ cron, timezone }) => nextTick({ cron, timezone }, new Date()) !== null, {
    message: 'expected a time that comes',
    path: ['cron'],
  });

const trigger = z.strictObject({
  key: jobSourceKey,
  events: z
    .array(
      z
        .string()
        .max(100)
        .regex(/^[a-z_]+\.[a-z_]+$/, 'expected a type of event such as account.connected'),
    )
    .min(1)
    .max(50),
  function: functionKey,
  retries: retries.optional(),
});

const distinct = (declared: readonly { readonly key: string }[]): boolean =>
  new Set(declared.map(({ key }) => key)).size === declared.length;

/** What calls functions in the background. Each refers to a function of the same manifest. */
export const jobSources = {
  queues: z.array(queue).max(50).refine(distinct, 'two queues have the same key').optional(),
  schedules: z.array(schedule).max(50).refine(distinct, 'two schedules have the same key').optional(),
  triggers: z.array(trigger).max(50).refine(distinct, 'two triggers have the same key').optional(),
};

export type DeclaredQueue = z.output<typeof queue>;
export type DeclaredSchedule = z.output<typeof schedule>;
export type DeclaredTrigger = z.output<typeof trigger>;
