import { randomBytes } from 'node:crypto';
import { type ApplicationId, applicationId as applicationIds, Secret } from '@bulkhead/base';
import type { Database, Tx } from '@bulkhead/postgres';
import { findAccount, findAccountsBelow, findAccountsOfIdentities } from '../accounts/index.ts';
import { getEventSettings } from '../applications/index.ts';
import { appendEvents } from '../events/index.ts';
import type { Vault } from '../vault/index.ts';
import { inboundErrors } from './inbound-errors.ts';
import { inboundMessageId, insertInboundMessage, spendDelivery } from './inbound-message-store.ts';
import { openInboundWebhook } from './inbound-webhook-store.ts';
import { readPayload } from './read-payload.ts';
import { type Concerned, type InboundRequest, type Scheme, verifyInbound } from './scheme.ts';
import { schemes } from './schemes.ts';

export interface ReceivingParts {
  readonly db: Database;
  readonly vault: Vault;
}

/** Makes the work of refusing an Application that does not expect the service that of refusing one that does. */
const DECOY = { scheme: 'github', secrets: [new Secret(randomBytes(32).toString('base64url'))] } as const;

const HOUR_MS = 3_600_000;
const RETENTION_HOURS_MAX = 720;

/**
 * Takes a message that a service sends. First it is verified: until then nothing of it is believed, parsed or kept, and whatever is
 * wrong, up to the Application that there is not, is `inbound.unverified`. Then, in the same transaction, it is noted as received (once),
 * mapped to the accounts it concerns, kept, and appended to the event log. Answers what a hand-shake wants to hear, else null.
 */
export async function receiveMessage(
  { db, vault }: ReceivingParts,
  { named, service, request, now }: { named: string; service: string; request: InboundRequest; now: Date },
): Promise<string | null> {
  if (!applicationIds.is(named)) throw inboundErrors('inbound.unverified', { detail: 'no id of an Application' });
  const applicationId = named;
  return db.withTenant(applicationId, async (tx) => {
    const expected = await openInboundWebhook(tx, vault, applicationId, service);
    const { scheme: schemeId, secrets } = expected ?? DECOY;
    const scheme: Scheme = schemes[schemeId];
    const problem = verifyInbound(scheme, request, secrets, now);
    if (expected === null || problem !== null)
      throw inboundErrors('inbound.unverified', { detail: expected === null ? 'no secret is set' : (problem ?? '') });
    const body = readPayload(request.body, request.header('content-type'), scheme.secretMembers);
    const payload = scheme.content?.(body, request) ?? body;
    const challenge = scheme.challenge?.(payload) ?? null;
    if (challenge === null) await keepMessage({ vault, scheme }, tx, { applicationId, service, request, payload, now });
    return challenge;
  });
}

async function keepMessage(
  { vault, scheme }: { vault: Vault; scheme: Scheme },
  tx: Tx,
  message: { applicationId: ApplicationId; service: string; request: InboundRequest; payload: unknown; now: Date },
): Promise<void> {
  const { applicationId, service, request, payload, now } = message;
  const { type, deliveryId, once, concerned } = scheme.read(payload, request);
  if (once !== null && !(await spendDelivery(tx, { applicationId, service, once, now }))) return;
  const [accountIds, { retentionHours }] = await Promise.all([
    concernedAccounts(tx, applicationId, service, concerned),
    getEventSettings(tx, applicationId),
  ]);
  const messageId = inboundMessageId.generate();
  const expiresAt = new Date(now.getTime() + Math.min(retentionHours, RETENTION_HOURS_MAX) * HOUR_MS);
  await insertInboundMessage(tx, vault, applicationId, {
    messageId,
    service,
    type,
    deliveryId,
    accountIds,
    receivedAt: now,
    expiresAt,
    payload,
  });
  const data = { service, type, message_id: messageId, delivery_id: deliveryId };
  const ofAccounts = accountIds.length === 0 ? [null] : accountIds;
  await appendEvents(
    tx,
    ofAccounts.map((accountId) => ({ applicationId, type: 'inbound.received', accountId, at: now, data })),
  );
}

/** The accounts of this Application and this service that a message concerns. What it says decides among these and no others. */
async function concernedAccounts(
  tx: Tx,
  applicationId: ApplicationId,
  service: string,
  { firstOf = [], allOf = [], soleBelow, accountId }: Concerned,
): Promise<readonly number[]> {
  if (accountId !== undefined) {
    const account = await findAccount(tx, applicationId, accountId);
    if (account?.service === service) return [accountId];
  }
  const found = await findAccountsOfIdentities(tx, { applicationId, service }, [...firstOf, ...allOf]);
  const all = allOf.flatMap((identity) => found.get(identity) ?? []);
  if (all.length > 0) return [...new Set(all)];
  const nearest = firstOf.map((identity) => found.get(identity)).find((id) => id !== undefined);
  if (nearest !== undefined) return [nearest];
  const below = soleBelow === undefined ? [] : await findAccountsBelow(tx, { applicationId, service }, soleBelow, 2);
  return below.length === 1 ? below : [];
}
