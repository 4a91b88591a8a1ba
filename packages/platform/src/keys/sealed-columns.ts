import { oauthClientSecrets } from '../applications/index.ts';
import { codeVerifiers } from '../authorization/index.ts';
import {
  installVariableValues,
  invocationLogs,
  jobPayloads,
  previousWebtriggerSecrets,
  storageDigestKeys,
  storageValues,
  webtriggerSecrets,
} from '../functions/index.ts';
import { inboundPayloads, inboundSecrets, secondaryInboundSecrets } from '../inbound/index.ts';
import { appPropertyValues, appRecordValues, pendingSharedSecrets, sharedSecrets } from '../installs/index.ts';
import { organizationAnswers, tenantAnswers } from '../surfaces/index.ts';
import { credentialSecrets, type DefinedSealedColumn } from '../vault/index.ts';
import { previousWebhookSecrets, webhookSecrets } from '../webhooks/index.ts';

/**
 * Every column that holds values sealed under data keys: what a rotation of data keys seals anew. A test compares it with the
 * migrated database, so that a new one cannot be forgotten.
 */
export const SEALED_COLUMNS: readonly DefinedSealedColumn[] = [
  oauthClientSecrets,
  webhookSecrets,
  previousWebhookSecrets,
  inboundSecrets,
  secondaryInboundSecrets,
  inboundPayloads,
  sharedSecrets,
  pendingSharedSecrets,
  appPropertyValues,
  appRecordValues,
  invocationLogs,
  jobPayloads,
  storageDigestKeys,
  storageValues,
  installVariableValues,
  webtriggerSecrets,
  previousWebtriggerSecrets,
  credentialSecrets,
  codeVerifiers,
  tenantAnswers,
  organizationAnswers,
];
