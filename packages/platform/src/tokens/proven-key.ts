import type { ApplicationId } from '@bulkhead/base';
import type { IncomingCall } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { ClientPrincipal, RequestContext } from '../access/index.ts';
import { readDpopProof } from './dpop-proof.ts';
import { spendDpopProof } from './dpop-proof-store.ts';
import { tokenErrors } from './token-errors.ts';

export interface ProvenKeyParts {
  readonly db: Database;
  readonly publicUrl: () => string;
}

/** Where a request went, by the public URL and never by its `Host` (A6). */
function addressOf(publicUrl: string, { target }: IncomingCall): string {
  return publicUrl + target.split('?')[0]!;
}

/**
 * The key that a request to the token endpoint or of a pushed authorization request proves to hold (RFC 9449 §5, §10.1), as its
 * thumbprint; null where it holds no proof. The proof is used up by this, whatever becomes of the request.
 * @throws dpop.proof_refused
 */
export async function provenKey(parts: ProvenKeyParts, context: RequestContext<ClientPrincipal>): Promise<string | null> {
  const header = context.call.headers['dpop'];
  if (header === undefined) return null;
  const { applicationId, call, now } = context;
  const refused = (problem: string) => tokenErrors('dpop.proof_refused', { params: { problem } });
  return prove(parts, { applicationId, call, now, accessToken: null, refused });
}

/**
 * Whether a request holds a proof for this token by this key (RFC 9449 §7.1).
 * @throws dpop.proof_refused_at_resource
 */
export async function proveBoundToken(
  parts: ProvenKeyParts,
  bound: {
    readonly applicationId: ApplicationId;
    readonly call: IncomingCall;
    readonly now: Date;
    readonly accessToken: string;
    readonly jkt: string;
  },
): Promise<void> {
  const refused = (problem: string) => tokenErrors('dpop.proof_refused_at_resource', { params: { problem } });
  await prove(parts, { ...bound, refused });
}

async function prove(
  { db, publicUrl }: ProvenKeyParts,
  wanted: {
    readonly applicationId: ApplicationId;
    readonly call: IncomingCall;
    readonly now: Date;
    readonly accessToken: string | null;
    /** The one key that will do. */
    readonly jkt?: string;
    readonly refused: (problem: string) => Error;
  },
): Promise<string> {
  const { applicationId, call, now, accessToken, refused } = wanted;
  const header = call.headers['dpop'];
  if (typeof header !== 'string') throw refused('one DPoP header is needed');
  const proof = await readDpopProof(header, { method: call.method, url: addressOf(publicUrl(), call), accessToken, now });
  if ('problem' in proof) throw refused(proof.problem);
  if (wanted.jkt !== undefined && wanted.jkt !== proof.jkt) throw refused('the token is bound to another key');
  // Last: a proof that is good for nothing takes no room.
  if (!(await db.withTenant(applicationId, (tx) => spendDpopProof(tx, { applicationId, ...proof, now }))))
    throw refused('it was used before');
  return proof.jkt;
}
