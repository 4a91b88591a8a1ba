import { describe, expect, it } from 'vitest';
import { alternate, median, percentile } from './alternate.ts';
import { passes, type Result, type Row } from './row.ts';
import { rows } from './rows.ts';
import { renderJson, renderTable } from './table.ts';

function result(fields: Partial<Row>, value: number, sound?: boolean): Result {
  const row: Row = {
    id: 'some-row',
    what: 'something measured',
    yardstick: 'something plain',
    unit: 'ratio',
    reach: { atLeast: 0.5 },
    needs: [],
    measure: () => Promise.reject(new Error('not measured here')),
    ...fields,
  };
  const samples = [
    { ours: value * 100, yardstick: 100 },
    { ours: 7, yardstick: null },
  ];
  return {
    row,
    measured: { value, samples, spread: [value / 2, value * 2], note: 'Ours against theirs.', ...(sound === undefined ? {} : { sound }) },
  };
}

describe('a figure and what it needs', () => {
  it.each([
    ['at its lower bound', { atLeast: 0.5 }, 0.5, true],
    ['below its lower bound', { atLeast: 0.5 }, 0.499, false],
    ['at its upper bound', { atMost: 0.2 }, 0.2, true],
    ['above its upper bound', { atMost: 0.2 }, 0.201, false],
    ['that could not be measured', { atMost: 0.2 }, Number.NaN, false],
  ])('a value %s counts accordingly', (_, reach, value, expected) => {
    expect(passes(result({ reach }, value))).toBe(expected);
  });

  it('a good value with a wrong answer among those it was measured on is a miss', () => {
    expect(passes(result({}, 0.9, true))).toBe(true);
    expect(passes(result({}, 0.9, false))).toBe(false);
  });
});

describe('what is printed', () => {
  it('the table has a line per row with value, spread, need and verdict, and a note of what was measured', () => {
    const text = renderTable([result({ id: 'fast' }, 0.6123), result({ id: 'slow', unit: 'ms', reach: { atMost: 0.2 } }, 12_345.6)]);
    expect(text.split('\n')).toEqual([
      'row   value      spread        needed        against',
      'fast  0.612 ×    0.306–1.22    ≥ 0.5   pass  something plain',
      'slow  12,300 ms  6,170–24,700  ≤ 0.2   MISS  something plain',
      '',
      'fast: something measured. Ours against theirs.',
      'slow: something measured. Ours against theirs.',
    ]);
  });

  it('the JSON has exactly the agreed fields, every sample among them', () => {
    const parsed = JSON.parse(renderJson([result({}, 0.4)])) as unknown;
    expect(parsed).toEqual({
      rows: [
        {
          id: 'some-row',
          what: 'something measured',
          value: 0.4,
          unit: 'ratio',
          yardstick: 'something plain',
          reach: '≥ 0.5',
          pass: false,
          samples: [
            { ours: 40, yardstick: 100 },
            { ours: 7, yardstick: null },
          ],
        },
      ],
    });
  });

  it('every row has a name of its own', () => {
    expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
    expect(rows.length).toBeGreaterThan(0);
  });
});

describe('how figures are compared', () => {
  it('ours and the yardstick take turns, and who begins changes with every round', async () => {
    const order: string[] = [];
    const measured = await alternate({
      rounds: 3,
      ours: async () => order.push('ours'),
      yardstick: async () => order.push('yardstick'),
      compare: (ours, yardstick) => ours / yardstick,
    });
    expect(order).toEqual(['ours', 'yardstick', 'yardstick', 'ours', 'ours', 'yardstick']);
    expect(measured.samples).toEqual([
      { ours: 1, yardstick: 2 },
      { ours: 4, yardstick: 3 },
      { ours: 5, yardstick: 6 },
    ]);
    expect(measured.value).toBe(median([1 / 2, 4 / 3, 5 / 6]));
    expect(measured.spread).toEqual([1 / 2, 4 / 3]);
  });

  it('a median is the middle, a percentile the nearest rank', () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([])]).toEqual([2, 2.5, Number.NaN]);
    expect([percentile([5, 1, 4, 2, 3], 0.5), percentile([5, 1, 4, 2, 3], 0.95), percentile([7], 0.95)]).toEqual([3, 5, 7]);
  });
});
