import { host } from '../host.ts';
import { currentCall, environmentType, type NamedId, namedId } from './invocation.ts';
import { type Acting, acting } from './products.ts';
import { assumeTrustedRoute, route } from './route.ts';
import { storage } from './storage.ts';
import { webTrigger } from './web-trigger.ts';

export { type Acting, NoProductError } from './products.ts';
export { NeedsAuthenticationError } from './provider.ts';
export { assumeTrustedRoute, type Route, route } from './route.ts';
export { FilterConditions, SortOrder, startsWith, storage, WhereConditions } from './storage.ts';
export { webTrigger } from './web-trigger.ts';

/** As the WHATWG fetch, to the hosts of `permissions.external.fetch.backend`; any other is refused. */
export function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  return host().fetch(input, init);
}

/** Accounts of the Application; of a call for a person, theirs. */
export const asApp = (): Acting => acting('asApp()', () => true);

/** Accounts of the person that the call is for: without one there are none, and of nobody else either. */
export const asUser = (accountId?: string): Acting =>
  acting('asUser()', () => {
    const { userId } = currentCall();
    return userId !== null && (accountId === undefined || accountId === userId);
  });

/** Which installation, environment and call this is. */
export interface AppContext {
  readonly appAri: NamedId<'appId'>;
  readonly appVersion: string;
  readonly environmentAri: NamedId<'environmentId'>;
  readonly environmentType: string;
  readonly installationAri: NamedId<'installationId'>;
  readonly invocationId: string;
  readonly moduleKey: string;
}

/** Throws outside of a call. */
export function getAppContext(): AppContext {
  const call = currentCall();
  return {
    appAri: namedId('appId', call.appKey, 'app'),
    appVersion: `${call.version}.0.0`,
    environmentAri: namedId('environmentId', call.environment, 'environment'),
    environmentType: environmentType(call),
    installationAri: namedId('installationId', call.clientKey, 'installation'),
    invocationId: call.invocationId,
    moduleKey: call.function,
  };
}

/** Calls keep their context by themselves here: the function as it is. */
export function bindInvocationContext<Run extends (...given: never[]) => unknown>(run: Run): Run {
  return run;
}

const api = { asApp, asUser, fetch, route, assumeTrustedRoute, getAppContext, bindInvocationContext, storage, webTrigger };
export default api;
