import type { World } from './world.ts';

/** Lets an install join an environment of an App's functions, and approves for it what the newest version requests. */
export async function approveFunctions(world: World, applicationId: string, appKey: string, environment = 'production'): Promise<void> {
  const path = `/applications/${applicationId}/installs/${appKey}/environments/${environment}`;
  const seen = await world.meta('GET', path);
  const { status, text } = await world.meta('PUT', path, { permissions: seen.json.requested });
  if (status !== 200) throw new Error(`not approved: ${text}`);
}
