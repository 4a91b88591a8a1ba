import { Secret } from '@bulkhead/base';
import { type AnyRoute, httpErrors, objectList } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { VARIABLES_MAX } from '@bulkhead/protocol';
import { route } from '../access/index.ts';
import { auditOrganization } from '../audit/index.ts';
import type { Vault } from '../vault/index.ts';
import { assertApp, findDeployment, lockApp } from './deployment-store.ts';
import { ensureEnvironment } from './environment-store.ts';
import { functionErrors } from './function-errors.ts';
import { declaredSecrets, ofAppEnvironment, ofAppVariable, variableAnswer, variableBody, variableShape } from './variable-messages.ts';
import { deleteVariable, listVariables, openVariable, putVariable } from './variable-store.ts';

const path = '/v1/meta/apps/{app_key}/environments/{environment}/variables';

/** Variables of an App's functions in an environment, for all installs. */
export function variableRoutes({ db, vault }: { db: Database; vault: Vault }): AnyRoute[] {
  return [
    route({
      id: 'function_variable.list',
      method: 'GET',
      path,
      summary: 'List what is set for the functions of an App in an environment; the values of secrets are not shown',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params: ofAppEnvironment,
      answers: { 200: objectList(variableAnswer) },
      handler: async ({ principal: { organizationId } }, { params: { app_key: appKey, environment } }) => {
        const of = { organizationId, appKey, environment };
        const { variables, newest } = await db.withOrganization(organizationId, async (tx) => {
          await assertApp(tx, of);
          return { variables: await listVariables(tx, of), newest: await findDeployment(tx, of) };
        });
        const secrets = declaredSecrets(newest?.manifest);
        const shown = variables.map((variable) => variableShape(variable, secrets, () => openVariable(vault, of, variable)));
        return { status: 200, body: whole(await Promise.all(shown)) };
      },
    }),
    route({
      id: 'function_variable.put',
      method: 'PUT',
      path: `${path}/{name}`,
      summary: 'Set a variable for the functions of an App in an environment, from the next call on; a secret unless it says otherwise',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'function.variable_set',
      params: ofAppVariable,
      body: variableBody,
      answers: { 200: variableAnswer },
      handler: async (context, { params: { app_key: appKey, environment, name }, body: { secret, value: text } }) => {
        const { organizationId } = context.principal;
        const of = { organizationId, appKey, environment };
        const value = new Secret(text);
        const newest = await db.withOrganization(organizationId, async (tx) => {
          await lockApp(tx, of);
          await ensureEnvironment(tx, of, context.now);
          if ((await putVariable(tx, vault, { ...of, name, secret, value, now: context.now })) === 'full')
            throw functionErrors('function.variables_full', { params: { limit: VARIABLES_MAX } });
          await auditOrganization(tx, context, organizationId, { target: appKey, detail: { environment, name, secret } });
          return findDeployment(tx, of);
        });
        const set = { name, secret, modifiedAt: context.now };
        return { status: 200, body: await variableShape(set, declaredSecrets(newest?.manifest), async () => value) };
      },
    }),
    route({
      id: 'function_variable.delete',
      method: 'DELETE',
      path: `${path}/{name}`,
      summary: 'Unset a variable for the functions of an App in an environment, from the next call on',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'function.variable_unset',
      params: ofAppVariable,
      answers: { 204: null },
      handler: async (context, { params: { app_key: appKey, environment, name } }) => {
        const { organizationId } = context.principal;
        const of = { organizationId, appKey, environment };
        await db.withOrganization(organizationId, async (tx) => {
          await lockApp(tx, of);
          if (!(await deleteVariable(tx, of, name))) throw httpErrors('not_found');
          await auditOrganization(tx, context, organizationId, { target: appKey, detail: { environment, name } });
        });
        return { status: 204 };
      },
    }),
  ];
}

/** All there are are one page. */
export function whole<Shape>(objects: Shape[]) {
  const { length } = objects;
  return { total: length, count: length, page: 1, next_page: null, objects, type: 'object_list' as const, api: 'meta' };
}
