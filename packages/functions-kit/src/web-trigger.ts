import { host } from './host.ts';
import { HostError } from './host-service.ts';

const SERVICE = 'http://host.bulkhead.internal/webtriggers';

/** Web triggers of the installation that the function runs for. */
export const webTrigger = {
  /** Its address, for this installation alone. There is no secret in it. Throws `HostError` where the manifest has none of this key. */
  async url(key: string): Promise<string> {
    const response = await host().fetch(`${SERVICE}/${encodeURIComponent(key)}`);
    const answer = (await response.json()) as { url?: string; code?: string; message?: string };
    if (response.ok && answer.url !== undefined) return answer.url;
    throw new HostError(answer.code ?? 'unknown', answer.message ?? `the host answered ${response.status}`);
  },
};
