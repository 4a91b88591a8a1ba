import { createHash } from 'node:crypto';
import { randomBase62 } from '@bulkhead/base';
import { type AppDescriptor, appTarget, queryStringHash, sharedSecretKey, signConnectJwt } from '@bulkhead/protocol';
import type { DeliveryKind, Endpoint } from '../deliveries/index.ts';
import type { Vault } from '../vault/index.ts';
import type { AppInstall } from './app.ts';
import { openLifecycle } from './install-store.ts';

/** Stands in `deliveries.kind`; the trigger on `events` writes it. */
const KIND = 'app_webhook';
const TOKEN_SECONDS = 180;
const LANE = /^(ins[0-9A-Za-z]+)\.webhook\.[0-9a-f]{32}$/;

interface WebhookModule {
  readonly event: string;
  readonly url: string;
  readonly excludeBody?: boolean | undefined;
}

/** Those of the descriptor, and those that the App has added. */
export function webhookModules({
  descriptor,
  dynamicModules,
}: Pick<AppInstall, 'descriptor' | 'dynamicModules'>): readonly WebhookModule[] {
  return [...(descriptor?.modules?.webhooks ?? []), ...(dynamicModules.webhooks ?? [])];
}

/** The lane of calls to one module, as the trigger names it too. The digest is a name and protects nothing. */
export function appWebhookLane(clientKey: string, { event, url }: WebhookModule): string {
  return `${clientKey}.webhook.${createHash('md5').update(`${event} ${url}`).digest('hex')}`;
}

/**
 * An address with its variables (`{account.id}`, of old `${account.id}`) filled in, percent-encoded. One that is not known, or has no value
 * here, is empty.
 */
export function fillVariables(url: string, values: Readonly<Record<string, string | number | null | undefined>>): string {
  return url.replaceAll(/\$?\{([^{}]{1,200})\}/g, (_place, name: string) =>
    encodeURIComponent(String(Object.hasOwn(values, name) ? (values[name] ?? '') : '')).replaceAll(
      /[!'()*]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    ),
  );
}

/** What `deliveries` needs to know of the webhooks of Apps: signed HS256 with the shared secret, for this very address, anew at each attempt. */
export function appWebhookDeliveries({ vault }: { vault: Vault }): DeliveryKind {
  return {
    kind: KIND,
    policy: 'descriptor',
    async open(tx, endpointIds) {
      const clientKeys = endpointIds.flatMap((id) => LANE.exec(id)?.[1] ?? []);
      const opened = await openLifecycle(tx, vault, { applicationId: tx.applicationId, clientKeys, onlyEnabled: true });
      const endpoints = new Map<string, Endpoint>();
      for (const [clientKey, called] of opened)
        for (const module of webhookModules(called)) {
          const lane = appWebhookLane(clientKey, module);
          if (endpointIds.includes(lane)) endpoints.set(lane, webhookEndpoint({ ...called, clientKey, module }));
        }
      return endpoints;
    },
    // It is in the log of calls to the App; to be enabled or installed again begins anew.
    stopped: async () => undefined,
  };
}

function webhookEndpoint({
  clientKey,
  baseUrl,
  descriptor,
  sharedSecret,
  module,
}: {
  clientKey: string;
  baseUrl: string;
  descriptor: AppDescriptor;
  sharedSecret: Parameters<typeof sharedSecretKey>[0];
  module: WebhookModule;
}): Endpoint {
  return {
    url: baseUrl,
    sign({ messageId, subject, body }, now) {
      const event = JSON.parse(body) as { id: string; application_id: string; account_id: number | null };
      const values = {
        'event.id': event.id,
        'event.type': subject,
        'application.id': event.application_id,
        'account.id': event.account_id,
      };
      const place = appTarget(baseUrl, fillVariables(module.url, values)) ?? { url: baseUrl, target: '/' };
      const headers = { 'x-atlassian-webhook-identifier': messageId };
      const sent = { url: place.url, ...(module.excludeBody === true ? { body: '' } : {}) };
      if (descriptor.authentication.type !== 'jwt') return { ...sent, headers, confidential: [] };
      const iat = Math.floor(now.getTime() / 1_000);
      const claims = {
        iss: clientKey,
        iat,
        exp: iat + TOKEN_SECONDS,
        // Two webhooks of one second are two tokens: an App that refuses replays takes both.
        jti: randomBase62(22),
        qsh: queryStringHash({ method: 'POST', target: place.target }),
        context: {},
      };
      const token = signConnectJwt({ algorithm: 'HS256', key: sharedSecretKey(sharedSecret) }, claims);
      return {
        ...sent,
        headers: { ...headers, authorization: `JWT ${token}` },
        confidential: [token, token.slice(0, token.lastIndexOf('.')), ...token.split('.'), sharedSecret.reveal()],
      };
    },
  };
}
