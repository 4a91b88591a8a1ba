import { Secret } from '@bulkhead/base';

/** A credential in the company's hands, and the shell variable that stands for it in a curl line. */
export interface HeldCredential {
  readonly variable: string;
  readonly secret: Secret;
}

export function heldCredential(variable: string, text: string): HeldCredential {
  return { variable, secret: new Secret(text) };
}

/** Enough to recognise a credential by, too little to use: prefix and last four characters. */
export function shortened({ secret }: HeldCredential): string {
  const text = secret.reveal();
  return text.length < 24 ? '…' : `${text.slice(0, 8)}…${text.slice(-4)}`;
}

function isHeld(value: unknown): value is HeldCredential {
  return typeof value === 'object' && value !== null && 'secret' in value && value.secret instanceof Secret;
}

/** JSON as text, split where a credential stands in it. */
export function jsonParts(json: unknown): readonly (string | HeldCredential)[] {
  const found: HeldCredential[] = [];
  const text = JSON.stringify(json, (_name, value: unknown) => (isHeld(value) ? `\u0001${found.push(value) - 1}\u0001` : value));
  // The mark is a control character, which JSON always escapes.
  return text.split(/\\u0001(\d+)\\u0001/).map((part, index) => (index % 2 === 0 ? part : found[Number(part)]!));
}
