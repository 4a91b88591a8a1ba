import type { Log } from '@bulkhead/base';
import type { Client, Notification } from 'pg';
import { connect, type ConnectionUrl, cutConnection } from './connection.ts';
import { fromDriver } from './database-errors.ts';
import { quoteIdentifier } from './sql.ts';

export interface ListenOptions {
  /** Called when the connection is lost: from here on nothing is heard. */
  readonly onLost?: () => void;
  /** Called once the connection is back after a loss: what was notified in between is gone, so read the tables again. */
  readonly onReconnect?: () => void;
}

export interface Listening {
  close(): Promise<void>;
}

interface Subscriber extends ListenOptions {
  readonly channel: string;
  readonly onPayload: (payload: string) => void;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 1_000;
const CONNECT_MS = 3_000;
const HEARTBEAT_MS = 5_000;
const GOODBYE_MS = 2_000;

/** One connection of its own that hears NOTIFY for everyone in this process, and comes back when it is lost. */
export class Listener {
  readonly #url: ConnectionUrl;
  readonly #log: Log;
  readonly #heartbeatMs: number;
  readonly #subscribers = new Set<Subscriber>();
  #client: Promise<Client> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #closed = false;

  /** `heartbeatMs`: how often it is asked whether the server is still there, and how long the answer may take. */
  constructor(url: ConnectionUrl, log: Log, heartbeatMs = HEARTBEAT_MS) {
    this.#url = url;
    this.#log = log;
    this.#heartbeatMs = heartbeatMs;
  }

  /** Resolves once the server has acknowledged. Throws `database.unavailable` where there is no connection to begin with. */
  async listen(channel: string, onPayload: (payload: string) => void, options: ListenOptions = {}): Promise<Listening> {
    const subscriber: Subscriber = { channel, onPayload, ...options };
    this.#subscribers.add(subscriber);
    try {
      const client = await (this.#client ??= this.#connect());
      await client.query(`listen ${quoteIdentifier(channel)}`);
    } catch (error) {
      this.#subscribers.delete(subscriber);
      throw fromDriver(error);
    }
    return { close: () => this.#leave(subscriber) };
  }

  /** Ends the connection; nobody hears anything any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#subscribers.clear();
    clearTimeout(this.#retry);
    clearInterval(this.#heartbeat);
    const client = await this.#client?.catch(() => undefined);
    if (client === undefined) return;
    const enough = setTimeout(() => cutConnection(client), GOODBYE_MS);
    await client.end().finally(() => clearTimeout(enough));
  }

  async #leave(subscriber: Subscriber): Promise<void> {
    this.#subscribers.delete(subscriber);
    const isStillWanted = [...this.#subscribers].some((other) => other.channel === subscriber.channel);
    if (isStillWanted || this.#closed) return;
    const client = await this.#client?.catch(() => undefined);
    // A connection that has gone has stopped listening already.
    await client?.query(`unlisten ${quoteIdentifier(subscriber.channel)}`).catch(() => undefined);
  }

  async #connect(): Promise<Client> {
    try {
      const client = await connect(this.#url, 'bulkhead-listener', CONNECT_MS);
      client.on('notification', (message) => this.#deliver(message));
      client.once('end', () => this.#lost());
      this.#heartbeat = setInterval(() => this.#beat(client), this.#heartbeatMs).unref();
      return client;
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }

  #deliver(message: Notification): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.channel !== message.channel) continue;
      try {
        subscriber.onPayload(message.payload ?? '');
      } catch (error) {
        this.#log.error('A listener threw on a notification', { channel: message.channel, error });
      }
    }
  }

  /** A peer that vanished without a word is noticed only by asking. */
  #beat(client: Client): void {
    // Cut, not ended: the driver's goodbye would wait for the answer that does not come.
    const timer = setTimeout(() => cutConnection(client), this.#heartbeatMs).unref();
    client.query('select 1').then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
  }

  #lost(): void {
    clearInterval(this.#heartbeat);
    this.#client = undefined;
    if (this.#closed) return;
    this.#log.warn('The connection that hears notifications was lost');
    for (const subscriber of this.#subscribers) subscriber.onLost?.();
    this.#reconnect(FIRST_RETRY_MS);
  }

  #reconnect(delayMs: number): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      if (this.#closed || this.#subscribers.size === 0) return;
      const attempt = (this.#client ??= this.#connect());
      this.#resume(attempt).catch(() => this.#reconnect(Math.min(delayMs * 2, LAST_RETRY_MS)));
    }, delayMs);
    this.#retry.unref();
  }

  async #resume(attempt: Promise<Client>): Promise<void> {
    const client = await attempt;
    for (const channel of new Set([...this.#subscribers].map((subscriber) => subscriber.channel))) {
      await client.query(`listen ${quoteIdentifier(channel)}`);
    }
    for (const subscriber of this.#subscribers) subscriber.onReconnect?.();
  }
}
