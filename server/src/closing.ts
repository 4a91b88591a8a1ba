/**
 * Closes what was opened, last first. One that fails does not keep the others open: a database left running would be
 * worse than an error. Throws the errors, together, at the end.
 */
export async function closeInReverse(closing: readonly (() => Promise<void>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const close of closing.toReversed()) {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'Not everything could be closed.');
}
