import type { Person } from './people.ts';

export interface SignInPage {
  readonly uid: string;
  readonly nonce: string;
  readonly clientName: string;
  readonly scopes: readonly string[];
  readonly people: readonly Person[];
  readonly hint: string;
  readonly problem?: string;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

const meanings: Readonly<Record<string, string>> = {
  'files:read': 'See your files',
  'files:write': 'Add and delete files',
  offline_access: 'Stay connected while you are away',
  openid: 'Know who you are',
  profile: 'Know your name',
  email: 'Know your e-mail address',
};

const style = `
:root{color-scheme:light dark;--ink:#12303a;--paper:#fbfdfd;--line:#c9d8dc;--accent:#0b6b82;--on:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e3eff2;--paper:#0e1c21;--line:#33505a;--accent:#5cc4dd;--on:#06171c}}
body{margin:0;font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:30rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.4rem}h2{font-size:1rem;margin:1.2rem 0 .4rem}
ul{padding-left:1.2rem}
button,input{font:inherit;padding:.6rem .9rem;border:1px solid var(--line);border-radius:.5rem;background:transparent;color:inherit}
button{display:block;width:100%;text-align:left;margin:.4rem 0;cursor:pointer}
button:hover,button:focus-visible{border-color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.row{display:flex;gap:.5rem}.row input{flex:1;min-width:0}.row button{width:auto;margin:0;background:var(--accent);color:var(--on)}
small{opacity:.8}[role=alert]{border-left:4px solid #c0392b;padding-left:.8rem}`;

/** Sign-in and consent in one page, without script: a button per person, a field for any other name, and a way out. */
export function renderSignInPage(page: SignInPage): string {
  const customers = [...new Set(page.people.map(({ customer }) => customer))];
  const button = ({ id, name, email }: Person) =>
    `<button name="person" value="${escape(id)}">Allow as ${escape(name)}<br><small>${escape(email)}</small></button>`;
  const groups = customers.map(
    (customer) =>
      `<h2>${escape(customer)}</h2>${page.people
        .filter((person) => person.customer === customer)
        .map(button)
        .join('')}`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Sign in · Harbour Files</title><style nonce="${page.nonce}">${style}</style></head>
<body><main><h1>Harbour Files</h1>
${page.problem === undefined ? '' : `<p role="alert">${escape(page.problem)}</p>`}
<p><strong>${escape(page.clientName)}</strong> would like to:</p>
<ul>${page.scopes.map((scope) => `<li>${escape(meanings[scope] ?? scope)}</li>`).join('')}</ul>
<form method="post" action="/interaction/${escape(page.uid)}">${groups.join('')}</form>
<form method="post" action="/interaction/${escape(page.uid)}"><h2><label for="name">Someone else</label></h2>
<div class="row"><input id="name" name="person" value="${escape(page.hint)}" autocomplete="name" maxlength="60" required><button>Allow</button></div></form>
<form method="post" action="/interaction/${escape(page.uid)}"><button name="cancel" value="1">Cancel</button></form>
<p><small>A demonstration: there are no passwords, and the files are made up.</small></p>
</main></body></html>`;
}
