import { applicationId } from '@bulkhead/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BEGINNING, cursorOf, positionOf } from './event-cursor.ts';

const scope = { applicationId: applicationId.generate(), accountId: 7 };
const at = { position: 812, seq: 44 };

describe('a cursor', () => {
  it('says where its reader stood, at any position', () => {
    const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(number, number, (position, seq) => {
        expect(positionOf(scope, cursorOf(scope, { position, seq }))).toEqual({ position, seq });
      }),
    );
    expect(positionOf(scope, cursorOf(scope, BEGINNING))).toEqual(BEGINNING);
  });

  it.each([
    ['another Application', { ...scope, applicationId: applicationId.generate() }],
    ['another account', { ...scope, accountId: 8 }],
    ['the whole Application', { ...scope, accountId: null }],
  ])('means nothing in the log of %s', (_whose, other) => {
    expect(positionOf(other, cursorOf(scope, at))).toBeNull();
    expect(positionOf(scope, cursorOf(other, at))).toBeNull();
  });

  const good = cursorOf(scope, at);
  it.each([
    ['nothing', ''],
    ['a number', '812'],
    ['its first half', good.slice(0, 20)],
    ['more than itself', `${good}AA`],
    ['padding', `${good}=`],
    ['another letter', `${good.slice(0, 4)}${good[4] === 'A' ? 'B' : 'A'}${good.slice(5)}`],
    ['a letter that base64url skips', `${good.slice(0, 4)}\n${good.slice(4)}`],
  ])('is none with %s', (_what, text) => {
    expect(positionOf(scope, text)).toBeNull();
    expect(positionOf(scope, good)).toEqual(at);
  });
});
