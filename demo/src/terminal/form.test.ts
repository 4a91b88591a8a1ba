import { expect, it } from 'vitest';
import { readForms } from './form.ts';

it('a form is read with its fields, buttons and escaped values', () => {
  const page = `<form method="post" action="/a?x=1&amp;y=2"><input type="hidden" name="service" value="a &#34;b&#34; &#x41;"><input name="api_key" required><button>Plain</button><button class="primary" name="go" value="1">Go</button></form>
<form action="/b"><button name="cancel" value="1">No</button></form>`;
  expect(readForms(page)).toEqual([
    {
      method: 'post',
      action: '/a?x=1&y=2',
      fields: new Map([
        ['service', 'a "b" A'],
        ['api_key', ''],
      ]),
      buttons: [{ name: 'go', value: '1' }],
    },
    { method: 'get', action: '/b', fields: new Map(), buttons: [{ name: 'cancel', value: '1' }] },
  ]);
});

it('a page without forms has none', () => {
  expect(readForms('<h1>Nothing</h1>')).toEqual([]);
});
