import { type ApplicationId, constantTimeEqual, type Secret } from '@bulkhead/base';
import { httpErrors } from '@bulkhead/http';
import type { Tx } from '@bulkhead/postgres';
import type { Vault } from '../vault/index.ts';
import { findSource } from '../applications/index.ts';
import { type Configuration, LINEAGE_FIELDS, type LineageField, readConfiguration } from './configuration.ts';
import { provisioningErrors } from './provisioning-errors.ts';

export interface Difference {
  readonly field: LineageField;
  readonly source: unknown;
  readonly application: unknown;
  /** Services whose client secret differs from the template's; the secrets themselves are never shown. */
  readonly secrets_differ?: readonly string[];
}

export interface Lineage {
  readonly source: Configuration;
  readonly application: Configuration;
  readonly differences: readonly Difference[];
}

/** Compares an Application with its template, field by field. Runs as the system role: two Applications are read. */
export async function diffApplication(tx: Tx, vault: Vault, applicationId: ApplicationId): Promise<Lineage> {
  const application = await readConfiguration(tx, vault, applicationId);
  if (application === null) throw httpErrors('not_found');
  const sourceId = await findSource(tx, application.settings);
  const source = sourceId === null ? null : await readConfiguration(tx, vault, sourceId);
  if (source === null) throw provisioningErrors('lineage.no_source');
  const differences = LINEAGE_FIELDS.flatMap((field): Difference[] => {
    const secrets = field === 'oauth_keys' ? differingSecrets(source, application) : [];
    if (JSON.stringify(source.fields[field]) === JSON.stringify(application.fields[field]) && secrets.length === 0) return [];
    return [
      {
        field,
        source: source.fields[field],
        application: application.fields[field],
        ...(secrets.length === 0 ? {} : { secrets_differ: secrets }),
      },
    ];
  });
  return { source, application, differences };
}

function differingSecrets(source: Configuration, application: Configuration): string[] {
  return [...source.clientSecrets]
    .filter(([service, secret]) => application.clientSecrets.has(service) && !same(secret, application.clientSecrets.get(service) ?? null))
    .map(([service]) => service);
}

function same(left: Secret | null, right: Secret | null): boolean {
  return constantTimeEqual(Buffer.from(left?.reveal() ?? ''), Buffer.from(right?.reveal() ?? ''));
}
