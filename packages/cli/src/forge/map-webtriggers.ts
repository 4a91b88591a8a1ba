import { functionOf, type MapPart } from './mapped.ts';

/** In small letters, with - in the place of _; `webTrigger.getUrl` says the same of the code's own word. */
function webtriggerKey(key: string): string {
  return key.toLowerCase().replaceAll('_', '-');
}

/** Web triggers. Forge's may be called by anybody who knows the address: that is said here, not assumed. */
export const mapWebtriggers: MapPart = (parts) => {
  const triggers = (parts.manifest.modules?.webtrigger ?? []).flatMap(({ key, function: calls, request, response }, place) => {
    const at = ['modules', 'webtrigger', place];
    const asked = request?.authentication;
    if (asked !== undefined && asked !== 'none') {
      parts.report.inert(at, `webtrigger ${key}`, 'it asks for a proof in a form of Forge; declare it in bulkhead.yml with hmac or bearer');
      return [];
    }
    const outputs = response?.type === 'static' ? { options: { outputs: response.outputs ?? [] } } : {};
    const own = functionOf(parts, { type: 'webtrigger', key, calls, as: 'webtrigger', at, ...outputs });
    if (own !== null) parts.report.warn(at, `webtrigger ${key} answers whoever knows its address, as on Forge`);
    return own === null ? [] : [{ at, entry: { key: webtriggerKey(key), function: own, authentication: { type: 'none' } } }];
  });
  parts.mapped.lists.set('webtriggers', triggers);
};
