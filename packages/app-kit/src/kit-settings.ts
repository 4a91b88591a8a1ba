import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { type Clock, type Log, type Secret, silentLog, systemClock } from '@bulkhead/base';
import { assertIssuers, type Issuer } from './issuer.ts';
import { KeyResolver } from './key-resolver.ts';
import type { Fetch } from './outbound.ts';
import type { TenantStore } from './store/tenant-store.ts';

const SESSION_KEY_LENGTH_MIN = 32;

/** Where the kit says what it did and why it refused: `console` will do. No token, secret or body comes here. */
export type AppLog = Omit<Log, 'child'>;

export interface BaseUrlChange {
  readonly clientKey: string;
  readonly from: string;
  readonly to: string;
}

export interface AppKitOptions {
  /** `key` of the descriptor. */
  readonly key: string;
  /** `baseUrl` of the descriptor, character by character: lifecycle tokens name it. */
  readonly baseUrl: string;
  /** Further base URLs that hosts may still know this App by. */
  readonly otherBaseUrls?: readonly string[];
  readonly issuers: readonly Issuer[];
  readonly store: TenantStore;
  /** Of this App and nobody else, 32 characters or more: its own session tokens are signed with a key made of it. */
  readonly sessionSecret: Secret;
  /** Default: `globalThis.fetch`. */
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  /** Default: silent. */
  readonly log?: AppLog;
  /**
   * Asked when a signed `installed` brings another base URL than the tenant has (a host may rename a site). Default: refused, because
   * the body of the call is not signed.
   */
  readonly allowBaseUrlChange?: (change: BaseUrlChange) => boolean | Promise<boolean>;
  /** How long a former secret still counts once the host has used the new one. Default: 15 minutes. */
  readonly secretGraceMs?: number;
  /** How long what belongs to an uninstalled tenant is kept for `purge`. Default: 30 days. */
  readonly keepUninstalledMs?: number;
}

/** The options, checked, with every default in its place. What the verifiers share. */
export interface KitSettings {
  readonly key: string;
  readonly baseUrl: string;
  readonly audiences: readonly string[];
  /** Path of the base URL, without a closing slash: no part of what is signed. */
  readonly basePath: string;
  readonly issuers: readonly Issuer[];
  readonly keys: KeyResolver;
  readonly store: TenantStore;
  readonly sessionKey: KeyObject;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly log: AppLog;
  readonly allowBaseUrlChange: (change: BaseUrlChange) => boolean | Promise<boolean>;
  readonly secretGraceMs: number;
  readonly keepUninstalledMs: number;
}

export function kitSettings(options: AppKitOptions): KitSettings {
  const { key, baseUrl, issuers, store, clock = systemClock } = options;
  if (!/^[a-zA-Z0-9-._]{1,80}$/.test(key)) throw new RangeError('a key has 1 to 80 letters, digits, - . and _');
  if (store.appKey !== key) throw new RangeError(`the store belongs to ${store.appKey}`);
  if (options.sessionSecret.reveal().length < SESSION_KEY_LENGTH_MIN) throw new RangeError('a session secret has 32 characters or more');
  assertIssuers(issuers);
  const url = new URL(baseUrl);
  if (url.search !== '' || url.hash !== '') throw new RangeError('a base URL has no query and no fragment');
  const fetch: Fetch = options.fetch ?? ((target, init) => globalThis.fetch(target, init));
  return {
    key,
    baseUrl,
    audiences: [baseUrl, ...(options.otherBaseUrls ?? [])],
    basePath: url.pathname.replace(/\/+$/, ''),
    issuers,
    keys: new KeyResolver({ issuers, fetch, clock }),
    store,
    sessionKey: createSecretKey(createHmac('sha256', options.sessionSecret.reveal()).update(`app-kit session v1 ${key}`).digest()),
    fetch,
    clock,
    log: options.log ?? silentLog,
    allowBaseUrlChange: options.allowBaseUrlChange ?? (() => false),
    secretGraceMs: options.secretGraceMs ?? 900_000,
    keepUninstalledMs: options.keepUninstalledMs ?? 30 * 86_400_000,
  };
}
