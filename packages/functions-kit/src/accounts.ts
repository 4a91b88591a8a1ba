import { host } from './host.ts';
import { askHost } from './host-service.ts';

/** A connected account of the Application. What opens it at its service is never shown. */
export interface Account {
  readonly id: number;
  readonly service: string;
  /** Its name at the service. */
  readonly account: string | null;
  /** Whose it is, as the company calls them. */
  readonly end_user: string | null;
  readonly active: boolean;
  readonly health: string;
}

/** Calls to the service of one account, with that account's credential, which the host puts in. */
export interface AccountCalls {
  /** `path` below the base URL of the service's API, with its query; the rest as the WHATWG fetch. What the service answers is the answer. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

const SERVICE = 'http://host.bulkhead.internal/accounts';

/**
 * Accounts of the Application that the function runs for. A call that was made for an end user sees theirs only; any other acts as the App. The manifest
 * asks for it under `permissions.scopes`: `accounts:read` to list, `accounts:use` to call; what the App itself was granted (READ, WRITE, DELETE)
 * says by which methods.
 */
export const accounts = {
  /** 100 at most; the next ones with `page` 2. Throws `HostError`. */
  async list({ service, page = 1 }: { service?: string; page?: number } = {}): Promise<readonly Account[]> {
    const query = new URLSearchParams({ page: String(page), ...(service === undefined ? {} : { service }) });
    return (await askHost<{ accounts: readonly Account[] }>(`accounts?${query}`)).accounts;
  },

  account(id: number): AccountCalls {
    return {
      fetch(path, init) {
        if (!path.startsWith('/')) throw new TypeError('The path of a call begins with a slash: the host knows where the service is');
        return host().fetch(`${SERVICE}/${id}/proxy${path}`, init);
      },
    };
  },
};
