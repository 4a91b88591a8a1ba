import { randomBytes } from 'node:crypto';
import { constantTimeEqual, Secret, sha256 } from '@bulkhead/base';
import { standardWebhookSecret, type WebtriggerAuthentication, type WebtriggerScheme } from '@bulkhead/protocol';
import { type InboundRequest, schemes, seconds, type SignatureProof, signedDigest, verifyInbound } from '../inbound/index.ts';

/** How far a signed time may lie from now where no service says otherwise, in seconds (Standard Webhooks). */
const TOLERANCE_SECONDS = 300;
const STANDARD_KEY = 'whsec_';

/**
 * Standard Webhooks, over the bytes. A secret that was made elsewhere is a `whsec_…`; of ours (`bhs_…`) the key is what `signing_secret` shows.
 */
const standardWebhooks: SignatureProof = {
  kind: 'signature',
  key: (secret) => {
    const text = secret.reveal().startsWith(STANDARD_KEY) ? secret.reveal() : standardWebhookSecret(secret).reveal();
    return Buffer.from(text.slice(STANDARD_KEY.length), 'base64');
  },
  headers: ['webhook-signature'],
  split: (text) => text.split(' '),
  prefix: 'v1,',
  encoding: 'base64',
  time: {
    // An id is a part of what is signed, and so of what is told apart.
    read: (request) => (request.header('webhook-id') === null ? null : seconds('webhook-timestamp')(request)),
    toleranceSeconds: TOLERANCE_SECONDS,
  },
  signed: ({ header, body }, time) => [`${header('webhook-id')}.${time}.`, body],
};

function proofOf(scheme: WebtriggerScheme): SignatureProof {
  if (scheme === 'standard-webhooks') return standardWebhooks;
  const { proof } = schemes[scheme];
  if (proof.kind !== 'signature') throw new TypeError(`${scheme} signs nothing`);
  return proof;
}

/** By what a secret counts: one that was made for a bearer signs nothing, and none of a scheme is another's. Null where none is needed. */
export function secretKind(authentication: WebtriggerAuthentication): string | null {
  return authentication.type === 'hmac' ? authentication.scheme : authentication.type === 'bearer' ? 'bearer' : null;
}

export interface ProvenCall {
  /** What no second request may have, and until when it could; null where the request says nothing that tells it from another. */
  readonly once: { readonly digest: Buffer; readonly expiresAt: Date } | null;
}

/** Whether a request proves that it may call; null where it does not. Takes the same time wherever two values differ. */
export function proveWebtriggerCall(
  authentication: WebtriggerAuthentication,
  request: InboundRequest,
  secrets: readonly Secret[],
  now: Date,
): ProvenCall | null {
  switch (authentication.type) {
    case 'none':
      return { once: null };
    case 'bearer': {
      const [, token] = /^Bearer +([\x21-\x7E]+) *$/i.exec(request.header('authorization') ?? '') ?? [];
      if (token === undefined) return null;
      const isKnown = secrets.map((secret) => constantTimeEqual(sha256(secret.reveal()), sha256(token))).includes(true);
      return isKnown ? { once: null } : null;
    }
    case 'hmac': {
      const proof = proofOf(authentication.scheme);
      if (secrets.length === 0 || verifyInbound({ proof }, request, secrets, now) !== null) return null;
      const digest = signedDigest(proof, request);
      // Twice the tolerance: a time may lie as far in the future.
      const expiresAt = new Date(now.getTime() + 2 * (proof.time?.toleranceSeconds ?? 0) * 1_000);
      return { once: digest === null ? null : { digest, expiresAt } };
    }
  }
}

const DECOY = [new Secret(randomBytes(32).toString('base64url'))];

/** Makes the work of refusing an address that there is not that of refusing one that there is. */
export function proveNothing(request: InboundRequest, now: Date): void {
  proveWebtriggerCall({ type: 'hmac', scheme: 'github' }, request, DECOY, now);
}
