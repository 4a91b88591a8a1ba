import { type AnyRoute, httpErrors, readBytes } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { z } from 'zod';
import { type InstallPrincipal, type RequestContext, route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import type { Vault } from '../vault/index.ts';
import { deleteProperty, findProperty, listPropertyKeys, PROPERTIES_MAX, putProperty } from './app-property-store.ts';
import { installErrors } from './install-errors.ts';
import { enterInstall, type InstallTx } from './install-scope.ts';
import { invalid, isStorable, readJsonText } from './json-text.ts';
import { tenantBaseUrl } from './lifecycle-call.ts';

const KEY_MAX = 127;
const VALUE_MAX = 32_768;
const BODY_LIMIT = { bytes: 4 * VALUE_MAX, ms: 10_000 } as const;

const collection = '/t/{application_id}/rest/atlassian-connect/{version}/addons/{app_key}/properties';
const all = z.object({ application_id: z.string(), version: z.enum(['1', 'latest']), app_key: z.string() });
const one = all.extend({ property_key: z.string() });

const done = z.object({ message: z.string(), statusCode: z.number() });
const propertyAnswer = z.object({ key: z.string(), value: z.unknown(), self: z.string() });

type AppContext = RequestContext<InstallPrincipal>;

/** What an App keeps with its host about one install (REST of Atlassian Connect, "app properties"). Needs no scope. */
export function appPropertyRoutes({ db, vault, publicUrl }: { db: Database; vault: Vault; publicUrl: () => string }): AnyRoute[] {
  /** 404 for another App's key: whether there is such an App is not told. */
  const within = <T>({ principal, applicationId }: AppContext, appKey: string, work: (tx: InstallTx) => Promise<T>): Promise<T> => {
    if (appKey !== principal.appKey) throw httpErrors('not_found');
    return db.withTenant(applicationId, async (tx) => work(await enterInstall(tx, principal.clientKey)));
  };
  const self = ({ principal, applicationId }: AppContext, key: string): string =>
    `${tenantBaseUrl(publicUrl(), applicationId)}/rest/atlassian-connect/1/addons/${principal.appKey}/properties/${encodeURIComponent(key)}`;
  return [
    route({
      id: 'app_property.list',
      method: 'GET',
      path: collection,
      summary: 'List the keys of the properties that an App keeps for this install',
      credentials: ['install'],
      scope: null,
      rateClass: 'api',
      audit: null,
      params: all,
      answers: { 200: z.object({ keys: z.array(z.object({ key: z.string(), self: z.string() })) }) },
      handler: async (context, { params }) => {
        const keys = await within(context, params.app_key, listPropertyKeys);
        return { status: 200, body: { keys: keys.map((key) => ({ key, self: self(context, key) })) } };
      },
    }),
    route({
      id: 'app_property.get',
      method: 'GET',
      path: `${collection}/{property_key}`,
      summary: 'Retrieve a property of an App',
      credentials: ['install'],
      scope: null,
      rateClass: 'api',
      audit: null,
      params: one,
      answers: { 200: propertyAnswer },
      handler: async (context, { params: { app_key: appKey, property_key: key } }) => {
        const json = await within(context, appKey, (tx) => findProperty(tx, vault, key));
        if (json === null) throw httpErrors('not_found');
        return { status: 200, body: { key, value: JSON.parse(json), self: self(context, key) } };
      },
    }),
    route({
      id: 'app_property.put',
      method: 'PUT',
      path: `${collection}/{property_key}`,
      summary: 'Put a property of an App: any JSON of at most 32,768 characters',
      credentials: ['install'],
      scope: null,
      rateClass: 'api',
      audit: 'app_property.put',
      bodyForm: 'stream',
      params: one,
      answers: { 200: done, 201: done },
      handler: async (context, { params: { app_key: appKey, property_key: propertyKey }, raw }) => {
        if (appKey !== context.principal.appKey) throw httpErrors('not_found');
        if (propertyKey.length > KEY_MAX || !isStorable(propertyKey))
          throw invalid(`The key of a property is a text of at most ${KEY_MAX} characters without control characters.`);
        const json = readJson(await readBytes(raw.message, BODY_LIMIT));
        const outcome = await within(context, appKey, async (tx) => {
          const put = await putProperty(tx, vault, { propertyKey, json, now: context.now });
          if (put === 'full') throw installErrors('app_property.limit', { params: { limit: PROPERTIES_MAX } });
          await audit(tx, context, { target: appKey });
          return put;
        });
        return outcome === 'created'
          ? { status: 201, body: { message: 'Property created.', statusCode: 201 } }
          : { status: 200, body: { message: 'Property updated.', statusCode: 200 } };
      },
    }),
    route({
      id: 'app_property.delete',
      method: 'DELETE',
      path: `${collection}/{property_key}`,
      summary: 'Delete a property of an App',
      credentials: ['install'],
      scope: null,
      rateClass: 'api',
      audit: 'app_property.deleted',
      params: one,
      answers: { 204: null },
      handler: async (context, { params }) => {
        await within(context, params.app_key, async (tx) => {
          if (!(await deleteProperty(tx, params.property_key))) throw httpErrors('not_found');
          await audit(tx, context, { target: params.app_key });
        });
        return { status: 204 };
      },
    }),
  ];
}

/** The JSON text of a body, as it came. */
function readJson(body: Buffer): string {
  const json = readJsonText(body, 'property');
  if (json.length > VALUE_MAX) throw invalid(`The value of a property has at most ${VALUE_MAX} characters.`);
  return json;
}
