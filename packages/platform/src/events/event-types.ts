import { z } from 'zod';

interface EventTypeDefinition<Schema extends z.ZodType = z.ZodType> {
  /** When it is written, for the reference. */
  readonly summary: string;
  /** Whether it belongs to an account or to the whole Application; `either`: to an account where one is known. */
  readonly of: 'account' | 'application' | 'either';
  readonly schema: Schema;
  readonly example: z.input<Schema>;
}

const eventType = <Schema extends z.ZodType>(definition: EventTypeDefinition<Schema>): EventTypeDefinition<Schema> => definition;

const service = z.string().max(200);
const endUser = z.string().max(255).nullable();
const connected = z.strictObject({ service, end_user: endUser });

/**
 * Every type of event, as data: docs/reference/events.md is made from it, and a test holds the code to it both ways. Whoever adds a
 * type appends it somewhere in the same change. `install.*` and `function.*` are kept for Apps and Functions.
 */
export const eventTypes = {
  'account.connected': eventType({
    summary: 'An account was connected for the first time: its code was redeemed, or it was imported.',
    of: 'account',
    schema: connected,
    example: { service: 'gdrive', end_user: 'user-17' },
  }),
  'account.reconnected': eventType({
    summary: 'An account that was there got new credentials: by a connect flow, an import or a PATCH.',
    of: 'account',
    schema: connected,
    example: { service: 'gdrive', end_user: 'user-17' },
  }),
  'account.broken': eventType({
    summary: 'The credential of an account can no longer be renewed; the account must be connected again.',
    of: 'account',
    schema: z.strictObject({ service, reason: z.string().max(200) }),
    example: { service: 'gdrive', reason: 'invalid_grant' },
  }),
  'account.deleted': eventType({
    summary: 'An account was disconnected. It is in the log of the Application only: the account has no address any more.',
    of: 'account',
    schema: z.strictObject({ service }),
    example: { service: 'gdrive' },
  }),
  'account.token_refreshed': eventType({
    summary: 'The upstream credential of an account was renewed.',
    of: 'account',
    schema: z.strictObject({ service }),
    example: { service: 'gdrive' },
  }),
  'inbound.received': eventType({
    summary:
      'A service sent a message that was verified; `GET /v1/inbound_messages/{message_id}` has its content. One that concerns several accounts is an event of each.',
    of: 'either',
    schema: z.strictObject({
      service,
      type: z.string().max(200).nullable(),
      message_id: z.string().max(100),
      delivery_id: z.string().max(200).nullable(),
    }),
    example: {
      service: 'github',
      type: 'push',
      message_id: 'inm0123456789ABCDEFGHIJKL',
      delivery_id: '72d3162e-cc78-11e3-81ab-4c9367dc0958',
    },
  }),
  'webhook.disabled': eventType({
    summary: 'A webhook was stopped: it failed for five days without one success (`failing`), or answered 410 (`gone`).',
    of: 'application',
    schema: z.strictObject({ webhook_id: z.string().max(100), reason: z.enum(['failing', 'gone']) }),
    example: { webhook_id: 'whk0123456789ABCDEFGHIJKL', reason: 'failing' },
  }),
  'application.updated': eventType({
    summary: 'Settings of the Application were changed, by a PATCH or by a sync with its template.',
    of: 'application',
    schema: z.strictObject({ fields: z.array(z.string().max(100)).max(50) }),
    example: { fields: ['name', 'branding'] },
  }),
  'application.cloned': eventType({
    summary: 'The Application was created as a copy of another. It is the first event of the clone.',
    of: 'application',
    schema: z.strictObject({ source: z.string().max(100) }),
    example: { source: 'appAAAAAAAAAAAAAAAAAAAAAA' },
  }),
  'application.deleted': eventType({
    summary: 'The Application was deleted. Its log goes with it, so no one can read this; a webhook may be told.',
    of: 'application',
    schema: z.strictObject({}),
    example: {},
  }),
} as const satisfies Readonly<Record<string, EventTypeDefinition>>;

export type EventType = keyof typeof eventTypes;
export type EventData<Type extends EventType> = z.input<(typeof eventTypes)[Type]['schema']>;
