import type { Clock } from '@bulkhead/base';
import type { Egress } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { PageModule } from '@bulkhead/protocol';
import { enterInstall, findProperty } from '../installs/index.ts';
import type { Vault } from '../vault/index.ts';
import { mayShow } from './conditions.ts';
import { signGet, standardParameters } from './frame-address.ts';
import type { Viewer } from './page-session.ts';
import type { ShownInstall } from './shown-install.ts';

export interface FrameParts {
  readonly db: Database;
  readonly vault: Vault;
  readonly egress: Egress;
  readonly clock: Clock;
  /** Origin of the server, without a slash at the end. */
  readonly publicUrl: () => string;
}

const REMOTE_TIMEOUT_MS = 10_000;
const REMOTE_BYTES_MAX = 64 * 1024;
/** Pages that are for whoever sets an App up, whatever their conditions say. */
const FOR_ADMINS: ReadonlySet<string> = new Set(['adminPages', 'configurePage', 'postInstallPage']);

/** How many Apps may be asked while one request is answered; `left` goes down. */
export interface RemoteAllowance {
  left: number;
}

/**
 * Whether a module is shown to this person: what is for admins, and its conditions, those too that its App is asked about. Holds nothing of
 * the database while it asks. Whatever goes wrong on the way hides it.
 */
export async function isShown(
  { db, vault, egress, clock, publicUrl }: FrameParts,
  install: ShownInstall,
  module: PageModule,
  viewer: Viewer,
  allowance: RemoteAllowance = { left: Number.POSITIVE_INFINITY },
): Promise<boolean> {
  if (FOR_ADMINS.has(module.type) && !viewer.isAdmin) return false;
  const { applicationId, clientKey } = install;
  return mayShow(module.condition, {
    viewer,
    property: async (key) => {
      const json = await db.withTenant(applicationId, async (tx) => findProperty(await enterInstall(tx, clientKey), vault, key));
      return json === null ? undefined : JSON.parse(json);
    },
    remote: async (url, params) => {
      if ((allowance.left -= 1) < 0) return null;
      const parameters = [...standardParameters(publicUrl(), install, module.key), ...Object.entries(params)];
      const signed = signGet(install, { url, viewer, parameters, now: new Date(clock.now()) });
      if (signed === null) return null;
      try {
        const answer = await egress.fetch(signed.url, {
          policy: 'descriptor',
          tenant: applicationId,
          headers: { accept: 'application/json', ...(signed.token === null ? {} : { authorization: `JWT ${signed.token}` }) },
          maxBytes: REMOTE_BYTES_MAX,
          timeoutMs: REMOTE_TIMEOUT_MS,
        });
        if (answer.status !== 200) return null;
        const said = (JSON.parse(answer.body.toString('utf8')) as { shouldDisplay?: unknown } | null)?.shouldDisplay;
        return said === true || said === 'true' ? true : said === false || said === 'false' ? false : null;
      } catch {
        return null;
      }
    },
  });
}
