import { constantTimeEqual, hmacSha256, type Secret, sha256 } from '@bulkhead/base';

/** What a service sent, as far as its signature may be about it. */
export interface InboundRequest {
  readonly method: string;
  /** The address that the service was given: our public URL and the request's own target, never a `Host` header. */
  readonly url: string;
  /** A header that came exactly once. Null for one that is absent, empty or came twice. */
  readonly header: (name: string) => string | null;
  readonly body: Buffer;
}

/** Whom a message concerns, in the words by which `accounts` knows the identities of its service. */
export interface Concerned {
  /** The nearest first: the first of these that is connected. */
  readonly firstOf?: readonly string[];
  /** Every one of these that is connected. */
  readonly allOf?: readonly string[];
  /** Where none was found: the account below this (`T1` of `T1/U2`), if there is just one. */
  readonly soleBelow?: string;
  /** The number of the account, where the company itself has put it into what the service sends back. */
  readonly accountId?: number;
}

/** What a message says about itself. */
export interface Told {
  /** The service's own word for what happened. */
  readonly type: string | null;
  /** The service's id of the delivery or of the event, for the company's support. */
  readonly deliveryId: string | null;
  /**
   * What is the same whenever the same thing is delivered again, and no other time. Taken from what is signed wherever anything is, so
   * that a captured message cannot come again in other clothes. Null: the service tells no two messages apart.
   */
  readonly once: string | null;
  readonly concerned: Concerned;
}

export interface SignatureProof {
  readonly kind: 'signature';
  /** The key that a secret stands for. Default: its text. */
  readonly key?: (secret: Secret) => Buffer;
  /** Headers that may hold a signature; one good one is enough. */
  readonly headers: readonly string[];
  /** What stands before each signature in its header. */
  readonly prefix?: string;
  readonly encoding: 'hex' | 'base64';
  /** The signatures of one header's text, where it holds more than one thing. */
  readonly split?: (text: string) => readonly string[];
  /** Null: the service does not sign a time. */
  readonly time: {
    /** As it is signed, and in milliseconds since 1970; null where there is none. */
    readonly read: (request: InboundRequest) => { readonly text: string; readonly ms: number } | null;
    readonly toleranceSeconds: number;
  } | null;
  /** The parts over which the HMAC-SHA256 is made, in order. */
  readonly signed: (request: InboundRequest, time: string) => readonly (string | Buffer)[];
}

/** A text that both sides know, sent as it is: it proves who sent the message, not that nobody has altered it on the way. */
interface TokenProof {
  readonly kind: 'token';
  readonly header: string;
}

/** How a service's messages are verified and read: an entry of `schemes.ts`. */
export interface Scheme {
  readonly title: string;
  /** What the service calls the secret, for whoever has to find it. */
  readonly secretName: string;
  readonly documentation: string;
  readonly proof: SignatureProof | TokenProof;
  readonly read: (payload: unknown, request: InboundRequest) => Told;
  /** What is kept as content, where that is more than the body. */
  readonly content?: (payload: unknown, request: InboundRequest) => unknown;
  /** What a verified hand-shake is answered with; null for any other message. */
  readonly challenge?: (payload: unknown) => string | null;
  /** Members that open something at the service, wherever they stand: never stored. */
  readonly secretMembers?: readonly string[];
}

/** Why a message is not what it says; for the log. */
export type Unverified = 'no signature' | 'no time' | 'too old' | 'of the future' | 'signature differs' | 'token differs';

/**
 * Whether a message was made by who knows one of the secrets, and lately, where the scheme has a time. Null if so. Comparisons take the
 * same time wherever two values differ.
 */
export function verifyInbound(
  { proof }: Pick<Scheme, 'proof'>,
  request: InboundRequest,
  secrets: readonly Secret[],
  now: Date,
): Unverified | null {
  if (proof.kind === 'token') {
    const token = request.header(proof.header);
    if (token === null) return 'no signature';
    // Digests, so that not even the length of the secret can be measured.
    const isKnown = secrets.map((secret) => constantTimeEqual(sha256(secret.reveal()), sha256(token))).includes(true);
    return isKnown ? null : 'token differs';
  }
  const signatures = proof.headers.flatMap((name) => signaturesOf(proof, request.header(name)));
  if (signatures.length === 0) return 'no signature';
  const time = proof.time?.read(request) ?? null;
  if (proof.time !== null && time === null) return 'no time';
  const signed = proof.signed(request, time?.text ?? '');
  const isGood = secrets
    .map((secret) => hmacSha256(proof.key?.(secret) ?? secret.reveal(), ...signed))
    .flatMap((expected) => signatures.map((signature) => constantTimeEqual(expected, signature)))
    .includes(true);
  if (!isGood) return 'signature differs';
  if (proof.time === null || time === null) return null;
  const toleranceMs = proof.time.toleranceSeconds * 1_000;
  if (time.ms < now.getTime() - toleranceMs) return 'too old';
  return time.ms > now.getTime() + toleranceMs ? 'of the future' : null;
}

/**
 * What tells one signed request from every other: a digest of what was signed, which no other spelling of the signature changes. Null where the
 * scheme signs no time: there a request may come again at any time, and be meant.
 */
export function signedDigest({ time, signed }: SignatureProof, request: InboundRequest): Buffer | null {
  const read = time?.read(request) ?? null;
  return read === null ? null : hmacSha256('signed', ...signed(request, read.text));
}

const SIGNATURES_MAX = 10;
const FORMS = { hex: /^[0-9a-f]{64}$/, base64: /^[A-Za-z0-9+/]{43}=$/ } as const;

/** The bytes of each signature in a header that has the one form the scheme has. */
function signaturesOf({ prefix = '', encoding, split }: SignatureProof, text: string | null): Buffer[] {
  if (text === null) return [];
  return (split?.(text) ?? [text])
    .slice(0, SIGNATURES_MAX)
    .filter((each) => each.startsWith(prefix) && FORMS[encoding].test(each.slice(prefix.length)))
    .map((each) => Buffer.from(each.slice(prefix.length), encoding));
}
