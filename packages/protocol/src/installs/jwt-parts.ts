import { isUtf8 } from 'node:buffer';

/** No token of Connect comes near it; a header of a request has twice as much room in Node. */
const LENGTH_MAX = 8192;
const KEY_ID_LENGTH_MAX = 256;

/** Why a token was refused. For the log and for tests; a caller learns only that it was. */
export type JwtProblem =
  | 'length'
  | 'parts'
  | 'encoding'
  | 'json'
  | 'header'
  | 'algorithm'
  | 'type'
  | 'key_id'
  | 'claims'
  | 'signature'
  | 'not_yet'
  | 'expired'
  | 'lifetime'
  | 'audience';

export interface JwtRefusal {
  readonly refused: JwtProblem;
}

/** RFC 7515 §4.1, and nothing else of it: no `jwk`, `jku`, `x5u`, `x5c`, `crit`. */
export interface JwtHeader {
  readonly alg: string;
  readonly typ?: string;
  readonly kid?: string;
}

export interface JwtParts {
  readonly header: JwtHeader;
  readonly payload: Readonly<Record<string, unknown>>;
  /** The first two parts as sent: what is signed. */
  readonly signingInput: string;
  readonly signature: Buffer;
}

/** The three parts of a compact JWS (RFC 7515 §7.1), each in its one spelling. Nothing is verified. */
export function decodeJwt(token: string): JwtParts | JwtRefusal {
  if (token.length > LENGTH_MAX) return { refused: 'length' };
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first <= 0 || second <= first + 1 || second === token.length - 1 || token.includes('.', second + 1)) return { refused: 'parts' };
  const header = readHeader(token.slice(0, first));
  if ('refused' in header) return header;
  const payloadBytes = fromBase64url(token.slice(first + 1, second));
  const signature = fromBase64url(token.slice(second + 1));
  if (payloadBytes === null || signature === null) return { refused: 'encoding' };
  const payload = parsedObject(payloadBytes);
  return payload === null ? { refused: 'json' } : { header, payload, signingInput: token.slice(0, second), signature };
}

/** Headers that were read before: a host writes the same few each time, and reading one costs as much as an HMAC. */
const headers = new Map<string, JwtHeader>();
const HEADERS_MAX = 100;
const KEPT_LENGTH_MAX = 200;

function readHeader(text: string): JwtHeader | JwtRefusal {
  const known = headers.get(text);
  if (known !== undefined) return known;
  const bytes = fromBase64url(text);
  if (bytes === null) return { refused: 'encoding' };
  const parsed = parsedObject(bytes);
  if (parsed === null) return { refused: 'json' };
  const header = checkedHeader(parsed);
  if (header === null) return { refused: 'header' };
  // Anybody can make one up, so there is an end to them.
  if (headers.size >= HEADERS_MAX) headers.clear();
  if (text.length <= KEPT_LENGTH_MAX) headers.set(text, Object.freeze(header));
  return header;
}

/** RFC 4648 §5 without padding, and canonical: unused bits are zero, so that one value has one text. */
function fromBase64url(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}

function parsedObject(bytes: Buffer): Readonly<Record<string, unknown>> | null {
  if (!isUtf8(bytes)) return null;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.hasOwn(value, '__proto__')) return null;
  return value as Readonly<Record<string, unknown>>;
}

function checkedHeader(header: Readonly<Record<string, unknown>>): JwtHeader | null {
  for (const name of Object.keys(header)) if (name !== 'alg' && name !== 'typ' && name !== 'kid') return null;
  const { alg, typ, kid } = header;
  if (typeof alg !== 'string') return null;
  if (typ !== undefined && typeof typ !== 'string') return null;
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > KEY_ID_LENGTH_MAX)) return null;
  return { alg, ...(typ === undefined ? {} : { typ }), ...(kid === undefined ? {} : { kid }) };
}
