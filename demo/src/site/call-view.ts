import { STATUS_CODES } from 'node:http';
import { type BulkheadAnswer, curlLine, curlLines, type HeldCredential } from '../company/index.ts';
import { type Html, html } from './html.ts';
import type { RecordedCall } from './recorder.ts';

const SHOWN_MAX = 4000;
const LINE_END = ' \\\n  ';

/** Bulkhead's credentials in any text, shortened: what came back is shown, but nothing that opens a door. */
export function masked(text: string): string {
  return text.replaceAll(/\b(?:bh[a-z]_[\w-]{8,}|whsec_[\w+/=]{8,})/g, (found) => `${found.slice(0, 8)}…${found.slice(-4)}`);
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

/**
 * Lines of a command, to be broken after slashes and the like: an option stays with the beginning of its value, and the backslash with
 * the end. The text is the same as without.
 */
function wrapped(lines: string): Html[] {
  return lines.split('\n').map((line, index) => {
    const [, option = '', value = '', end = ''] = /^(\s*(?:curl(?: -X \w+)?|-\S+) .)?(.*?)(.(?: \\)?)$/.exec(line) ?? ['', '', line];
    const parts = value.split(/(?<=[/=,])(?!\/)/).map((part, number) => html`${number === 0 ? null : html`<wbr>`}${part}`);
    return html`${index === 0 ? '' : '\n'}<span class="whole">${option}</span>${parts}<span class="whole">${end}</span>`;
  });
}

/** One request and its answer, unfolded where `open`. `id` is unique on the page. */
export function callView(id: string, baseUrl: string, { note, answer }: RecordedCall, open = false): Html {
  const { request, status } = answer;
  const shown = masked(curlLines(baseUrl, request));
  const copied = curlLine(baseUrl, request, (held) => (isBearerToken(held) ? held.secret.reveal() : null));
  return html`<li class="call">
<div class="call-head"><span class="note">${note}</span><span class="status s${Math.floor(status / 100)}">${status}<span class="meaning"> ${STATUS_CODES[status] ?? ''}</span></span><button type="button" class="copy" data-copy="${copied}" data-select="${id}-curl" aria-label="Copy as a curl line: ${note}">Copy</button></div>
<pre class="curl"><code id="${id}-curl">${wrapped(shown)}</code></pre>
<details id="${id}-answer"${open ? html` open` : null}><summary>Answer</summary><pre><code>${body(answer)}</code></pre></details>
</li>`;
}

/** A Bearer token, shortened, with a button that copies it whole. */
export function tokenView({ variable, secret }: HeldCredential): Html {
  const text = secret.reveal();
  return html`<p class="token"><span class="token-name">${variable}</span> <code id="${variable}">${masked(text)}</code><button type="button" class="copy" data-copy="${text}" data-select="${variable}" aria-label="Copy ${variable}">Copy</button></p>`;
}

/** A command for a terminal, with a button that copies it as one line. */
export function lineView(id: string, lines: string, label: string): Html {
  return html`<div class="line"><code id="${id}">${wrapped(lines)}</code><button type="button" class="copy" data-copy="${lines.replaceAll(LINE_END, ' ')}" data-select="${id}" aria-label="${label}">Copy</button></div>`;
}

/** An API key: seen, never sent. Whoever holds a Meta token can make another, which is what the line is for. */
export function keyView(baseUrl: string, { id, key }: { readonly id: string; readonly key: HeldCredential }): Html {
  const { variable, secret } = key;
  const lines = [
    `${variable}=$(curl -sX POST ${baseUrl}/v1/meta/applications/${id}/apikeys`,
    '-H "Authorization: Bearer $META_TOKEN"',
    `| node -p 'JSON.parse(require("fs").readFileSync(0)).key')`,
  ].join(LINE_END);
  return html`<p class="token"><span class="token-name">${variable}</span> <code>${masked(secret.reveal())}</code><span class="stays">stays on the server</span></p>
<details class="own-key" id="${variable}-own"><summary>Make a key of your own</summary>
<p>With <code>$META_TOKEN</code> (see <a href="#meta-token-line">Run the lines yourself</a>), in a terminal:</p>
${lineView(`${variable}-line`, lines, `Copy the line that makes ${variable}`)}
</details>`;
}
