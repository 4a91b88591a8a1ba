import { type Provider, provider } from './provider.ts';

/** A request to a product that there is none of behind this host. */
export class NoProductError extends Error {
  override readonly name = 'NoProductError';
}

function refuse(method: string): () => Promise<never> {
  return () =>
    Promise.reject(
      new NoProductError(
        `${method}: no Atlassian product stands behind this host. Call its API by a connected account, or by fetch to a host that the manifest declares`,
      ),
    );
}

/** What acts for the App or for a user: requests to products are refused, with the way out. */
export interface Acting {
  requestJira(...request: readonly unknown[]): Promise<never>;
  requestConfluence(...request: readonly unknown[]): Promise<never>;
  requestBitbucket(...request: readonly unknown[]): Promise<never>;
  requestGraph(...request: readonly unknown[]): Promise<never>;
  /** Accounts of a service: as a user that person's, as the App those of the Application. */
  withProvider(key: string, remote?: string): Provider;
}

/** `mayUse`: whether there are accounts for it, in the call that runs. */
export function acting(as: string, mayUse: () => boolean): Acting {
  return {
    requestJira: refuse(`${as}.requestJira`),
    requestConfluence: refuse(`${as}.requestConfluence`),
    requestBitbucket: refuse(`${as}.requestBitbucket`),
    requestGraph: refuse(`${as}.requestGraph`),
    withProvider: (key) => provider(key, mayUse),
  };
}
