/**
 * The error codes of the wire, as Kloudless clients know them (`error_code` in an error body). Clients branch on these;
 * the finer `code` beside them names the entry of our own catalogue.
 */
export type WireErrorCode =
  | 'bad_request'
  | 'invalid_parameters'
  | 'request_failed'
  | 'unauthorized'
  | 'invalid_token'
  | 'service_unauthorized'
  | 'forbidden'
  | 'permission_denied'
  | 'service_forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'naming_conflict'
  | 'conflict'
  | 'request_too_large'
  | 'unsupported_media_type'
  | 'too_many_requests'
  | 'too_many_service_requests'
  | 'internal_error'
  | 'bad_gateway'
  | 'service_not_available'
  | 'gateway_timeout';

/** One entry of a catalogue: what the caller sees. */
export interface ErrorEntry {
  /** HTTP status. */
  readonly status: number;
  /** `error_code` in REST answers. */
  readonly wire: WireErrorCode;
  /** `error` in OAuth answers (RFC 6749 §5.2 and its companions), where the entry can reach an OAuth endpoint. */
  readonly oauth?: string;
  /** Public text: what is wrong and the way out. `{name}` is filled from `params`. */
  readonly text: string;
}

export interface ErrorOptions {
  /** Values for the `{name}` places of the public text. */
  readonly params?: Readonly<Record<string, string | number>>;
  /** The field of the request that is at fault, as a dotted path. Public. */
  readonly field?: string;
  /** For the log only; never sent. */
  readonly detail?: string;
  /** For the log only; never sent. */
  readonly cause?: unknown;
  /** Seconds, for `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

/** The only error class we throw on purpose. Whatever else is thrown answers 500 and shows nothing. */
export class PlatformError extends Error {
  override readonly name = 'PlatformError';
  readonly code: string;
  readonly status: number;
  readonly wire: WireErrorCode;
  readonly oauth: string | undefined;
  readonly publicText: string;
  readonly field: string | undefined;
  readonly detail: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: string, entry: ErrorEntry, options: ErrorOptions = {}) {
    const publicText = entry.text.replace(/\{(\w+)\}/g, (place, name: string) => String(options.params?.[name] ?? place));
    super(publicText, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = entry.status;
    this.wire = entry.wire;
    this.oauth = entry.oauth;
    this.publicText = publicText;
    this.field = options.field;
    this.detail = options.detail;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

export type ErrorCatalogue<Code extends string = string> = Readonly<Record<Code, ErrorEntry>>;

const catalogues: ErrorCatalogue[] = [];

/**
 * Declares the errors of a slice: `const errors = defineErrors({ 'account.not_found': { status, wire, text } })`,
 * then `throw errors('account.not_found', { detail })`. Every catalogue is listed in `docs/reference/errors.md`.
 */
export function defineErrors<Code extends string>(catalogue: ErrorCatalogue<Code>): (code: Code, options?: ErrorOptions) => PlatformError {
  catalogues.push(catalogue);
  return (code, options) => new PlatformError(code, catalogue[code], options);
}

/** Every entry declared so far, by code: the source of the reference page. */
export function declaredErrors(): ReadonlyMap<string, ErrorEntry> {
  return new Map(catalogues.flatMap((catalogue) => Object.entries(catalogue)));
}
