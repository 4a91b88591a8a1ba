export type Json = string | number | boolean | null | readonly Json[] | { readonly [field: string]: Json };
export type Scalar = string | number | boolean;

/** A value and what is known of it. */
export interface StoredRecord<Value extends Json = Json> {
  readonly key: string;
  readonly value: Value;
  /** Changes with each change; none is given twice. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** From then on it is not there. Null: it stays. */
  readonly expiresAt: Date | null;
}

export interface AttributeCondition {
  readonly attribute: string;
  readonly condition:
    | 'equalTo'
    | 'notEqualTo'
    | 'beginsWith'
    | 'between'
    | 'greaterThan'
    | 'greaterThanEqualTo'
    | 'lessThan'
    | 'lessThanEqualTo'
    | 'contains'
    | 'notContains'
    | 'exists'
    | 'notExists';
  /** Two for `between`, none for `exists` and `notExists`, one for each other. */
  readonly values?: readonly Scalar[];
}

/** All of the conditions, or one of them. */
export type Filter = { readonly and: readonly AttributeCondition[] } | { readonly or: readonly AttributeCondition[] };

/** What has to be there for a change to be made: nothing, anything, this version, or what a filter says. Else `function.storage_condition`. */
export type Condition = 'absent' | 'present' | { readonly version: number } | Filter;

export interface SetOptions {
  /** A year at most. Absent: the value stays until it is deleted. */
  readonly ttlSeconds?: number;
  readonly if?: Condition;
  /** The record that was there before, or the one that is there now, comes with the answer. */
  readonly return?: 'previous' | 'latest';
}

export interface DeleteOptions {
  readonly if?: Condition;
}

export interface Written extends Omit<StoredRecord, 'key' | 'value'> {
  /** What `return` asked for; null: nothing was there. */
  readonly returned?: StoredRecord | null;
}

export interface RecordPage<Value extends Json = Json> {
  readonly records: StoredRecord<Value>[];
  /** Of the next page; it holds for as long as you like. Null: there is none. */
  readonly cursor: string | null;
}

export interface PageOptions {
  readonly cursor?: string | null;
  /** 100 at most; default 10. */
  readonly limit?: number;
  readonly order?: 'ascending' | 'descending';
}

export interface KeyQuery extends PageOptions {
  readonly prefix?: string;
}

export interface EntityQuery extends PageOptions {
  /** By name, of the manifest; default `by-key`. */
  readonly index?: string;
  /** A value for each attribute of the index's partition. */
  readonly partition?: readonly Scalar[];
  /** On the index's range. */
  readonly range?: {
    readonly condition: Exclude<AttributeCondition['condition'], 'notEqualTo' | 'contains' | 'notContains' | 'exists' | 'notExists'>;
    readonly values: readonly Scalar[];
  };
  readonly filter?: Filter;
}

interface Placed {
  readonly key: string;
  /** Of the manifest. Absent: a plain key. */
  readonly entity?: string;
}

export type BatchItem =
  | ({ readonly op: 'get' } & Placed)
  | ({ readonly op: 'set'; readonly value: Json } & Placed & SetOptions)
  | ({ readonly op: 'delete' } & Placed & DeleteOptions);

/** What became of an item: `error` where it was refused. */
export interface BatchResult {
  readonly error?: { readonly code: string; readonly message: string };
  /** Of get and delete. */
  readonly found?: boolean;
  /** Of get. */
  readonly record?: StoredRecord;
  /** Of set. */
  readonly written?: Written;
}

export type TransactionItem =
  | ({ readonly op: 'set'; readonly value: Json } & Placed & Omit<SetOptions, 'return'>)
  | ({ readonly op: 'delete' } & Placed & DeleteOptions)
  | ({ readonly op: 'check'; readonly if: Condition } & Placed);
