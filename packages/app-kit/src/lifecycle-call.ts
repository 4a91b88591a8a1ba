import { isUtf8 } from 'node:buffer';
import { Secret } from '@bulkhead/base';
import { z } from 'zod';
import { appRefusals } from './refusals.ts';

export type LifecycleEvent = 'installed' | 'uninstalled' | 'enabled' | 'disabled';

const BODY_BYTES_MAX = 65_536;
/** RFC 7518 §3.2: a key of HS256 has at least as many bits as its hash. */
const SECRET_LENGTH_MIN = 32;

const text = (max: number) => z.string().max(max).optional();

/** What a host says of a tenant. Fields of other hosts or times may stand beside these and are not kept. */
const payload = z.object({
  key: z.string().min(1).max(80),
  clientKey: z.string().min(1).max(255),
  eventType: z.enum(['installed', 'uninstalled', 'enabled', 'disabled']),
  baseUrl: text(2_000),
  sharedSecret: z.string().min(SECRET_LENGTH_MIN).max(512).optional(),
  oauthClientId: text(1_000),
  displayUrl: text(2_000),
  productType: text(100),
  description: text(2_000),
  serviceEntitlementNumber: text(255),
  entitlementId: text(255),
  entitlementNumber: text(255),
  installationId: text(500),
});

/** What is kept of a tenant beside its keys, as its host said it. */
export type TenantDetails = Pick<
  z.output<typeof payload>,
  'oauthClientId' | 'displayUrl' | 'productType' | 'description' | 'entitlementId' | 'entitlementNumber' | 'installationId'
>;

export interface LifecycleCall {
  readonly event: LifecycleEvent;
  readonly key: string;
  readonly clientKey: string;
  readonly baseUrl: string | undefined;
  readonly sharedSecret: Secret | undefined;
  readonly details: TenantDetails;
}

/** Reads the body of a lifecycle call. Nothing of it is true before its token was verified. Throws `app_kit.malformed`; quotes nothing. */
export function readLifecycleCall(body: Uint8Array, event: LifecycleEvent): LifecycleCall {
  if (body.byteLength > BODY_BYTES_MAX) throw appRefusals('app_kit.too_large');
  const parsed = payload.safeParse(isUtf8(body) ? parsedJson(Buffer.from(body).toString('utf8')) : undefined);
  if (!parsed.success) {
    const fields = parsed.error.issues.map(({ path }) => path.join('.') || 'body').join(', ');
    throw appRefusals('app_kit.malformed', { detail: `not as expected: ${fields}` });
  }
  const { key, clientKey, eventType, baseUrl, sharedSecret, ...rest } = parsed.data;
  if (eventType !== event) throw appRefusals('app_kit.malformed', { field: 'eventType' });
  if (event === 'installed' && (baseUrl === undefined || sharedSecret === undefined))
    throw appRefusals('app_kit.malformed', { field: baseUrl === undefined ? 'baseUrl' : 'sharedSecret' });
  const { serviceEntitlementNumber, ...details } = rest;
  const entitlementNumber = details.entitlementNumber ?? serviceEntitlementNumber;
  return {
    event,
    key,
    clientKey,
    baseUrl,
    sharedSecret: sharedSecret === undefined ? undefined : new Secret(sharedSecret),
    details: { ...details, ...(entitlementNumber === undefined ? {} : { entitlementNumber }) },
  };
}

function parsedJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
