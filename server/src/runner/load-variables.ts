import type { Variables } from '@bulkhead/sandbox';
import type { ApiClient } from './api-client.ts';

/** What an instance is given as `process.env`; asked for at its start, and kept nowhere. Throws where the api role does not give it. */
export async function loadVariables(client: ApiClient, apiUrl: string, token: string): Promise<Variables> {
  const { status, body } = await client.call(`${apiUrl}/internal/functions/variables`, { method: 'GET', token });
  if (status !== 200) throw new Error(`the api role answered ${status} for the variables`);
  const { variables: values, secrets } = JSON.parse(body.toString('utf8')) as { variables: Record<string, string>; secrets: string[] };
  return { values, secrets };
}
