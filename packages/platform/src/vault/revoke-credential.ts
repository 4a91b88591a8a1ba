import { type ApplicationId, type Clock, type Log, PlatformError } from '@bulkhead/base';
import type { Egress } from '@bulkhead/http';
import type { Database, Tx } from '@bulkhead/postgres';
import { z } from 'zod';
import { revoke, type RevokeResult } from '../services/index.ts';
import { type AnyTask, defineTask, enqueueTask, enqueueTasks, type TaskKind } from '../tasks/index.ts';
import type { OpenCredential } from './credential.ts';
import { type CredentialKey, deleteCredential, findCredential, markRevoked, openCredential, takeLease } from './credential-store.ts';
import { LEASE_MS } from './refresh-attempt.ts';
import { type ResolvedService, type ResolveService, UpstreamCalls } from './upstream-client.ts';
import { vaultErrors } from './vault-errors.ts';
import type { Vault } from './vault.ts';

/** Its name is how the incident kit finds what is still to be told. */
export const revocation: TaskKind<{ credentialId: string }> = {
  name: 'vault.revoke_credential',
  schema: z.strictObject({ credentialId: z.string() }),
};

/**
 * Has a credential revoked at its upstream and then forgotten. The caller has removed every reference to it in the same
 * transaction; the sealed row stays, detached, until the upstream has been told.
 */
export async function revokeLater(tx: Tx, { applicationId, credentialId }: CredentialKey): Promise<void> {
  await enqueueTask(tx, applicationId, revocation, { credentialId });
}

/**
 * The same for many at once, on an operator's word: from the commit on none of them is used or refreshed, not even by whoever had
 * read it before.
 */
export async function revokeAllLater(tx: Tx, applicationId: ApplicationId, credentialIds: readonly string[], now: Date): Promise<void> {
  await markRevoked(tx, applicationId, credentialIds, now);
  await enqueueTasks(
    tx,
    applicationId,
    revocation,
    credentialIds.map((credentialId) => ({ credentialId })),
  );
}

export interface RevocationOptions {
  readonly db: Database;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly egress: Pick<Egress, 'customFetch'>;
  readonly resolve: ResolveService;
  readonly log: Log;
}

/**
 * The task behind `revokeLater`. Running it twice is harmless: a revoked token is revoked (RFC 7009 §2.2), a forgotten
 * credential is nothing to do. It takes the refresh lease, so that no refresh under way brings new tokens that nobody revokes.
 */
export function revokeCredentialTask(options: RevocationOptions): AnyTask {
  const calls = new UpstreamCalls(options);
  const log = options.log.child({ slice: 'vault' });

  async function take(key: CredentialKey, now: Date) {
    return options.db.withTenant(key.applicationId, async (tx) => {
      const row = await findCredential(tx, key);
      if (row === null) return null;
      if (row.leaseUntil !== null && row.leaseUntil > now) return { runAgainAt: row.leaseUntil };
      // A broken or backing-off credential has no lease to take: nobody refreshes it.
      await takeLease(tx, key, { version: row.version, owner: 'revocation', until: new Date(now.getTime() + LEASE_MS), now });
      const resolved = await options.resolve(tx, key.applicationId, row.service);
      return { row, resolved, credential: await openCredential(tx, options.vault, row) };
    });
  }

  async function tell(
    key: CredentialKey,
    resolved: ResolvedService | null,
    credential: OpenCredential,
    signal: AbortSignal,
  ): Promise<RevokeResult> {
    if (credential.type !== 'oauth2' || resolved === null) return { kind: 'unsupported' };
    try {
      const exchange = await calls.exchange(key.applicationId, resolved, signal);
      const tokens = {
        accessToken: credential.accessToken,
        ...(credential.refreshToken === null ? {} : { refreshToken: credential.refreshToken }),
      };
      return await revoke({ ...exchange, tokens });
    } catch (thrown) {
      return { kind: 'failed', error: thrown instanceof PlatformError ? thrown.code : 'unexpected' };
    }
  }

  return defineTask(revocation.name, revocation.schema, async ({ applicationId, payload, isLastAttempt, now, signal }) => {
    const key = { applicationId, credentialId: payload.credentialId };
    const taken = await take(key, now);
    if (taken === null) return;
    if (taken.runAgainAt !== undefined) return { runAgainAt: taken.runAgainAt };
    const result = await tell(key, taken.resolved, taken.credential, signal);
    if (result.kind === 'failed' && !isLastAttempt) throw vaultErrors('vault.revocation_failed', { detail: result.error });
    await options.db.withTenant(applicationId, (tx) => deleteCredential(tx, key));
    log.info('a credential was revoked and forgotten', { ...key, service: taken.row.service, result });
  });
}
