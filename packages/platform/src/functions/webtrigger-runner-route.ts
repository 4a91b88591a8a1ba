import { type AnyRoute, httpErrors } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { webtriggerKey } from '@bulkhead/protocol';
import { z } from 'zod';
import { route } from '../access/index.ts';
import { findVersion } from './deployment-store.ts';
import { webtriggerErrors } from './webtrigger-errors.ts';
import { webtriggerPath } from './webtrigger-routes.ts';

/** Where the web triggers of a running call's install are. */
export function webtriggerRunnerRoute({ db, publicUrl }: { db: Database; publicUrl: () => string }): AnyRoute {
  return route({
    id: 'function_runner.webtrigger',
    method: 'GET',
    path: '/internal/functions/webtriggers/{trigger}',
    summary: 'For the runner: the address of a web trigger of the running call, for its install',
    credentials: ['invocation'],
    scope: null,
    rateClass: 'api',
    audit: null,
    params: z.object({ trigger: webtriggerKey }),
    answers: { 200: z.object({ url: z.string() }) },
    handler: async ({ principal, applicationId }, { params: { trigger: triggerKey } }) => {
      const { organizationId, appKey, environment, version } = principal;
      const deployment = await db.withOrganization(organizationId, (tx) =>
        findVersion(tx, { organizationId, appKey, environment, version }),
      );
      if (deployment === null) throw httpErrors('not_found');
      const known = (deployment.manifest.webtriggers ?? []).map(({ key }) => key);
      if (!known.includes(triggerKey))
        throw webtriggerErrors('webtrigger.unknown', { params: { environment, trigger: triggerKey, known: known.join(', ') || 'none' } });
      return { status: 200, body: { url: publicUrl() + webtriggerPath({ applicationId, appKey, triggerKey, environment }) } };
    },
  });
}
