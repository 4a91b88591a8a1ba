import { Html, html } from './html.ts';
import { chevronIcon, lockIcon } from './icons.ts';
import { nameOf, type Page, type PageSetting } from './layout.ts';
import { initialsOf, tileOf } from './monogram.ts';

export interface ChooserService {
  readonly id: string;
  readonly name: string;
}

export interface ChooserInput {
  readonly services: readonly ChooserService[];
  /** Address of this transaction's page; every form of it posts there. */
  readonly action: string;
  readonly formTargets: readonly string[];
  readonly cookies?: readonly string[];
}

/** Fewer fit on a screen without searching. */
const SEARCH_FROM = 8;

/** Shows the search field (without script there is none, and the list is whole) and hides what does not match. */
const SEARCH = new Html(
  `const box=document.getElementById('search-box'),field=document.getElementById('search'),none=document.getElementById('none'),rows=[...document.querySelectorAll('.services li')];box.hidden=false;field.addEventListener('input',()=>{const wanted=field.value.trim().toLowerCase();let shown=0;for(const row of rows){row.hidden=!row.textContent.toLowerCase().includes(wanted);if(!row.hidden)shown++}none.hidden=shown>0});`,
);

function serviceRow({ id, name }: ChooserService): Html {
  return html`<li><button class="service" name="service" value="${id}"><span class="tile tile-${tileOf(name)}" aria-hidden="true">${initialsOf(name)}</span><span class="label">${name}</span>${chevronIcon}</button></li>`;
}

/** "Which of your accounts?": one button per service. */
export function chooserPage(input: ChooserInput, setting: PageSetting): Page {
  const { say } = setting.language;
  const name = nameOf(setting);
  const searchable = input.services.length >= SEARCH_FROM;
  const search = html`<div class="search" id="search-box" hidden><label for="search">${say('chooser_search')}</label><input id="search" type="search" autocomplete="off"></div><p class="lead" id="none" role="status" hidden>${say('chooser_no_match')}</p>`;
  return {
    status: 200,
    title: say('page_name'),
    formTargets: input.formTargets,
    ...(input.cookies === undefined ? {} : { cookies: input.cookies }),
    ...(searchable ? { script: SEARCH } : {}),
    body: html`<h1>${say('chooser_title')}</h1>
<p class="lead">${say('chooser_lead', { name })}</p>
${searchable ? search : null}
<form method="post" action="${input.action}">
<ul class="services">
${input.services.map(serviceRow)}
</ul>
<p class="hint">${lockIcon}<span>${say('chooser_hint', { name })}</span></p>
<div class="quiet"><button name="cancel" value="1">${say('cancel')}</button></div>
</form>`,
  };
}
