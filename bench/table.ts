import { figure } from './alternate.ts';
import { passes, type Reach, type Result } from './row.ts';

/** A row as `--json` writes it. */
export interface JsonRow {
  readonly id: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly yardstick: string;
  readonly reach: string;
  readonly pass: boolean;
  readonly samples: Result['measured']['samples'];
}

function reachText(reach: Reach): string {
  return 'atLeast' in reach ? `≥ ${reach.atLeast}` : `≤ ${reach.atMost}`;
}

/** One table for people: value, spread of the rounds, needed figure, pass or miss; below it what was measured in absolute figures. */
export function renderTable(results: readonly Result[]): string {
  const lines = [
    ['row', 'value', 'spread', 'needed', '', 'against'],
    ...results.map((result) => [
      result.row.id,
      `${figure(result.measured.value)} ${result.row.unit === 'ratio' ? '×' : result.row.unit}`,
      `${figure(result.measured.spread[0])}–${figure(result.measured.spread[1])}`,
      reachText(result.row.reach),
      passes(result) ? 'pass' : 'MISS',
      result.row.yardstick,
    ]),
  ];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const table = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  const notes = results.map(({ row, measured }) => `${row.id}: ${row.what}. ${measured.note}`);
  return [...table, '', ...notes].join('\n');
}

/** `{"rows":[…]}`, as tools read it. */
export function renderJson(results: readonly Result[]): string {
  const rows: JsonRow[] = results.map((result) => ({
    id: result.row.id,
    what: result.row.what,
    value: result.measured.value,
    unit: result.row.unit,
    yardstick: result.row.yardstick,
    reach: reachText(result.row.reach),
    pass: passes(result),
    samples: result.measured.samples,
  }));
  return `${JSON.stringify({ rows }, null, 2)}\n`;
}
