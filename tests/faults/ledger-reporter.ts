import { readFileSync, rmSync } from 'node:fs';
import type { Reporter } from 'vitest/node';
import { LEDGER_FILE, type LedgerRow } from './ledger.ts';

/** Prints what was measured, after the last test and before vitest's own summary. */
export class LedgerReporter implements Reporter {
  onInit(): void {
    rmSync(LEDGER_FILE, { force: true });
    rmSync(LEDGER_FILE.replace('-ledger.jsonl', ''), { recursive: true, force: true });
  }

  onTestRunEnd(): void {
    const rows = readRows();
    if (rows.length === 0) return;
    const cells = [
      ['clause', 'what happened', 'what came of it', 'required'],
      ...rows.map((row) => [row.clause, row.what, row.value, row.reach]),
    ];
    const widths = [0, 1, 2].map((column) => Math.max(...cells.map((cell) => cell[column]!.length)));
    const lines = cells.map((cell) =>
      cell
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
    process.stdout.write(`\nLedger of faults\n${lines.join('\n')}\n\n`);
  }
}

function readRows(): LedgerRow[] {
  try {
    return readFileSync(LEDGER_FILE, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LedgerRow);
  } catch {
    return [];
  }
}
