import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Clock } from '@bulkhead/base';
import type { Issuer } from './issuer.ts';
import { type Fetch, readBounded } from './outbound.ts';
import { appRefusals } from './refusals.ts';

const KEY_ID = /^[A-Za-z0-9_-]{1,128}$/;
const PEM = /^\s*-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]{100,8000}-----END PUBLIC KEY-----\s*$/;
const PEM_BYTES_MAX = 16_384;
const TIMEOUT_MS = 5_000;
const FOUND_FOR_MS = 3_600_000;
const ABSENT_FOR_MS = 60_000;
const ENTRIES_MAX = 1_000;
const BITS_MIN = 2048;
/** Look-ups of key ids nobody has seen, per minute: an id costs whoever invents it nothing. */
const LOOKUPS_PER_MINUTE = 60;

/** A public key, and whose it is. */
export interface IssuerKey {
  readonly issuer: Issuer;
  readonly key: KeyObject;
}

interface Entry {
  readonly until: number;
  readonly keys: Promise<readonly IssuerKey[]>;
}

/**
 * Public keys by `kid`, from the key servers of the configured issuers and nowhere else: what a request says decides neither the server nor,
 * beyond a checked id, the path. What was found is kept for an hour, what was not for a minute; one question at a time per id.
 */
export class KeyResolver {
  readonly #issuers: readonly Issuer[];
  readonly #fetch: Fetch;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  #window = { since: 0, lookups: 0 };

  constructor(options: { readonly issuers: readonly Issuer[]; readonly fetch: Fetch; readonly clock: Clock }) {
    this.#issuers = options.issuers;
    this.#fetch = options.fetch;
    this.#clock = options.clock;
  }

  /**
   * The keys under this id, at most one per issuer; none where the id is not one or no issuer knows it. Throws
   * `app_kit.key_server_unavailable` where an issuer that may know it does not answer.
   */
  async find(kid: string): Promise<readonly IssuerKey[]> {
    if (!KEY_ID.test(kid)) return [];
    const now = this.#clock.now();
    const known = this.#entries.get(kid);
    if (known !== undefined && known.until > now) return known.keys;
    this.#assertBudget(now);
    const keys = this.#ask(kid);
    this.#keep(kid, { until: now + FOUND_FOR_MS, keys });
    try {
      const found = await keys;
      if (found.length === 0) this.#keep(kid, { until: now + ABSENT_FOR_MS, keys });
      return found;
    } catch (failure) {
      if (this.#entries.get(kid)?.keys === keys) this.#entries.delete(kid);
      throw failure;
    }
  }

  async #ask(kid: string): Promise<readonly IssuerKey[]> {
    const answers = await Promise.all(this.#issuers.map((issuer) => this.#askIssuer(issuer, kid)));
    const found = answers.flatMap((answer) => (answer === 'absent' || answer === 'unavailable' ? [] : [answer]));
    if (found.length === 0 && answers.includes('unavailable')) throw appRefusals('app_kit.key_server_unavailable');
    return found;
  }

  async #askIssuer(issuer: Issuer, kid: string): Promise<IssuerKey | 'absent' | 'unavailable'> {
    let unavailable = false;
    for (const keyServer of issuer.keyServers) {
      const answer = await this.#askServer(`${keyServer.replace(/\/+$/, '')}/${kid}`);
      if (answer === 'unavailable') unavailable = true;
      else if (answer !== 'absent') return { issuer, key: answer };
    }
    return unavailable ? 'unavailable' : 'absent';
  }

  async #askServer(url: string): Promise<KeyObject | 'absent' | 'unavailable'> {
    try {
      const answer = await this.#fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (answer.status === 404 || answer.status === 410) {
        await answer.body?.cancel();
        return 'absent';
      }
      const text = answer.status === 200 ? await readBounded(answer, PEM_BYTES_MAX) : null;
      if (text === null || !PEM.test(text)) return 'unavailable';
      const key = createPublicKey(text);
      const isStrong = key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= BITS_MIN;
      return isStrong ? key : 'unavailable';
    } catch {
      return 'unavailable';
    }
  }

  #keep(kid: string, entry: Entry): void {
    this.#entries.delete(kid);
    this.#entries.set(kid, entry);
    if (this.#entries.size <= ENTRIES_MAX) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      break;
    }
  }

  #assertBudget(now: number): void {
    if (now - this.#window.since >= 60_000) this.#window = { since: now, lookups: 0 };
    if (++this.#window.lookups > LOOKUPS_PER_MINUTE)
      throw appRefusals('app_kit.key_server_unavailable', { detail: 'too many unknown ids' });
  }
}
