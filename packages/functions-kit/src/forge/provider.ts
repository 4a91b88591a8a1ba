import { type Account, accounts } from '../index.ts';

/** An account of the service that a provider stands for, as Forge shows it. */
export interface ExternalAuthAccount {
  readonly id: string;
  readonly displayName: string;
  readonly scopes: readonly string[];
}

/** There is no account yet: whoever reads it has one connected in the Application. */
export class NeedsAuthenticationError extends Error {
  override readonly name = 'NEEDS_AUTHENTICATION_ERR';
  readonly serviceKey: string;
  readonly options: { readonly scopes: readonly string[] | undefined };

  constructor(provider: string, scopes?: readonly string[]) {
    super(`No account of the service "${provider}" is connected in this Application that the call may use`);
    this.serviceKey = provider;
    this.options = { scopes };
  }
}

export interface ProviderAccount {
  /** Whether there is one; what it was granted is the service's to say, with its answer. */
  hasCredentials(scopes?: readonly string[]): Promise<boolean>;
  /** Throws `NeedsAuthenticationError` where there is none. */
  requestCredentials(scopes?: readonly string[]): Promise<boolean>;
  getAccount(): Promise<ExternalAuthAccount | undefined>;
  /** A path below the base URL of the service. The credential is put in by the host. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

export interface Provider extends ProviderAccount {
  listAccounts(): Promise<ExternalAuthAccount[]>;
  asAccount(id: string): ProviderAccount;
}

/** What there is to choose from. */
type Find = () => Promise<readonly Account[]>;

function shown({ id, account, end_user, service }: Account): ExternalAuthAccount {
  return { id: String(id), displayName: account ?? end_user ?? service, scopes: [] };
}

function providerAccount(provider: string, find: Find): ProviderAccount {
  const first = async (): Promise<Account | undefined> => (await find()).find(({ active }) => active);
  const needed = async (scopes?: readonly string[]): Promise<Account> => {
    const found = await first();
    if (found === undefined) throw new NeedsAuthenticationError(provider, scopes);
    return found;
  };
  return {
    hasCredentials: async () => (await first()) !== undefined,
    requestCredentials: async (scopes) => (await needed(scopes)) !== undefined,
    getAccount: async () => {
      const found = await first();
      return found === undefined ? undefined : shown(found);
    },
    fetch: async (path, init) => accounts.account((await needed()).id).fetch(path.startsWith('/') ? path : `/${path}`, init),
  };
}

/** Accounts of one service: by the key of a provider, which is the service's name in the Application's catalogue. */
export function provider(key: string, mayUse: () => boolean): Provider {
  const find: Find = async () => (mayUse() ? accounts.list({ service: key }) : []);
  return {
    ...providerAccount(key, find),
    listAccounts: async () => (await find()).filter(({ active }) => active).map(shown),
    asAccount: (id) => providerAccount(key, async () => (await find()).filter((account) => String(account.id) === id)),
  };
}
