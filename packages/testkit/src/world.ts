import { randomBytes } from 'node:crypto';
import { ManualClock, Secret, silentLog, type Log } from '@bulkhead/base';
import { createPlatform, type Platform, prepareFirstOrganization } from '@bulkhead/platform';
import type { Database } from '@bulkhead/postgres';
import { type TestDatabase, testDatabase } from './database.ts';

export interface WorldOptions {
  readonly egressAllow?: readonly string[];
  readonly publicUrl?: string;
  readonly log?: Log;
  /** As the platform's `connectTimeoutMs`. */
  readonly connectTimeoutMs?: number;
  /** What the platform gets instead of the test's database: for tests that break something on purpose. */
  readonly database?: (database: Database) => Database;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined where it is none. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape.
  readonly json: any;
}

/** A whole platform in-process on a database of its own, with a clock that the test moves. */
export class World implements AsyncDisposable {
  readonly platform: Platform;
  readonly clock: ManualClock;
  readonly database: TestDatabase;
  readonly url: string;
  readonly metaToken: string;

  private constructor(platform: Platform, clock: ManualClock, database: TestDatabase, url: string, metaToken: string) {
    this.platform = platform;
    this.clock = clock;
    this.database = database;
    this.url = url;
    this.metaToken = metaToken;
  }

  static async create(options: WorldOptions = {}): Promise<World> {
    const database = await testDatabase();
    const clock = new ManualClock(Date.now());
    const log = options.log ?? silentLog;
    const platform = await createPlatform({
      db: options.database?.(database.database) ?? database.database,
      rootKeyBytes: randomBytes(32),
      clock,
      log,
      host: '127.0.0.1',
      publicUrl: options.publicUrl ?? null,
      egressAllow: options.egressAllow ?? [],
      trustProxy: [],
      ...(options.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: options.connectTimeoutMs }),
    });
    const metaToken = `meta-token-of-this-test-${randomBytes(16).toString('hex')}`;
    await prepareFirstOrganization(database.database, new Secret(metaToken), new Date(clock.now()));
    const url = await platform.listen(0);
    return new World(platform, clock, database, url, metaToken);
  }

  /** A plain HTTP call to the platform. `body` is sent as JSON unless it is a string or URLSearchParams. */
  async call(method: string, path: string, options: { headers?: Record<string, string>; body?: unknown } = {}): Promise<HttpAnswer> {
    const { body } = options;
    const raw = body === undefined || typeof body === 'string' || body instanceof URLSearchParams;
    const response = await fetch(path.startsWith('http') ? path : this.url + path, {
      method,
      redirect: 'manual',
      headers: { ...(raw ? {} : { 'content-type': 'application/json' }), ...options.headers },
      ...(body === undefined ? {} : { body: raw ? (body as string | URLSearchParams) : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parse(text) };
  }

  /** A Meta API call under the world's Meta token. */
  meta(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    return this.call(method, `/v1/meta${path}`, {
      headers: { authorization: `Bearer ${this.metaToken}`, ...headers },
      ...(body === undefined ? {} : { body }),
    });
  }

  /** A fresh Application and its first API key. */
  async application(fields: Record<string, unknown> = {}): Promise<{ id: string; apiKey: string }> {
    const answer = await this.meta('POST', '/applications', { name: 'Test', ...fields });
    if (answer.status !== 201) throw new Error(`no Application: ${answer.text}`);
    return { id: answer.json.id, apiKey: answer.json.default_api_key.key };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.platform.close();
    await this.database.close();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
