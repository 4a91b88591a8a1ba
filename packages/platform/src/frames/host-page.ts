import { randomBase62 } from '@bulkhead/base';
import type { Answer, IncomingCall } from '@bulkhead/http';
import { brandMark, html, nameOf, pageSetting, rootVariables, scriptJson, themeFrom } from '../authorization/index.ts';
import { HOST_SCRIPT_PATH } from './ap-scripts.ts';
import { HOST_PAGE_STYLE } from './host-page-style.ts';
import type { Frame } from './frame.ts';
import type { OpenPage } from './open-page.ts';
import { pageAddress } from './page-address.ts';

/**
 * The page that holds an App's page in a frame: a head line that says what it is, the frame, and the host's half of the AP JavaScript. Nothing
 * on it comes from elsewhere but the frame; nothing runs or styles that does not carry this answer's nonce. What an App has written stands in
 * it as text.
 */
export function hostPage(
  { session, settings, install }: OpenPage,
  frame: Frame,
  { publicUrl, headers }: { publicUrl: string; headers: IncomingCall['headers'] },
): Answer<string> {
  const nonce = randomBase62(22);
  const setting = pageSetting(settings, headers, publicUrl);
  const { say, tag } = setting.language;
  const values = { app: install.appName, name: nameOf(setting) };
  const title = frame.name ?? install.appName;
  // Within a page of the company's own there is a head line already.
  const isEmbedded = session.frameAncestors.length > 0;
  const address = pageAddress(publicUrl, session);
  const config = {
    frame,
    session: session.sessionId,
    tokenUrl: `${address}/token`,
    frameUrl: `${address}/frame`,
    isEmbedded,
    context: session.context,
    user: session.endUser,
    texts: { silent: say('frame_silent', values), over: say('frame_over', values), close: say('frame_close') },
  };
  const policy = [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "connect-src 'self'",
    `frame-src ${new URL(install.baseUrl).origin}`,
    "form-action 'none'",
    "base-uri 'none'",
    `frame-ancestors ${isEmbedded ? session.frameAncestors.join(' ') : "'none'"}`,
  ].join('; ');
  const head = html`<header><div class="where">${brandMark(setting)}<span>${nameOf(setting)}</span></div><h1>${title}</h1><p class="by">${say('frame_by', values)}</p></header>`;
  const document = html`<!doctype html>
<html lang="${tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title} · ${nameOf(setting)}</title>
<style nonce="${nonce}">${rootVariables(themeFrom(setting.brand))}${HOST_PAGE_STYLE}</style>
</head>
<body class="${isEmbedded ? 'embedded' : 'alone'}">
${isEmbedded ? null : head}
<main id="place" aria-busy="true"><p id="state" role="status">${say('frame_loading', values)}</p><noscript><p>${say('frame_no_script', values)}</p></noscript></main>
<script type="application/json" id="config">${scriptJson(config)}</script>
<script nonce="${nonce}" src="${HOST_SCRIPT_PATH}"></script>
</body>
</html>
`;
  return {
    status: 200,
    body: document.text,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'x-robots-tag': 'noindex',
      ...(isEmbedded ? {} : { 'x-frame-options': 'DENY' }),
    },
  };
}
