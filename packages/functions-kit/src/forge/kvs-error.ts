import { HostError } from '../index.ts';

/** A refusal of what keeps values, under Forge's code. */
export class ForgeKvsAPIError extends Error {
  override readonly name = 'ForgeKvsAPIError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Codes of ours to those that are documented for Forge; what is none of them is a bad request there too. */
const CODES: Readonly<Record<string, string>> = {
  'function.storage_condition': 'KEY_CONFLICT',
  'function.storage_full': 'QUOTA_EXCEEDED',
  'function.storage_entity_unknown': 'ENTITY_NOT_FOUND',
  'function.storage_index_unknown': 'INDEX_NOT_FOUND',
  'function.storage_invalid': 'COMPLEX_QUERY_VALIDATION_FAILED',
  'request.invalid': 'BAD_REQUEST',
};

export function forgeCode(code: string): string {
  return CODES[code] ?? 'INTERNAL_SERVER_ERROR';
}

/** Answers of the host; its refusals are thrown as `ForgeKvsAPIError`. */
export async function asked<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof HostError)) throw thrown;
    throw new ForgeKvsAPIError(forgeCode(thrown.code), thrown.message, { cause: thrown });
  }
}

const KEY_CHARACTERS_MAX = 500;

/** The key, where it is one of Forge's: what has been kept under it here can be kept there. */
export function goodKey(key: string): string {
  if (typeof key !== 'string' || key === '') throw new ForgeKvsAPIError('KEY_TOO_SHORT', 'A key has one character at least');
  if (key.length > KEY_CHARACTERS_MAX) throw new ForgeKvsAPIError('KEY_TOO_LONG', `A key has ${KEY_CHARACTERS_MAX} characters at most`);
  if (!/^(?!\s+$)[a-zA-Z0-9:._\s\-#]+$/.test(key))
    throw new ForgeKvsAPIError('INVALID_KEY', 'A key has letters, digits, spaces and : . _ - # alone, and more than spaces');
  return key;
}
