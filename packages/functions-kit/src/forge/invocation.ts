import { type CallContext, host } from '../host.ts';

/** Who a Forge function is called for: the second argument of a handler. There is no `license`, and no `principal` where nobody is behind the call. */
export interface ForgeContext {
  /** `ari:cloud:bulkhead::site/` and the id of the Application. */
  readonly installContext: string;
  readonly installation: { readonly ari: NamedId<'installationId'>; readonly contexts: readonly { readonly cloudId: string }[] };
  readonly principal?: { readonly accountId: string };
}

/** An id that prints as an ARI. */
export type NamedId<Name extends string> = { readonly [name in Name]: string } & { toString(): string };

export function namedId<Name extends string>(name: Name, id: string, resource: string): NamedId<Name> {
  const made = { [name]: id } as { readonly [key in Name]: string };
  // Not enumerable: what is JSON of it has the id alone.
  return Object.defineProperty(made, 'toString', { value: () => `ari:cloud:bulkhead::${resource}/${id}` }) as NamedId<Name>;
}

/** Of the call that runs here. Throws outside of a call, as at the load of a module: nothing of a call may be kept from one to the next. */
export function currentCall(): CallContext {
  const found = host().context();
  if (found === null) throw new Error('No function is being called here: this can be asked for within a handler, not while a module loads');
  return found;
}

export function forgeContext({ applicationId, clientKey, userId }: CallContext): ForgeContext {
  return {
    installContext: `ari:cloud:bulkhead::site/${applicationId}`,
    installation: { ari: namedId('installationId', clientKey, 'installation'), contexts: [{ cloudId: applicationId }] },
    ...(userId == null ? {} : { principal: { accountId: userId } }),
  };
}

/** `PRODUCTION`, `STAGING`; every other environment is one of development. */
export function environmentType({ environment }: CallContext): 'PRODUCTION' | 'STAGING' | 'DEVELOPMENT' {
  return environment === 'production' ? 'PRODUCTION' : environment === 'staging' ? 'STAGING' : 'DEVELOPMENT';
}
