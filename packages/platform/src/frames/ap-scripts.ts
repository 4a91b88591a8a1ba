import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { ALREADY_SENT, type AnyRoute } from '@bulkhead/http';
import { route } from '../access/index.ts';

/** The host's half of the AP JavaScript, with what a page of ours needs before and after it. */
export const HOST_SCRIPT_PATH = '/atlassian-connect/host.js';

const LIBRARY = {
  iframe: import.meta.resolve('atlassian-connect-js/dist/iframe.js'),
  host: import.meta.resolve('atlassian-connect-js/dist/connect-host.js'),
} as const;
const part = (url: string): Promise<string> => readFile(fileURLToPath(url), 'utf8');
const ofOurs = (file: string): Promise<string> => part(import.meta.resolve(`./browser/${file}`));

interface Script {
  readonly plain: Buffer;
  readonly zipped: Buffer;
  readonly tag: string;
}

/** Read once, when first asked for. */
function script(read: () => Promise<readonly string[]>): () => Promise<Script> {
  let kept: Promise<Script> | null = null;
  return () =>
    (kept ??= read().then((parts) => {
      const plain = Buffer.from(parts.join('\n;\n'), 'utf8');
      return { plain, zipped: gzipSync(plain), tag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"` };
    }));
}

const allJs = script(async () => [await part(LIBRARY.iframe)]);
const hostJs = script(async () => [await ofOurs('before.js'), await part(LIBRARY.host), await ofOurs('host-page.js')]);

/** The AP JavaScript (npm atlassian-connect-js, unchanged), for pages of Apps and for the page that holds them. The same for everybody. */
export function apScriptRoutes(): AnyRoute[] {
  const declared = (id: string, path: string, summary: string, get: () => Promise<Script>): AnyRoute =>
    route({
      id,
      method: 'GET',
      path,
      summary,
      credentials: [],
      scope: null,
      rateClass: 'page',
      audit: null,
      // It writes its answer itself, which is for routes that stream.
      bodyForm: 'stream',
      answers: { 200: null, 304: null },
      handler: async ({ call }, { raw: { response } }) => {
        const { plain, zipped, tag } = await get();
        const isZipped = /\bgzip\b/.test(String(call.headers['accept-encoding'] ?? ''));
        const isKnown = call.headers['if-none-match'] === tag;
        const body = isZipped ? zipped : plain;
        response.writeHead(isKnown ? 304 : 200, {
          'content-type': 'text/javascript; charset=utf-8',
          'cache-control': 'public, max-age=3600',
          etag: tag,
          vary: 'Accept-Encoding',
          'x-content-type-options': 'nosniff',
          'cross-origin-resource-policy': 'cross-origin',
          ...(isKnown ? {} : { 'content-length': body.length, ...(isZipped ? { 'content-encoding': 'gzip' } : {}) }),
        });
        response.end(isKnown || call.method === 'HEAD' ? undefined : body);
        return ALREADY_SENT;
      },
    });
  const summary = "The AP JavaScript for an App's own page";
  return [
    declared('ap_script.all', '/atlassian-connect/all.js', summary, allJs),
    declared(
      'ap_script.all_of_tenant',
      '/t/{application_id}/atlassian-connect/all.js',
      `${summary}, below the base URL of its host`,
      allJs,
    ),
    declared('ap_script.host', HOST_SCRIPT_PATH, "The host's half of the AP JavaScript", hostJs),
  ];
}
