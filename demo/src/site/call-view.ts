import { type BulkheadAnswer, curlLine, type HeldCredential } from '../company/index.ts';
import { Html, html } from './html.ts';

const SHOWN_MAX = 4000;

/** Bulkhead's credentials in any text, shortened: what came back is shown, but nothing that opens a door. */
export function masked(text: string): string {
  return text.replaceAll(/\bbh[a-z]_[\w-]{8,}/g, (found) => `${found.slice(0, 8)}…${found.slice(-4)}`);
}

/** Only Bearer tokens may be in the browser; Meta token, API keys and the code stay with the server, and are variables here. */
function isBearerToken({ secret }: HeldCredential): boolean {
  return secret.reveal().startsWith('bha_');
}

function body(answer: BulkheadAnswer): string {
  const text = answer.json === undefined ? answer.text : JSON.stringify(answer.json, null, 2);
  if (text === '') return '(no body)';
  return masked(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);
}

const meanings: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 204: 'No Content', 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found' };

/** One request and its answer. `id` is unique on the page. */
export function callView(id: string, baseUrl: string, answer: BulkheadAnswer): Html {
  const { request, status } = answer;
  const shown = masked(curlLine(baseUrl, request));
  const copied = curlLine(baseUrl, request, (held) => (isBearerToken(held) ? held.secret.reveal() : null));
  const path = request.path.split('?', 1)[0] ?? '';
  return html`<li class="call">
<div class="call-head"><span class="verb">${request.method}</span> <span class="path">${path}</span><span class="status s${Math.floor(status / 100)}">${status}<span class="meaning"> ${meanings[status] ?? ''}</span></span></div>
<div class="curl"><pre><code id="${id}-curl">${shown}</code></pre><button type="button" class="copy" data-copy="${copied}" aria-label="Copy this request as a curl line">Copy</button></div>
<details id="${id}-answer"><summary>Answer</summary><pre><code>${body(answer)}</code></pre></details>
</li>`;
}

/** A Bearer token, shortened, with a button that copies it whole. */
export function tokenView({ variable, secret }: HeldCredential): Html {
  const text = secret.reveal();
  return html`<p class="token"><span class="token-name">${variable}</span> <code>${masked(text)}</code><button type="button" class="copy" data-copy="${text}" aria-label="Copy ${variable}">Copy</button></p>`;
}

/** An API key: seen, never sent. */
export function keyView({ variable, secret }: HeldCredential): Html {
  return html`<p class="token"><span class="token-name">${variable}</span> <code>${masked(secret.reveal())}</code><span class="stays">stays on the server</span></p>`;
}
