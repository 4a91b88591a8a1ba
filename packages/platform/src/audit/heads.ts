import type { Head } from './seal-store.ts';

/** `12:9f86d0…`: seal number and digest of the end of a chain, as it is printed and kept. */
export function formatHead({ seq, digest }: Head): string {
  return `${seq}:${digest.toString('hex')}`;
}

/** Null where the text is no head. */
export function parseHead(text: string): Head | null {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text.trim());
  return match === null ? null : { seq: Number(match[1]), digest: Buffer.from(match[2]!, 'hex') };
}
