import type { Outcome } from './contract.ts';

/** What is shorter stands in texts that have nothing to do with it. */
const LENGTH_MIN = 8;
const IN_ITS_PLACE = '[secret]';

/** Takes the values of secrets out of a text, where they stand as they are; a guest that wants to write them in pieces can. */
export function redactor(values: readonly string[]): (text: string) => string {
  const secrets = values.filter(({ length }) => length >= LENGTH_MIN).toSorted((one, other) => other.length - one.length);
  return (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, () => IN_ITS_PLACE), text);
}

/** The same for what a guest, or its engine, says of an end. What a function returns is its own. */
export function redactedOutcome(outcome: Outcome, redact: (text: string) => string): Outcome {
  switch (outcome.kind) {
    case 'threw': {
      const { name, message, stack } = outcome;
      return { kind: 'threw', name: redact(name), message: redact(message), stack: stack === null ? null : redact(stack) };
    }
    case 'crashed':
      return { ...outcome, detail: redact(outcome.detail) };
    default:
      return outcome;
  }
}
