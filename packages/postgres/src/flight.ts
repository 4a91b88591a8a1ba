import pg from 'pg';
import { types } from './connection.ts';
import { preparedName, type Sql } from './sql.ts';

/** What the driver's connection offers to a query that writes its own messages (`pg/lib/connection.js`). */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  /** Name → text of what this connection keeps prepared. */
  readonly parsedStatements: Record<string, string>;
  on(event: 'parseComplete', listener: () => void): void;
  off(event: 'parseComplete', listener: () => void): void;
  parse(message: { text: string; name: string | undefined }): void;
  bind(message: { statement: string | undefined; values: readonly unknown[] }): void;
  describe(message: { type: 'P' }): void;
  execute(): void;
  sync(): void;
}

/** The columns of an answer: how to make a row of it. */
interface Shape {
  readonly names: readonly string[];
  readonly parsers: readonly ((text: string) => unknown)[];
}

/** What a prepared statement answers with cannot change while it is prepared, so that the server need not describe it again. */
const shapes = new WeakMap<Wire, Map<string, Shape>>();

/** The driver exports it, its types do not: the encoding of every value we may send. */
const { prepareValue } = (pg as unknown as { utils: { prepareValue(this: void, value: unknown): unknown } }).utils;

export type FlightAnswer = { readonly rows: readonly object[][] } | { readonly error: unknown };

/**
 * Several statements between two Syncs: one packet, one answer. PostgreSQL runs what stands before one Sync as one transaction
 * (protocol flow, §Pipelining), so `begin` and `commit` need not be said, and settings that are local to the transaction end
 * with it. The first statement takes on the scope: nobody looks at its row. All after it are skipped where one fails.
 */
export class Flight extends pg.Query {
  readonly #statements: readonly Sql[];
  readonly #names: readonly (string | undefined)[];
  readonly #rows: object[][];
  readonly #shapes: (Shape | undefined)[];
  readonly #answer: (answer: FlightAnswer) => void;
  #wire: Wire | undefined;
  /** Those that this flight asked the server to parse, in the order in which it says that it has. */
  readonly #parsing: number[] = [];
  #parsed = 0;
  #at = 0;
  #unreadable: { readonly error: unknown } | undefined;

  constructor(scope: Sql, statements: readonly Sql[], answer: (answer: FlightAnswer) => void) {
    super({ text: '' });
    this.#statements = [scope, ...statements];
    this.#names = this.#statements.map(({ text }) => preparedName(text));
    this.#rows = this.#statements.map(() => []);
    this.#shapes = this.#statements.map(() => undefined);
    this.#answer = answer;
    // The driver wraps this one to measure its time-out.
    Object.assign(this, { callback: (error: unknown) => this.#settle(error) });
  }

  /** Called by the driver: writes everything. An error it answers has written nothing. */
  override submit = (connection: unknown): Error | null => {
    const wire = connection as Wire;
    this.#wire = wire;
    let values: unknown[][];
    try {
      values = this.#statements.map((statement) => statement.values.map((value) => prepareValue(value)));
    } catch (thrown) {
      return thrown instanceof Error ? thrown : new Error(String(thrown));
    }
    wire.stream.cork();
    try {
      this.#statements.forEach((statement, at) => this.#write(wire, at, statement.text, values[at]!));
      // The driver tells a query only of answers that it knows; the connection has this one flight under way.
      if (this.#parsing.length > 0) wire.on('parseComplete', this.#hearParsed);
      wire.sync();
    } finally {
      wire.stream.uncork();
    }
    return null;
  };

  #write(wire: Wire, at: number, text: string, values: readonly unknown[]): void {
    const name = this.#names[at];
    const isKnown = name !== undefined && wire.parsedStatements[name] !== undefined;
    // The same text may stand in a flight twice.
    if (!isKnown && (name === undefined || !this.#parsing.some((earlier) => this.#names[earlier] === name))) {
      wire.parse({ text, name });
      this.#parsing.push(at);
    }
    wire.bind({ statement: name, values });
    if (at > 0) {
      if (isKnown) this.#shapes[at] = shapes.get(wire)?.get(name);
      if (this.#shapes[at] === undefined) wire.describe({ type: 'P' });
    }
    wire.execute();
  }

  readonly #hearParsed = (): void => {
    this.#parsed += 1;
  };

  /** The names that the server has taken: they outlive the flight, also one that failed after them. */
  #rememberParsed(): void {
    const wire = this.#wire;
    if (wire === undefined || this.#parsing.length === 0) return;
    wire.off('parseComplete', this.#hearParsed);
    for (const at of this.#parsing.splice(0).slice(0, this.#parsed)) {
      const name = this.#names[at];
      if (name !== undefined) wire.parsedStatements[name] = this.#statements[at]!.text;
    }
  }

  handleRowDescription({ fields }: { fields: readonly { name: string; dataTypeID: number }[] }): void {
    this.#shapes[this.#at] = {
      names: fields.map((field) => field.name),
      parsers: fields.map((field) => types.getTypeParser(field.dataTypeID, 'text') as (text: string) => unknown),
    };
  }

  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    const shape = this.#shapes[this.#at];
    if (shape === undefined || this.#unreadable !== undefined) return;
    const row: Record<string, unknown> = {};
    try {
      for (let at = 0; at < fields.length; at += 1) {
        const text = fields[at];
        row[shape.names[at]!] = text === null || text === undefined ? null : shape.parsers[at]!(text);
      }
    } catch (error) {
      this.#unreadable = { error };
      return;
    }
    this.#rows[this.#at]!.push(row);
  }

  handleCommandComplete(): void {
    this.#at += 1;
  }

  handleEmptyQuery(): void {
    this.#at += 1;
  }

  handleReadyForQuery(): void {
    const wire = this.#wire!;
    let known = shapes.get(wire);
    if (known === undefined) shapes.set(wire, (known = new Map()));
    this.#rememberParsed();
    this.#shapes.forEach((shape, at) => {
      const name = this.#names[at];
      if (shape !== undefined && name !== undefined) known.set(name, shape);
    });
    this.#callback(this.#unreadable?.error ?? null);
  }

  handleError(error: unknown): void {
    this.#rememberParsed();
    this.#callback(error);
  }

  #callback(error: unknown): void {
    (this as unknown as { callback: (error: unknown) => void }).callback(error);
  }

  #settle(error: unknown): void {
    this.#answer(error === null || error === undefined ? { rows: this.#rows.slice(1) } : { error });
  }
}
