import { randomBytes } from 'node:crypto';
import { ManualClock, Secret, silentLog, type Log } from '@bulkhead/base';
import {
  claimKeys,
  createPlatform,
  EnvironmentKeys,
  type FunctionLimits,
  type FunctionRunner,
  type JobLimits,
  type KeyService,
  type Platform,
  prepareFirstOrganization,
  type RateLimits,
} from '@bulkhead/platform';
import { type Database, openDatabase } from '@bulkhead/postgres';
import { type TestDatabase, testDatabase } from './database.ts';
import { FakeRunner } from './fake-runner.ts';

export interface WorldOptions {
  readonly egressAllow?: readonly string[];
  readonly publicUrl?: string;
  readonly log?: Log;
  /** As the platform's `connectTimeoutMs`. */
  readonly connectTimeoutMs?: number;
  /** Requests per second, by class. Default: more than a test makes, since the clock of a world stands still. */
  readonly rateLimits?: Partial<RateLimits>;
  /** As the platform's `accountsMax`. */
  readonly accountsMax?: number;
  /** As the platform's `tenantShare`. */
  readonly tenantShare?: number;
  /** The keys outside the database. Default: a root key of this world's own, and no key folder. */
  readonly keys?: KeyService;
  /** What runs functions. Default: a `FakeRunner`. */
  readonly runner?: FunctionRunner;
  /** As the platform's `jobLimits`. */
  readonly jobLimits?: Partial<JobLimits>;
  /** As the platform's `functionLimits`. */
  readonly functionLimits?: FunctionLimits;
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
  readonly runner: FunctionRunner;
  readonly #again: (db: Database) => Promise<Platform>;
  readonly #beside: { readonly platform: Platform; readonly db: Database }[] = [];

  private constructor(
    platform: Platform,
    clock: ManualClock,
    database: TestDatabase,
    url: string,
    metaToken: string,
    runner: FunctionRunner,
    again: (db: Database) => Promise<Platform>,
  ) {
    this.platform = platform;
    this.clock = clock;
    this.database = database;
    this.url = url;
    this.metaToken = metaToken;
    this.runner = runner;
    this.#again = again;
  }

  /** Another process of the same installation, as far as one can be told from here: pools of its own, the same keys and clock. Ends with the world. */
  async beside(): Promise<{ readonly url: string; readonly platform: Platform }> {
    const db = openDatabase({ ...this.database.urls, log: silentLog, poolSize: 5 });
    const platform = await this.#again(db);
    this.#beside.push({ platform, db });
    return { url: await platform.listen(0), platform };
  }

  static async create(options: WorldOptions = {}): Promise<World> {
    const database = await testDatabase();
    const clock = new ManualClock(Date.now());
    const log = options.log ?? silentLog;
    const keys = options.keys ?? new EnvironmentKeys([randomBytes(32)]);
    const refused = await claimKeys(database.database, keys, new Date(clock.now()));
    if (refused !== null) throw new Error(refused);
    const runner = options.runner ?? new FakeRunner();
    const parts = {
      runner,
      keys,
      clock,
      log,
      host: '127.0.0.1',
      publicUrl: options.publicUrl ?? null,
      egressAllow: options.egressAllow ?? [],
      trustProxy: [],
      rateLimits: { api: 100_000, passthrough: 100_000, oauth: 100_000, meta: 100_000, webtrigger: 100_000, ...options.rateLimits },
      ...(options.accountsMax === undefined ? {} : { accountsMax: options.accountsMax }),
      ...(options.functionLimits === undefined ? {} : { functionLimits: options.functionLimits }),
      ...(options.tenantShare === undefined ? {} : { tenantShare: options.tenantShare }),
      ...(options.jobLimits === undefined ? {} : { jobLimits: options.jobLimits }),
      ...(options.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: options.connectTimeoutMs }),
    };
    const again = (db: Database) => createPlatform({ ...parts, db: options.database?.(db) ?? db });
    const platform = await again(database.database);
    const metaToken = `meta-token-of-this-test-${randomBytes(16).toString('hex')}`;
    await prepareFirstOrganization(database.database, new Secret(metaToken), new Date(clock.now()));
    const url = await platform.listen(0);
    return new World(platform, clock, database, url, metaToken, runner, again);
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
    if (this.runner instanceof FakeRunner) this.runner.release();
    for (const { platform, db } of this.#beside) {
      await platform.close();
      await db.close();
    }
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
