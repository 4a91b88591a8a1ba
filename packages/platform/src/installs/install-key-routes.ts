import { type AnyRoute, httpErrors } from '@bulkhead/http';
import { z } from 'zod';
import { route } from '../access/index.ts';
import type { InstallKeys } from './install-keys.ts';

const PEM = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'public, max-age=300' } as const;

/** The key server of this host: what `kid` of a signed install names. */
export function installKeyRoutes({ installKeys }: { installKeys: InstallKeys }): AnyRoute[] {
  return [
    route({
      id: 'install_key.get',
      method: 'GET',
      path: '/keys/{kid}',
      summary: 'The public key (PEM, SPKI) by which an App verifies that an install comes from this host',
      credentials: [],
      scope: null,
      rateClass: 'page',
      audit: null,
      params: z.object({ kid: z.string().max(100) }),
      answers: { 200: null },
      handler: async (_context, { params }) => {
        const pem = await installKeys.publicKey(params.kid);
        if (pem === null) throw httpErrors('not_found');
        return { status: 200, body: pem, headers: PEM };
      },
    }),
  ];
}
