import { hash } from 'node:crypto';
import type { EventPosition, EventScope } from './event.ts';

/** Where every log begins. */
export const BEGINNING: EventPosition = { position: 0, seq: 0 };

const NUMBERS = 16;
const TAG = 12;

/**
 * A position as text, good for its own log only: of this Application, and of this account or of all. It hides nothing and opens
 * nothing: whoever writes one of his own reads on in his own log, from elsewhere.
 */
export function cursorOf(scope: EventScope, at: EventPosition): string {
  const numbers = Buffer.alloc(NUMBERS);
  numbers.writeBigUInt64BE(BigInt(at.position), 0);
  numbers.writeBigUInt64BE(BigInt(at.seq), 8);
  return Buffer.concat([numbers, tagOf(scope, numbers)]).toString('base64url');
}

/** The position of a cursor; null where it is none, or one of another log: of those nobody learns which. */
export function positionOf(scope: EventScope, cursor: string): EventPosition | null {
  const bytes = Buffer.from(cursor, 'base64url');
  const numbers = bytes.subarray(0, NUMBERS);
  if (bytes.length !== NUMBERS + TAG || bytes.toString('base64url') !== cursor || !tagOf(scope, numbers).equals(bytes.subarray(NUMBERS)))
    return null;
  const [position, seq] = [Number(numbers.readBigUInt64BE(0)), Number(numbers.readBigUInt64BE(8))];
  return Number.isSafeInteger(position) && Number.isSafeInteger(seq) ? { position, seq } : null;
}

function tagOf({ applicationId, accountId }: EventScope, numbers: Buffer): Buffer {
  const log = Buffer.from(`bulkhead event cursor|${applicationId}|${accountId ?? 'all'}|`);
  return hash('sha256', Buffer.concat([log, numbers]), 'buffer').subarray(0, TAG);
}
