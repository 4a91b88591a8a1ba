import { Secret } from '@bulkhead/base';
import type { AnyRoute } from '@bulkhead/http';
import { type DeclaredWebtrigger, environmentName, standardWebhookSecret, WEBTRIGGER_SCHEMES, webtriggerKey } from '@bulkhead/protocol';
import { z } from 'zod';
import { type MetaTokenPrincipal, type RequestContext, route } from '../access/index.ts';
import { audit } from '../audit/index.ts';
import { enterInstall } from '../installs/index.ts';
import { getRunning } from './call-function.ts';
import { webtriggerErrors } from './webtrigger-errors.ts';
import { secretKind } from './webtrigger-proof.ts';
import { type WebtriggerParts, webtriggerPath } from './webtrigger-routes.ts';
import { listWebtriggerSecrets, rotateWebtriggerSecret } from './webtrigger-store.ts';

const ofInstall = '/v1/meta/applications/{application_id}/installs/{app_key}/webtriggers';
const installParams = z.object({ application_id: z.string(), app_key: z.string().max(80) });
const authenticationAnswer = z.enum([...WEBTRIGGER_SCHEMES, 'bearer', 'none']);

const webtriggerAnswer = z.object({
  key: z.string(),
  function: z.string(),
  environment: z.string(),
  url: z.string(),
  authentication: authenticationAnswer,
  has_secret: z.boolean().meta({ description: 'False: nobody can call it yet; make a secret first. Or `none`, which needs none.' }),
  secret_modified: z.iso.datetime().nullable(),
  previous_secret_expires: z.iso.datetime().nullable().meta({ description: 'Until then the secret before counts too.' }),
  type: z.literal('webtrigger'),
  api: z.literal('meta'),
});

const secretBody = z.strictObject({
  environment: environmentName.default('production'),
  secret: z
    .string()
    .min(16)
    .max(1_024)
    .regex(/^[\x21-\x7E]+$/, 'expected printable ASCII without spaces')
    .optional()
    .meta({ description: 'One that the caller has made. Absent: a new one is made.' }),
  overlap_seconds: z
    .int()
    .min(0)
    .max(7 * 86_400)
    .default(86_400)
    .meta({ description: 'How long the secret before counts too. 0: it has leaked, and ends now.' }),
});

const secretAnswer = z.object({
  key: z.string(),
  environment: z.string(),
  url: z.string(),
  authentication: authenticationAnswer,
  secret: z.string().optional().meta({ description: 'Shown this once; absent where the request brought it.' }),
  signing_secret: z.string().optional().meta({ description: 'The same as the libraries of Standard Webhooks take it.' }),
  previous_secret_expires: z.iso.datetime().nullable(),
  type: z.literal('webtrigger_secret'),
  api: z.literal('meta'),
});

type MetaContext = RequestContext<MetaTokenPrincipal>;

/** Where an install's web triggers are, and by which secrets their callers are known. */
export function webtriggerSecretRoutes(parts: WebtriggerParts): AnyRoute[] {
  const { db, vault } = parts;
  const urlOf = (named: Parameters<typeof webtriggerPath>[0]) => parts.publicUrl() + webtriggerPath(named);

  async function declared({ applicationId, principal }: MetaContext, appKey: string, environment: string) {
    const { organizationId } = principal;
    const { clientKey, deployment } = await getRunning(db, { applicationId, organizationId, appKey, environment });
    return { clientKey, triggers: deployment.manifest.webtriggers ?? [] };
  }

  return [
    route({
      id: 'webtrigger.list',
      method: 'GET',
      path: ofInstall,
      summary: 'List the web triggers of an installed App: where they are, and how callers prove themselves',
      credentials: ['meta_token'],
      scope: 'applications:read',
      rateClass: 'meta',
      audit: null,
      params: installParams,
      query: z.object({ environment: environmentName.default('production') }),
      answers: { 200: z.object({ objects: z.array(webtriggerAnswer) }) },
      handler: async (context, { params: { app_key: appKey }, query: { environment } }) => {
        const { applicationId, now } = context;
        const { clientKey, triggers } = await declared(context, appKey, environment);
        const secrets = await db.withTenant(applicationId, async (tx) =>
          listWebtriggerSecrets(await enterInstall(tx, clientKey), environment),
        );
        const objects = triggers.map((trigger: DeclaredWebtrigger) => {
          const held = secrets.get(trigger.key);
          const secret = held !== undefined && held.authentication === secretKind(trigger.authentication) ? held : null;
          const previousUntil = secret?.previousUntil ?? null;
          return {
            key: trigger.key,
            function: trigger.function,
            environment,
            url: urlOf({ applicationId, appKey, triggerKey: trigger.key, environment }),
            authentication: authenticationAnswer.parse(secretKind(trigger.authentication) ?? 'none'),
            has_secret: secret !== null,
            secret_modified: secret?.modifiedAt.toISOString() ?? null,
            previous_secret_expires: previousUntil !== null && previousUntil > now ? previousUntil.toISOString() : null,
            type: 'webtrigger' as const,
            api: 'meta' as const,
          };
        });
        return { status: 200, body: { objects } };
      },
    }),
    route({
      id: 'webtrigger.rotate_secret',
      method: 'POST',
      path: `${ofInstall}/{trigger}/secret`,
      summary: 'Give a web trigger of an installed App a new secret; the one before counts for a while too',
      credentials: ['meta_token'],
      scope: 'applications:write',
      rateClass: 'meta',
      audit: 'webtrigger.secret_rotated',
      params: installParams.extend({ trigger: webtriggerKey }),
      body: secretBody,
      answers: { 200: secretAnswer },
      handler: async (context, { params: { app_key: appKey, trigger: triggerKey }, body }) => {
        const { applicationId, now } = context;
        const { environment, overlap_seconds: overlapSeconds } = body;
        const { clientKey, triggers } = await declared(context, appKey, environment);
        const trigger = triggers.find(({ key }) => key === triggerKey);
        if (trigger === undefined)
          throw webtriggerErrors('webtrigger.unknown', {
            params: { environment, trigger: triggerKey, known: triggers.map(({ key }) => key).join(', ') || 'none' },
          });
        const authentication = secretKind(trigger.authentication);
        if (authentication === null) throw webtriggerErrors('webtrigger.needs_no_secret', { params: { trigger: triggerKey } });
        refuseUnfit(authentication, body.secret);
        const given = body.secret === undefined ? null : new Secret(body.secret);
        const { secret, previousUntil } = await db.withTenant(applicationId, async (tx) => {
          const named = { environment, triggerKey, authentication };
          const rotated = await rotateWebtriggerSecret(await enterInstall(tx, clientKey), vault, named, { given, overlapSeconds, now });
          await audit(tx, context, {
            target: triggerKey,
            detail: { client_key: clientKey, environment, authentication, overlap_seconds: overlapSeconds },
          });
          return rotated;
        });
        return {
          status: 200,
          body: {
            key: triggerKey,
            environment,
            url: urlOf({ applicationId, appKey, triggerKey, environment }),
            authentication: authenticationAnswer.parse(authentication),
            ...(given === null ? { secret: secret.reveal() } : {}),
            ...(given === null && authentication === 'standard-webhooks' ? { signing_secret: standardWebhookSecret(secret).reveal() } : {}),
            previous_secret_expires: previousUntil?.toISOString() ?? null,
            type: 'webtrigger_secret',
            api: 'meta',
          },
        };
      },
    }),
  ];
}

/** A secret of Standard Webhooks that was made elsewhere says so, and is 24 to 64 bytes. */
function refuseUnfit(authentication: string, secret: string | undefined): void {
  if (authentication !== 'standard-webhooks' || secret === undefined) return;
  const bytes = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
  const { length } = Buffer.from(bytes ?? '', 'base64');
  if (length < 24 || length > 64)
    throw webtriggerErrors('webtrigger.secret_unfit', {
      field: 'secret',
      params: { scheme: authentication, problem: 'expected whsec_ and the base64 of 24 to 64 bytes' },
    });
}
