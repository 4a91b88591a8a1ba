import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where the rows of a run are collected: test processes write, the reporter of the run reads. */
export const LEDGER_FILE = join(import.meta.dirname, '../../test-results/faults-ledger.jsonl');

/** What was measured while something broke. */
export interface LedgerRow {
  /** The clause of the requirements: `V6`, `S2`. */
  readonly clause: string;
  /** What was done to whom. */
  readonly what: string;
  /** What came of it, figures with their units. */
  readonly value: string;
  /** What was required. */
  readonly reach: string;
}

/** Writes a row down; the run prints all of them at its end. Figures are for reading: what must hold is asserted by the test. */
export function note(row: LedgerRow): void {
  mkdirSync(dirname(LEDGER_FILE), { recursive: true });
  appendFileSync(LEDGER_FILE, `${JSON.stringify(row)}\n`);
}
