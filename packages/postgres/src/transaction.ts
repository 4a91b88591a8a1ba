import type { ApplicationId, Log } from '@bulkhead/base';
import type { PoolClient, QueryResult } from 'pg';
import { corkUntilNextTick } from './connection.ts';
import { databaseErrors, fromDriver, isStaleStatement } from './database-errors.ts';
import { Flight, type FlightAnswer } from './flight.ts';
import { preparedName, type Sql, sql } from './sql.ts';

/**
 * A transaction. Statements go out in the order they are asked for, without waiting for each other; a statement whose
 * promise is still open when the work ends, or asked for after it, is an error (`database.misused`).
 */
export interface Tx {
  /** The same object for every transaction of one `Database`, and its `origin`: a key for what is known per database. */
  readonly origin: object;
  /** All rows. */
  query<Row extends object = Record<string, unknown>>(statement: Sql): Promise<Row[]>;
  /** The one row; any other number of rows throws `database.misused`. */
  one<Row extends object = Record<string, unknown>>(statement: Sql): Promise<Row>;
  /** The row, or null where there is none; more than one throws `database.misused`. */
  maybe<Row extends object = Record<string, unknown>>(statement: Sql): Promise<Row | null>;
  /** How many rows were written (or returned). */
  execute(statement: Sql): Promise<number>;
  /** To be run once the transaction has committed, in order; never if it rolls back. What it throws is logged, not thrown. */
  onCommit(callback: () => void | Promise<void>): void;
}

/** A transaction that sees one Application and nothing else. */
export interface TenantTx extends Tx {
  readonly applicationId: ApplicationId;
}

/** A transaction over the control tables that sees, of the Applications, those of one organization. */
export interface OrganizationTx extends Tx {
  readonly organizationId: string;
}

export interface TransactionOptions {
  /** The statement that takes on role and scope, local to the transaction. */
  readonly scope: Sql;
  readonly preparedStatements: boolean;
  readonly log: Log;
  /** See `Tx.origin`. */
  readonly origin: object;
  /** Called once it has tried to commit, before anybody hears of it: what is remembered of its rows may be so no longer. */
  readonly ended?: () => void;
  /** `ended` is called only where the trigger `tell_change` has seen a row change, or nobody knows. Costs a statement beside `commit`. */
  readonly asksWhetherChanged?: boolean;
}

/** Asks at the end of a transaction whether the trigger `tell_change` has seen a row change in it. */
export const HAS_CHANGED = sql`select coalesce(current_setting('bulkhead.changed', true), '') <> '' as has_changed`;

type Answer = { readonly result: QueryResult } | { readonly error: unknown };

/** Queues a statement; the promise never rejects. By callback: it saves two promises per statement on the hottest path. */
function send(client: PoolClient, statement: Sql, preparedStatements: boolean): Promise<Answer> {
  const name = preparedStatements && statement.values.length > 0 ? preparedName(statement.text) : undefined;
  const config = { text: statement.text, values: [...statement.values], ...(name === undefined ? {} : { name }) };
  return new Promise((resolve) => client.query(config, (error, result) => resolve(error ? { error } : { result })));
}

function sendBare(client: PoolClient, text: 'begin' | 'commit' | 'rollback'): Promise<Answer> {
  return new Promise((resolve) => client.query(text, (error, result) => resolve(error ? { error } : { result })));
}

function isIdle(client: PoolClient): boolean {
  return client.getTransactionStatus() === 'I';
}

export class Transaction implements Tx {
  readonly origin: object;
  readonly #client: PoolClient;
  readonly #options: TransactionOptions;
  readonly #callbacks: (() => void | Promise<void>)[] = [];
  #pending = 0;
  #ended = false;
  /** The first thing that went wrong in the database: it has aborted the transaction, whatever became of the promise. */
  #failure: { readonly error: unknown } | undefined;
  /** Why there is no scope. */
  #opening: unknown;

  private constructor(client: PoolClient, options: TransactionOptions) {
    this.origin = options.origin;
    this.#client = client;
    this.#options = options;
  }

  /**
   * Runs `work` in a transaction on `client` and gives the client back: clean, or closed where that is not certain.
   * `begin`, the scope and the first statements of `work` leave together.
   */
  static async run<T, Scoped extends Tx>(
    client: PoolClient,
    options: TransactionOptions,
    scoped: (tx: Tx) => Scoped,
    work: (tx: Scoped) => Promise<T>,
  ): Promise<T> {
    const tx = new Transaction(client, options);
    let value: T;
    try {
      tx.#open();
      try {
        value = await work(scoped(tx));
      } catch (error) {
        await tx.#rollback();
        throw tx.#openingError() ?? error;
      }
      if (tx.#pending > 0) {
        await tx.#rollback();
        throw databaseErrors('database.misused', {
          detail: 'A statement was still running when its transaction ended: a promise was not awaited. The transaction was rolled back.',
        });
      }
      await tx.#commit();
    } finally {
      client.release(!(tx.#pending === 0 && tx.#opening === undefined && isIdle(client)) || isStaleStatement(tx.#failure?.error));
    }
    await tx.#runCallbacks();
    return value;
  }

  #openingError(): unknown {
    return this.#opening === undefined ? undefined : fromDriver(this.#opening);
  }

  #open(): void {
    corkUntilNextTick(this.#client);
    for (const answer of [sendBare(this.#client, 'begin'), send(this.#client, this.#options.scope, this.#options.preparedStatements)]) {
      void answer.then((settled) => {
        if ('error' in settled) {
          this.#opening ??= settled.error;
          this.#failure ??= settled;
        }
      });
    }
  }

  async #send(statement: Sql): Promise<QueryResult> {
    if (this.#ended) {
      throw databaseErrors('database.misused', { detail: `A statement was asked for after its transaction had ended: ${statement.text}` });
    }
    this.#pending += 1;
    const answer = await send(this.#client, statement, this.#options.preparedStatements);
    this.#pending -= 1;
    // Answers come in order, so by now begin and scope have succeeded or `#opening` is set. Without them the
    // statement ran outside of any scope, and nobody may see what it said.
    if (this.#opening !== undefined) throw this.#openingError();
    if ('error' in answer) {
      this.#failure ??= answer;
      throw fromDriver(answer.error);
    }
    return answer.result;
  }

  async #rollback(): Promise<void> {
    this.#ended = true;
    // If this fails the connection is lost, and the server rolls back by itself.
    await sendBare(this.#client, 'rollback');
  }

  async #commit(): Promise<void> {
    this.#ended = true;
    let hasChanged = true;
    if (this.#options.asksWhetherChanged === true) {
      corkUntilNextTick(this.#client);
      void send(this.#client, HAS_CHANGED, this.#options.preparedStatements).then((settled) => {
        if ('result' in settled) hasChanged = (settled.result.rows[0] as { has_changed: boolean }).has_changed;
      });
    }
    const answer = await sendBare(this.#client, 'commit');
    if (hasChanged) this.#options.ended?.();
    if (this.#opening !== undefined) throw this.#openingError();
    if ('error' in answer) throw fromDriver(answer.error);
    if (answer.result.command === 'COMMIT') return;
    throw databaseErrors('database.misused', {
      detail: 'The transaction could not commit: a statement in it had failed (see the cause) and the work went on as if it had not.',
      cause: this.#failure?.error,
    });
  }

  async #runCallbacks(): Promise<void> {
    for (const callback of this.#callbacks) {
      try {
        await callback();
      } catch (error) {
        this.#options.log.error('What was to follow a commit failed', { error });
      }
    }
  }

  /** Statements and their scope in one flight, which is one transaction: the rows of each. For reads that need nothing of each other. */
  static async single(client: PoolClient, options: TransactionOptions, statements: readonly Sql[]): Promise<readonly object[][]> {
    // Whoever cannot keep prepared statements has a pooler in between. It gets to see transactions as everybody writes them.
    if (!options.preparedStatements) return Transaction.#spelledOut(client, options, statements);
    let isFit = false;
    try {
      const answered = Promise.withResolvers<FlightAnswer>();
      client.query(new Flight(options.scope, statements, answered.resolve));
      const answer = await answered.promise;
      if ('rows' in answer) {
        isFit = isIdle(client);
        return answer.rows;
      }
      // The answer to this one comes after the end of the failed flight: only then is it known how the connection stands.
      await sendBare(client, 'rollback');
      isFit = isIdle(client) && !isStaleStatement(answer.error);
      throw fromDriver(answer.error);
    } finally {
      client.release(!isFit);
    }
  }

  /** The same with `begin` and `commit`, each statement for itself. */
  static async #spelledOut(client: PoolClient, options: TransactionOptions, statements: readonly Sql[]): Promise<readonly object[][]> {
    let isStale = false;
    try {
      corkUntilNextTick(client);
      const begun = sendBare(client, 'begin');
      const answers = [options.scope, ...statements].map((statement) => send(client, statement, options.preparedStatements));
      const committed = sendBare(client, 'commit');
      const settled = [await begun, ...(await Promise.all(answers)), await committed];
      const results = settled.map((answer) => {
        if ('result' in answer) return answer.result;
        isStale = isStaleStatement(answer.error);
        throw fromDriver(answer.error);
      });
      if (results.at(-1)?.command !== 'COMMIT') throw databaseErrors('database.misused', { detail: 'A single flight did not commit.' });
      return results.slice(2, -1).map((result) => result.rows as object[]);
    } finally {
      client.release(!isIdle(client) || isStale);
    }
  }

  async query<Row extends object>(statement: Sql): Promise<Row[]> {
    return (await this.#send(statement)).rows as Row[];
  }

  async one<Row extends object>(statement: Sql): Promise<Row> {
    const rows = await this.query<Row>(statement);
    const [row] = rows;
    if (row === undefined || rows.length > 1)
      throw databaseErrors('database.misused', { detail: `Expected one row, got ${rows.length}: ${statement.text}` });
    return row;
  }

  async maybe<Row extends object>(statement: Sql): Promise<Row | null> {
    const rows = await this.query<Row>(statement);
    if (rows.length > 1)
      throw databaseErrors('database.misused', { detail: `Expected at most one row, got ${rows.length}: ${statement.text}` });
    return rows[0] ?? null;
  }

  async execute(statement: Sql): Promise<number> {
    return (await this.#send(statement)).rowCount ?? 0;
  }

  onCommit(callback: () => void | Promise<void>): void {
    if (this.#ended) throw databaseErrors('database.misused', { detail: 'onCommit was called after the transaction had ended.' });
    this.#callbacks.push(callback);
  }
}
