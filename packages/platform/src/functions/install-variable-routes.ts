import { Secret } from '@bulkhead/base';
import { type AnyRoute, httpErrors, objectList } from '@bulkhead/http';
import type { Database, TenantTx } from '@bulkhead/postgres';
import { VARIABLES_MAX } from '@bulkhead/protocol';
import { type MetaTokenPrincipal, type RequestContext, route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { enterInstall, type InstallTx } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import { findDeployment } from './deployment-store.ts';
import { approve, findMembership, PRODUCTION } from './environment-install-store.ts';
import { ofInstallEnvironment } from './environment-messages.ts';
import { functionErrors } from './function-errors.ts';
import { installed } from './install-environments.ts';
import { deleteInstallVariable, listInstallVariables, openInstallVariable, putInstallVariable } from './install-variable-store.ts';
import { declaredSecrets, ofInstallVariable, variableAnswer, variableBody, variableShape } from './variable-messages.ts';
import { whole } from './variable-routes.ts';

const path = '/v1/meta/applications/{application_id}/installs/{app_key}/environments/{environment}/variables';

type Context = RequestContext<MetaTokenPrincipal>;
interface Of {
  readonly app_key: string;
  readonly environment: string;
}

/** Variables that are set for one install, in the place of those of its environment. */
export function installVariableRoutes({ db, vault }: { db: Database; vault: Vault }): AnyRoute[] {
  return [
    route({
      id: 'function_install_variable.list',
      method: 'GET',
      path,
      summary: 'List what is set for one install in an environment; the values of secrets are not shown',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params: ofInstallEnvironment,
      answers: { 200: objectList(variableAnswer) },
      handler: async (context, { params }) => {
        const secrets = await secretsOf(context, params);
        const objects = await within(context, params, async (tx) => {
          const shown = [];
          for (const variable of await listInstallVariables(tx, params.environment))
            shown.push(await variableShape(variable, secrets, () => openInstallVariable(tx, vault, params.environment, variable)));
          return shown;
        });
        return { status: 200, body: whole(objects) };
      },
    }),
    route({
      id: 'function_install_variable.put',
      method: 'PUT',
      path: `${path}/{name}`,
      summary: 'Set a variable for one install in the place of what its environment has, from the next call on',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'function.install_variable_set',
      params: ofInstallVariable,
      body: variableBody,
      answers: { 200: variableAnswer },
      handler: async (context, { params, body: { secret, value: text } }) => {
        const { app_key: target, environment, name } = params;
        const secrets = await secretsOf(context, params);
        const value = new Secret(text);
        await within(context, params, async (tx) => {
          // In production an install is without a row, until something is set for it.
          if (environment === PRODUCTION) await approve(tx, { clientKey: tx.clientKey, environment, permissions: [], now: context.now });
          if ((await putInstallVariable(tx, vault, { environment, name, secret, value, now: context.now })) === 'full')
            throw functionErrors('function.variables_full', { params: { limit: VARIABLES_MAX } });
          await audit(tx, context, { target, detail: { client_key: tx.clientKey, environment, name, secret } });
        });
        return { status: 200, body: await variableShape({ name, secret, modifiedAt: context.now }, secrets, async () => value) };
      },
    }),
    route({
      id: 'function_install_variable.delete',
      method: 'DELETE',
      path: `${path}/{name}`,
      summary: 'Unset a variable for one install: from the next call on it has what its environment has',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'function.install_variable_unset',
      params: ofInstallVariable,
      answers: { 204: null },
      handler: async (context, { params }) => {
        const { app_key: target, environment, name } = params;
        await within(context, params, async (tx) => {
          if (!(await deleteInstallVariable(tx, environment, name))) throw httpErrors('not_found');
          await audit(tx, context, { target, detail: { client_key: tx.clientKey, environment, name } });
        });
        return { status: 204 };
      },
    }),
  ];

  async function secretsOf({ principal: { organizationId } }: Context, { app_key: appKey, environment }: Of): Promise<ReadonlySet<string>> {
    const newest = await db.withOrganization(organizationId, (tx) => findDeployment(tx, { organizationId, appKey, environment }));
    return declaredSecrets(newest?.manifest);
  }

  /** Confined to the install, which is in the environment. Throws `not_found`, `function.not_joined`. */
  function within<T>({ applicationId }: Context, { app_key: appKey, environment }: Of, work: (tx: InstallTx) => Promise<T>): Promise<T> {
    return db.withTenant(applicationId, async (tx: TenantTx) => {
      const { clientKey } = await installed(tx, applicationId, appKey);
      if ((await findMembership(tx, clientKey, environment)) === null)
        throw functionErrors('function.not_joined', { params: { app_key: appKey, environment } });
      return work(await enterInstall(tx, clientKey));
    });
  }
}
