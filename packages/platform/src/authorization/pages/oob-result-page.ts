import type { ErrorKind } from './error-page.ts';
import { Html, html, scriptJson } from './html.ts';
import { alertIcon, tickIcon } from './icons.ts';
import { nameOf, type Page, type PageSetting } from './layout.ts';

/** The answer of a flow as the browser SDK expects it. */
export interface ResultMessage {
  readonly type: 'authentication';
  readonly id: number | string;
  readonly data: Readonly<Record<string, string | number>>;
}

export interface OobResultInput {
  readonly message: ResultMessage;
  /** The one origin that may read the message: checked against the trusted domains before this page was made. */
  readonly targetOrigin: string;
  readonly outcome: 'connected' | 'declined' | 'failed';
  /** Why it failed, for the person at the window. */
  readonly kind?: ErrorKind;
  readonly cookies?: readonly string[];
}

/**
 * Hands the result to the window that opened this one (`window.opener.postMessage`, kloudless.md §3.1) and to nobody else; the opener closes
 * the window. The message is a string with the prefix that old SDKs look for.
 */
export function oobResultPage(input: OobResultInput, setting: PageSetting): Page {
  const { say } = setting.language;
  const name = nameOf(setting);
  const good = input.outcome === 'connected';
  const text = say(good ? 'connected_text' : input.outcome === 'declined' ? 'declined_text' : 'failed_text', { name });
  const kind = input.outcome === 'failed' ? input.kind : undefined;
  const why = kind === undefined ? null : say(`error_${kind}_text`, { name, service: say('the_service'), origin: input.targetOrigin });
  const message = scriptJson(`kloudless:${JSON.stringify(input.message)}`);
  const origin = scriptJson(input.targetOrigin);
  const script = html`(()=>{const opener=window.opener;if(opener===null){document.getElementById('no-opener').hidden=false;document.getElementById('done').hidden=true;return}opener.postMessage(${message},${origin})})();`;
  const title = say(good ? 'connected_title' : 'failed_title');
  return {
    status: 200,
    title,
    script,
    ...(input.cookies === undefined ? {} : { cookies: input.cookies }),
    body: html`<div id="done"><div class="sign${good ? ' good' : ''}">${good ? tickIcon : alertIcon}</div>
<h1>${title}</h1>
${why === null ? null : html`<p>${why}</p>`}
<p role="status">${text}</p>
<noscript><p class="alert">${say('no_script', { name })}</p></noscript></div>
<div id="no-opener" hidden><div class="sign">${alertIcon}</div>
<h1>${say('failed_title')}</h1>
<p role="alert">${say('no_opener', { name })}</p></div>`,
  };
}

/** The end of a flow that has nowhere to go back to: a reconnect link opened from a mail. */
export function donePage(setting: PageSetting, cookies: readonly string[]): Page {
  const { say } = setting.language;
  return {
    status: 200,
    title: say('connected_title'),
    cookies,
    body: html`<div class="sign good">${tickIcon}</div>
<h1>${say('connected_title')}</h1>
<p role="status">${say('connected_text', { name: nameOf(setting) })}</p>`,
  };
}

/** What `/static/iexd.html` answers: the browser SDK puts it into a hidden frame and needs only that it loads. */
export const FRAME_PAGE = new Html(
  '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Connect</title></head><body></body></html>\n',
);
