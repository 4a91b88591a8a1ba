import { describe, expect, it } from 'vitest';
import { Turns } from './turns.ts';

function lines(text: string): Turns<string> {
  const turns = new Turns<string>();
  for (const item of text.split(' ')) turns.push(item[0]!, item);
  return turns;
}

function drained(turns: Turns<string>): string {
  const items: string[] = [];
  for (let item = turns.next(); item !== undefined; item = turns.next()) items.push(item);
  return items.join(' ');
}

describe('T5: turns', () => {
  it.each([
    ['one party keeps its order', 'a1 a2 a3', 'a1 a2 a3'],
    ['the first of each goes before the second of any', 'a1 a2 a3 a4 b1 c1 c2', 'a1 b1 c1 a2 c2 a3 a4'],
  ])('%s', (_title, came, goes) => {
    expect(drained(lines(came))).toBe(goes);
  });

  it('whoever comes while turns are taken waits for each of the others once at most', () => {
    const turns = lines('a1 a2 a3 b1 b2 b3');
    expect([turns.next(), turns.next(), turns.next()]).toEqual(['a1', 'b1', 'a2']);
    turns.push('c', 'c1');
    expect(drained(turns)).toBe('b2 a3 c1 b3');
  });

  it('says how many each has in it, and how many of them there are', () => {
    const turns = lines('a1 b1 b2 b3 c1');
    expect([turns.lengthOf('b'), turns.lengthOf('new'), turns.parties, turns.size]).toEqual([3, 0, 3, 5]);
    turns.next();
    expect([turns.lengthOf('a'), turns.parties, turns.size]).toEqual([0, 2, 4]);
  });

  it('takes from the head of each line for as long as it holds', () => {
    const turns = lines('a1 a5 a2 b1 c7');
    expect(turns.takeWhile((item) => Number(item[1]) < 3)).toEqual(['a1', 'b1']);
    expect(turns.size).toBe(3);
    expect(drained(turns)).toBe('a5 c7 a2');
  });
});
