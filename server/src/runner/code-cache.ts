import type { ApiClient } from './api-client.ts';

const CODES_MAX = 32;

/** Code by its version, which holds its SHA-256. Installs that run the same code share the text, not the process. */
export class CodeCache {
  readonly #client: ApiClient;
  readonly #codes = new Map<string, string>();

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** Asks by the token of a running call where it is not there. Throws where the api role does not give it. */
  async get(apiUrl: string, version: string, token: string): Promise<string> {
    const kept = this.#codes.get(version);
    if (kept !== undefined) return kept;
    const { status, body } = await this.#client.call(`${apiUrl}/internal/functions/code`, { method: 'GET', token });
    if (status !== 200) throw new Error(`the api role answered ${status} for the code`);
    const { code } = JSON.parse(body.toString('utf8')) as { code: string };
    if (this.#codes.size >= CODES_MAX) this.#codes.delete(this.#codes.keys().next().value!);
    this.#codes.set(version, code);
    return code;
  }
}
