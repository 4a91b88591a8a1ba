/** A command typed in a way that cannot be meant: printed as it is, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
