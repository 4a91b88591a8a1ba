import { defineId } from '@bulkhead/base';
import type { TenantTx } from '@bulkhead/postgres';
import type { LifecycleEventType } from '@bulkhead/protocol';
import { cancelDeliveries, clearEndpoint, type DeliveryKind, type Endpoint, insertDelivery } from '../deliveries/index.ts';
import type { Vault } from '../vault/index.ts';
import type { AppInstall } from './app.ts';
import { appWebhookLane, webhookModules } from './app-webhooks.ts';
import type { InstallKeys } from './install-keys.ts';
import { openLifecycle } from './install-store.ts';
import { lifecycleEndpoint, lifecyclePayload, tenantBaseUrl } from './lifecycle-call.ts';

/** Stands in `deliveries.kind`. */
export const LIFECYCLE_KIND = 'lifecycle';
/** Between two events of one change. */
const STEP_MS = 1_000;
const callId = defineId('lfc');

/** What is told after the fact; `installed` is told while somebody waits. */
export type LaterEvent = Exclude<LifecycleEventType, 'installed'>;
export const LATER_EVENTS: readonly LaterEvent[] = ['enabled', 'disabled', 'uninstalled'];

/** The lane of one kind of call to one install: `{clientKey}.{event}`. */
export function lifecycleLane(clientKey: string, event: LifecycleEventType): string {
  return `${clientKey}.${event}`;
}

/**
 * Writes what the App is to be told of a change, in the transaction of the change, and takes back what still waits to be told of the state
 * before: an App that was away does not hear later that it is disabled when it is not.
 */
export async function tellLater(
  tx: TenantTx,
  { publicUrl }: { readonly publicUrl: () => string },
  install: AppInstall,
  events: readonly LaterEvent[],
  now: Date,
): Promise<void> {
  const { applicationId } = tx;
  const { clientKey, appKey, descriptor } = install;
  for (const event of LATER_EVENTS) {
    const lane = lifecycleLane(clientKey, event);
    await cancelDeliveries(tx, applicationId, lane, now);
    if (!events.includes(event) || descriptor?.lifecycle?.[event] === undefined) continue;
    await clearEndpoint(tx, applicationId, lane);
    await insertDelivery(tx, {
      applicationId,
      kind: LIFECYCLE_KIND,
      endpointId: lane,
      message: {
        messageId: callId.generate(),
        subject: event,
        contentType: 'application/json',
        body: lifecyclePayload(event, { appKey, clientKey, hostUrl: tenantBaseUrl(publicUrl(), applicationId) }),
      },
      // An App that forgets its secret with the last event can still verify the one before.
      runAt: new Date(now.getTime() + STEP_MS * events.indexOf(event)),
      now,
    });
  }
  // Webhooks that were stopped for failing begin anew; what waited for an App that is off now is cancelled when its turn comes.
  if (events.includes('enabled'))
    for (const module of webhookModules(install)) await clearEndpoint(tx, applicationId, appWebhookLane(clientKey, module));
}

/** What `deliveries` needs to know of lifecycle calls: `uninstalled` is signed with an install key, the others with the shared secret. */
export function lifecycleDeliveries({ vault, installKeys }: { vault: Vault; installKeys: InstallKeys }): DeliveryKind {
  return {
    kind: LIFECYCLE_KIND,
    policy: 'descriptor',
    async open(tx, endpointIds) {
      const lanes = endpointIds.flatMap((id) => {
        const [clientKey = '', event = ''] = id.split('.');
        return LATER_EVENTS.includes(event as LaterEvent) ? [{ id, clientKey, event: event as LaterEvent }] : [];
      });
      const opened = await openLifecycle(tx, vault, {
        applicationId: tx.applicationId,
        clientKeys: lanes.map(({ clientKey }) => clientKey),
      });
      const endpoints = new Map<string, Endpoint>();
      for (const { id, clientKey, event } of lanes) {
        const known = opened.get(clientKey);
        if (known === undefined) continue;
        const { baseUrl, descriptor, sharedSecret } = known;
        const isSigned = descriptor.authentication.type === 'jwt';
        const signer = !isSigned ? null : event === 'uninstalled' ? await installKeys.signing() : { sharedSecret };
        const endpoint = lifecycleEndpoint({ baseUrl, path: descriptor.lifecycle?.[event], clientKey }, signer, [sharedSecret]);
        if (endpoint !== null) endpoints.set(id, endpoint);
      }
      return endpoints;
    },
    // Nobody waits for these: that an App has not heard is in the log of its calls.
    stopped: async () => undefined,
  };
}
