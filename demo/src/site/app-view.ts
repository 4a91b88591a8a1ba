import { COMPANY } from '../company/index.ts';
import { type Html, html } from './html.ts';
import type { Lane } from './visit.ts';

/** The App as one customer has it: a form, and the notes that it keeps for them. */
export function appView({ customer, install }: Lane): Html | null {
  if (install === null) return null;
  const { key, name } = customer;
  const { functionUrl } = install;
  return html`<form method="post" action="/${key}/note" class="write">
<label for="note-${key}-text">A note on ${COMPANY}’s issue <code>PAPER-1</code><span class="unseen">, for ${name}</span></label>
<input id="note-${key}-text" name="text" maxlength="200" required autocomplete="off">
<button id="note-${key}-button" class="primary">Write<span class="unseen"> the note for ${name}</span></button>
</form>
<form method="post" action="/${key}/panel" target="_blank" rel="noopener" class="open" data-leaves>
<button id="panel-${key}-button" class="again">Open the App’s own panel as ${customer.person.name}<span class="unseen"> (in a new tab)</span></button>
</form>
${functionUrl === null ? null : html`<p class="small"><a id="function-${key}" href="${functionUrl}" target="_blank" rel="noopener">Ask its function how many files ${name} has<span class="unseen"> (in a new tab)</span></a></p>`}
<div class="kept"><p id="notes-of-${key}">Notes on <code>PAPER-1</code> that the App keeps for ${name}:</p>
${install.notes.length === 0 ? html`<p class="none">None.</p>` : html`<ul aria-labelledby="notes-of-${key}">${install.notes.map((text) => html`<li>${text}</li>`)}</ul>`}</div>`;
}
