import { createHash } from 'node:crypto';
import type { InboundRequest } from './scheme.ts';

/** A short text that may stand in an event: printable ASCII, at most 200 characters; else null. */
export function word(text: string | null | undefined): string | null {
  return text !== null && text !== undefined && /^[\x20-\x7E]{1,200}$/.test(text) ? text : null;
}

/** Those that are there. */
export function counted(values: readonly (string | undefined)[]): string[] {
  return values.filter((value) => value !== undefined);
}

/** The body itself tells deliveries apart. */
export function byBody({ body }: InboundRequest): string {
  return createHash('sha256').update(body).digest('hex');
}

/** A header with a time in whole seconds since 1970. */
export function seconds(name: string): (request: InboundRequest) => { text: string; ms: number } | null {
  return ({ header }) => inUnits(header(name), 1_000);
}

/** A time as it was signed: a whole number of units of `unitMs`. */
export function inUnits(text: string | null | undefined, unitMs: number): { text: string; ms: number } | null {
  return text !== null && text !== undefined && /^[0-9]{1,15}$/.test(text) ? { text, ms: Number(text) * unitMs } : null;
}
