import { type Html, html } from './html.ts';
import { alertIcon, lockIcon } from './icons.ts';
import { nameOf, type Page, type PageSetting } from './layout.ts';

export interface CredentialFormInput {
  readonly service: { readonly id: string; readonly name: string; readonly auth: 'api_key' | 'basic' };
  readonly action: string;
  /** What was typed before, or given with the request. Never a secret. */
  readonly username: string;
  /** Why the last try failed; null on the first. */
  readonly problem: 'form_refused' | 'form_unavailable' | 'form_missing' | null;
  /** Whether there is a list to go back to. */
  readonly others: boolean;
  readonly formTargets: readonly string[];
}

interface Field {
  readonly name: string;
  readonly label: string;
  readonly type: 'text' | 'password';
  readonly value: string;
}

function fieldRow(field: Field, problem: boolean, first: boolean): Html {
  return html`<div class="field"><label for="${field.name}">${field.label}</label><input id="${field.name}" name="${field.name}" type="${field.type}" value="${field.value}" required maxlength="4096" autocomplete="off" autocapitalize="none" spellcheck="false"${problem ? html` aria-invalid="true" aria-describedby="problem"` : null}${first ? html` autofocus` : null}></div>`;
}

/** The credential of a service without OAuth: a key, or user name and password. */
export function credentialFormPage(input: CredentialFormInput, setting: PageSetting): Page {
  const { say } = setting.language;
  const name = nameOf(setting);
  const service = input.service.name;
  const fields: Field[] =
    input.service.auth === 'api_key'
      ? [{ name: 'api_key', label: say('form_api_key'), type: 'password', value: '' }]
      : [
          { name: 'username', label: say('form_username'), type: 'text', value: input.username },
          { name: 'password', label: say('form_password'), type: 'password', value: '' },
        ];
  const firstEmpty = fields.findIndex(({ value }) => value === '');
  const problem =
    input.problem === null
      ? null
      : html`<p class="alert" id="problem" role="alert">${alertIcon}<span>${say(input.problem, { service })}</span></p>`;
  const back = html`<form method="get" action="${input.action}"><button>${say('form_back')}</button></form>`;
  const cancel = html`<form method="post" action="${input.action}"><button name="cancel" value="1">${say('cancel')}</button></form>`;
  return {
    status: input.problem === null ? 200 : 422,
    title: say('form_title', { service }),
    formTargets: input.formTargets,
    body: html`<h1>${say('form_title', { service })}</h1>
<p class="lead">${say(input.service.auth === 'api_key' ? 'form_lead_api_key' : 'form_lead_basic', { service })}</p>
${problem}
<form method="post" action="${input.action}/credential">
<input type="hidden" name="service" value="${input.service.id}">
${fields.map((field, index) => fieldRow(field, input.problem !== null, index === firstEmpty))}
<button class="primary">${say('form_submit')}</button>
<p class="hint">${lockIcon}<span>${say('form_hint', { name })}</span></p>
</form>
<div class="quiet">${input.others ? back : null}${cancel}</div>`,
  };
}
