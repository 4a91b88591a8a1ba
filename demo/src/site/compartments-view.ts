import { masked } from './call-view.ts';
import { type Html, html } from './html.ts';
import { customers, type Lane, type Visit } from './visit.ts';

function row(term: string, value: Html | null): Html {
  return html`<div class="row${value === null ? ' none' : ''}"><dt>${term}</dt><dd>${value ?? html`<span aria-hidden="true">–</span><span class="unseen">none yet</span>`}</dd></div>`;
}

function compartment({ customer, application, accounts, narrowed, install }: Lane): Html {
  const code = (text: string) => html`<code>${text}</code>`;
  const list = [...accounts.values()];
  return html`<div class="compartment ${customer.key}"><h2>${customer.name}</h2><dl>
${row('Application', application === null ? null : code(`${application.id.slice(0, 9)}…`))}
${row('Accounts', list.length === 0 ? null : html`${list.map(({ id }) => code(id))}`)}
${row('Tokens', list.length === 0 ? null : html`${[...list.map(({ token }) => token), ...(narrowed === null ? [] : [narrowed])].map(({ secret }) => code(masked(secret.reveal())))}`)}
${row('App', install === null ? null : html`<code>${`${install.clientKey.slice(0, 9)}…`}</code>${install.notes.length === 0 ? null : html`<span>${`${install.notes.length} ${install.notes.length === 1 ? 'note' : 'notes'}`}</span>`}`)}
</dl></div>`;
}

/** What there is by now, in two compartments with a wall between them. */
export function compartmentsView(visit: Visit): Html {
  return html`<section class="hull" aria-label="What there is by now">${customers.map(({ key }) => compartment(visit.lanes[key]))}</section>`;
}
