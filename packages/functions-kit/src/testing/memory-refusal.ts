/** A refusal as the host would answer it. */
export class MemoryRefusal extends Error {
  override readonly name = 'MemoryRefusal';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
