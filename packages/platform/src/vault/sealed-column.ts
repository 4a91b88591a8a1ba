import type { ApplicationId } from '@bulkhead/base';
import type { Place } from './vault.ts';

/** A column that holds sealed values, said once: what seals there and what rotates the keys take the place from it. */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  /** The columns that name the row beside the tenant; their texts, joined by `|`, are the place's row. */
  readonly key: readonly string[];
  /** The column that names the Application whose data key seals. Default `application_id`. */
  readonly tenant?: string;
  /** The column with the version of the value, where it has one. */
  readonly version?: string;
}

export interface DefinedSealedColumn extends SealedColumn {
  readonly tenant: string;
  /** The place of the row with these key values, in the order of `key`. */
  place(applicationId: ApplicationId, key: readonly (string | Buffer)[], version?: number): Place;
}

/** Defines a sealed column. It must be listed in `keys/sealed-columns.ts`; a test compares the list with the migrated database. */
export function defineSealedColumn(definition: SealedColumn): DefinedSealedColumn {
  const { table, column, key } = definition;
  return {
    ...definition,
    tenant: definition.tenant ?? 'application_id',
    place(applicationId, values, version) {
      if (values.length !== key.length) throw new TypeError(`${table}.${column} is keyed by ${key.join(', ')}`);
      const row = values.map((value) => (typeof value === 'string' ? value : value.toString('hex'))).join('|');
      return { applicationId, table, column, row, ...(version === undefined ? {} : { version }) };
    },
  };
}
