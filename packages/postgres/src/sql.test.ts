import { Secret } from '@bulkhead/base';
import { describe, expect, test } from 'vitest';
import { preparedName, quoteIdentifier, quoteLiteral, sql, type SqlValue } from './sql.ts';

describe('a statement', () => {
  test('keeps its values apart from its text', () => {
    const evil = `'; drop table accounts; --`;
    const statement = sql`select * from accounts where name = ${evil} and id = ${7}`;
    expect(statement.text).toBe('select * from accounts where name = $1 and id = $2');
    expect(statement.values).toEqual([evil, 7]);
  });

  test('is made of pieces, whose values keep their order', () => {
    const where = sql`where a = ${1} and b = ${2}`;
    const statement = sql`select ${0} ${where} limit ${3}`;
    expect(statement.text).toBe('select $1 where a = $2 and b = $3 limit $4');
    expect(statement.values).toEqual([0, 1, 2, 3]);
    expect(sql`${where}`.text).toBe(where.text);
    expect(sql`${where}${where}`.values).toEqual([1, 2, 1, 2]);
  });

  test('joins pieces and values', () => {
    const rows = [1, 2].map((n) => sql`(${n}, ${'x'})`);
    expect(sql`insert into t values ${sql.join(rows)}`).toMatchObject({
      text: 'insert into t values ($1, $2), ($3, $4)',
      values: [1, 'x', 2, 'x'],
    });
    expect(sql`where ${sql.join([sql`a = ${1}`, sql`b = ${2}`], sql` and `)}`.text).toBe('where a = $1 and b = $2');
    expect(() => sql.join([])).toThrow(TypeError);
  });

  test('takes raw text from a literal of the source only, and any name quoted', () => {
    expect(sql`order by ${sql.raw('name desc')}`.text).toBe('order by name desc');
    const fromOutside: string = 'name; drop table accounts';
    // @ts-expect-error A string that is not a literal does not compile.
    sql.raw(fromOutside);
    expect(sql`select ${sql.identifier('a"b; --')}`.text).toBe('select "a""b; --"');
  });

  test.each([[undefined], [{ a: 1 }], [new Secret('x')], [() => 1], [[1, undefined]], [Symbol('x')]])(
    'refuses a value that would be stored as something else: %o',
    (value) => {
      expect(() => sql`select ${value as unknown as SqlValue}`).toThrow(TypeError);
      expect(() => sql`select ${sql`1`}, ${value as unknown as SqlValue}`).toThrow(TypeError);
    },
  );

  test('with the same text has the same name, and one with another text another', () => {
    expect(preparedName('select 1')).toBe(preparedName('select 1'));
    expect(preparedName('select 1')).not.toBe(preparedName('select 2'));
  });
});

test('a quoted name or string ends where it should', () => {
  expect(quoteIdentifier('a"b')).toBe('"a""b"');
  expect(quoteLiteral(`it's`)).toBe(`'it''s'`);
  expect(quoteLiteral(`\\' or 1`)).toBe(` E'\\\\'' or 1'`);
  for (const name of ['', 'a\0']) expect(() => quoteIdentifier(name)).toThrow(TypeError);
  expect(() => quoteLiteral('a\0')).toThrow(TypeError);
});
