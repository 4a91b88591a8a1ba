import { createHmac } from 'node:crypto';
import { type Database, sql } from '@bulkhead/postgres';

/** A message as a service sends it. */
export interface Sent {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Sending {
  readonly secret: string;
  /** When it is sent. */
  readonly atMs: number;
  /** To where. */
  readonly url: string;
}

/** A service, written down a second time, from its documentation: what the table of schemes is tested against. */
export interface Sender {
  /** The header that proves it. */
  readonly proof: string;
  /** The header with the time, and for how many seconds a message is good; absent: the service signs no time. */
  readonly time?: { readonly header: string; readonly tolerance: number };
  /** Nothing is signed: the secret itself is sent. */
  readonly isToken?: true;
  /** No two messages can be told apart. */
  readonly isBell?: true;
  /** Something it may send; `n` makes it another thing than before. */
  readonly content: (n: string) => object;
  readonly send: (content: object, sending: Sending, n: string) => Sent;
}

const mac = (secret: string, encoding: 'hex' | 'base64', ...parts: readonly string[]): string =>
  createHmac('sha256', secret).update(parts.join('')).digest(encoding);
const JSON_TYPE = { 'content-type': 'application/json' };
const seconds = (ms: number): string => String(Math.floor(ms / 1000));

export const senders = {
  atlassian: {
    proof: 'x-hub-signature',
    content: (n) => ({ webhookEvent: 'jira:issue_updated', timestamp: n, user: { accountId: 'atlassian-1' } }),
    send: (content, { secret }) => {
      const body = JSON.stringify(content);
      return post(body, { 'x-hub-signature': `sha256=${mac(secret, 'hex', body)}`, 'x-atlassian-webhook-identifier': 'w-1' });
    },
  },
  box: {
    proof: 'box-signature-primary',
    time: { header: 'box-delivery-timestamp', tolerance: 600 },
    content: (n) => ({
      type: 'webhook_event',
      id: `box-${n}`,
      trigger: 'FILE.UPLOADED',
      created_by: { id: '1' },
      source: { owned_by: { id: 'box-1' } },
    }),
    send: (content, { secret, atMs }) => {
      const body = JSON.stringify(content);
      const time = new Date(atMs).toISOString();
      return post(body, {
        'box-delivery-id': 'f96bb54b',
        'box-delivery-timestamp': time,
        'box-signature-version': '1',
        'box-signature-algorithm': 'HmacSHA256',
        'box-signature-primary': mac(secret, 'base64', body, time),
      });
    },
  },
  dropbox: {
    proof: 'x-dropbox-signature',
    isBell: true,
    content: () => ({ list_folder: { accounts: ['dbid:1', 'dbid:2', 'dbid:nobody'] } }),
    send: (content, { secret }) => {
      const body = JSON.stringify(content);
      return post(body, { 'x-dropbox-signature': mac(secret, 'hex', body) });
    },
  },
  github: {
    proof: 'x-hub-signature-256',
    content: (n) => ({ ref: n, repository: { owner: { id: 7 } }, sender: { id: 1 } }),
    send: (content, { secret }, n) => {
      const body = JSON.stringify(content);
      return post(body, { 'x-github-event': 'push', 'x-github-delivery': n, 'x-hub-signature-256': `sha256=${mac(secret, 'hex', body)}` });
    },
  },
  gitlab: {
    proof: 'x-gitlab-token',
    isToken: true,
    content: (n) => ({ object_kind: 'push', checkout_sha: n, user_id: 4 }),
    send: (content, { secret }, n) => post(JSON.stringify(content), { 'x-gitlab-token': secret, 'idempotency-key': `key-${n}` }),
  },
  google: {
    proof: 'x-goog-channel-token',
    isToken: true,
    content: () => ({}),
    send: (_content, { secret }, n) => ({
      method: 'POST',
      headers: {
        'x-goog-channel-token': secret,
        'x-goog-channel-id': 'channel-1',
        'x-goog-message-number': String(n.length + [...n].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 0)),
        'x-goog-resource-id': 'resource-1',
        'x-goog-resource-state': 'update',
        'x-goog-changed': 'content',
      },
      body: '',
    }),
  },
  hubspot: {
    proof: 'x-hubspot-signature-v3',
    time: { header: 'x-hubspot-request-timestamp', tolerance: 300 },
    content: (n) => [
      { eventId: n, portalId: 62515, subscriptionType: 'contact.creation', attemptNumber: 0 },
      { eventId: `${n}b`, portalId: 62516, subscriptionType: 'contact.creation', attemptNumber: 0 },
    ],
    send: (content, { secret, atMs, url }) => {
      const body = JSON.stringify(content);
      return post(body, {
        'x-hubspot-request-timestamp': String(atMs),
        'x-hubspot-signature-v3': mac(secret, 'base64', 'POST', url, body, String(atMs)),
      });
    },
  },
  shopify: {
    proof: 'x-shopify-hmac-sha256',
    content: (n) => ({ id: 1, note: n }),
    send: (content, { secret }, n) => {
      const body = JSON.stringify(content);
      return post(body, {
        'x-shopify-topic': 'orders/create',
        'x-shopify-shop-domain': 'a-shop.myshopify.com',
        'x-shopify-webhook-id': n,
        'x-shopify-hmac-sha256': mac(secret, 'base64', body),
      });
    },
  },
  slack: {
    proof: 'x-slack-signature',
    time: { header: 'x-slack-request-timestamp', tolerance: 300 },
    content: (n) => ({
      type: 'event_callback',
      token: 'a-legacy-verification-token',
      team_id: 'T1',
      event_id: `Ev${n}`,
      event: { type: 'message', user: 'U9' },
      authorizations: [{ team_id: 'T1', user_id: 'U1' }],
    }),
    send: (content, { secret, atMs }) => {
      const body = JSON.stringify(content);
      const time = seconds(atMs);
      return post(body, { 'x-slack-request-timestamp': time, 'x-slack-signature': `v0=${mac(secret, 'hex', 'v0:', time, ':', body)}` });
    },
  },
  stripe: {
    proof: 'stripe-signature',
    // The time stands in the header of the signature itself.
    time: { header: 'stripe-signature', tolerance: 300 },
    content: (n) => ({
      id: `evt_${n}`,
      type: 'payment_intent.created',
      account: 'acct_1',
      data: { object: { client_secret: 'pi_1_secret_9' } },
    }),
    send: (content, { secret, atMs }) => {
      const body = JSON.stringify(content);
      const time = seconds(atMs);
      return post(body, { 'stripe-signature': `t=${time},v0=${'0'.repeat(64)},v1=${mac(secret, 'hex', time, '.', body)}` });
    },
  },
} as const satisfies Readonly<Record<string, Sender>>;

export type SenderId = keyof typeof senders;
export const senderIds = Object.keys(senders) as SenderId[];

function post(body: string, headers: Readonly<Record<string, string>>): Sent {
  return { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body };
}

/** The same message, later on its way, with the time it claims changed and nothing else. */
export function withTime(id: SenderId, sent: Sent, ms: number): Sent {
  const sender: Sender = senders[id];
  if (sender.time === undefined) throw new Error(`${id} signs no time`);
  const { header } = sender.time;
  const text =
    id === 'stripe'
      ? sent.headers[header]!.replace(/^t=\d+/, `t=${seconds(ms)}`)
      : id === 'box'
        ? new Date(ms).toISOString()
        : id === 'hubspot'
          ? String(ms)
          : seconds(ms);
  return { ...sent, headers: { ...sent.headers, [header]: text } };
}

/** How many rows each table has. */
export async function rowCounts(db: Database): Promise<Record<string, number>> {
  return db.withSystem('count all rows in a test', async (tx) => {
    const tables = await tx.query<{ name: string }>(sql`
      select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
         and has_table_privilege(oid, 'select') order by 1`);
    const found: Record<string, number> = {};
    for (const { name } of tables)
      found[name] = (await tx.one<{ count: number }>(sql`select count(*) as count from ${sql.identifier(name)}`)).count;
    return found;
  });
}
