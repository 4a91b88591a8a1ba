import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/**
 * A value that must not be seen. Printed, logged, serialised or concatenated it reads `[redacted]`;
 * `.reveal()` is the only way to the text, so every use can be found by searching for that word.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself. Call it at the last moment: into a hash, a cipher or an outgoing header. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }

  [Symbol.toPrimitive](): string {
    return REDACTED;
  }
}
