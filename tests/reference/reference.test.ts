import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineErrors } from '@bulkhead/base';
import { SETTINGS } from '@bulkhead/platform';
import { beforeAll, describe, expect, it } from 'vitest';
import { appKitPage, kitRefusals } from './app-kit-page.ts';
import { allErrors, documentedCodes, errorPage } from './error-page.ts';
import { referenceFiles } from './reference-files.ts';

const root = join(import.meta.dirname, '../..');
const stored = (name: string) => readFile(join(root, 'docs/reference', name), 'utf8');

describe('docs/reference', () => {
  let made: Readonly<Record<string, string>>;
  beforeAll(async () => {
    made = await referenceFiles(root);
  });

  it.each(['app-kit.md', 'errors.md', 'config.md', 'events.md', 'openapi.json'])(
    '%s is what the code says; where it is not: npm run docs',
    async (name) => {
      expect(await stored(name)).toBe(made[name]);
    },
  );

  it('every declared error is documented, and nothing is documented that is not declared', async () => {
    const documented = documentedCodes(await stored('errors.md'));
    const declared = [...(await allErrors(root)).keys()];
    expect(declared.length).toBeGreaterThan(40);
    expect(documented.toSorted()).toEqual(declared.toSorted());
    expect(new Set(documented).size).toBe(documented.length);
  });

  it('an error declared tomorrow and forgotten in the page is noticed', async () => {
    defineErrors({ 'reference.declared_tomorrow': { status: 418, wire: 'bad_request', text: 'I am new | and {odd}.' } });
    const page = errorPage(await allErrors(root));
    expect(documentedCodes(page)).toContain('reference.declared_tomorrow');
    expect(page).toContain('| `reference.declared_tomorrow` | 418 `bad_request` |  | I am new \\| and *odd*. |');
    expect(documentedCodes(await stored('errors.md'))).not.toContain('reference.declared_tomorrow');
  });

  it('every refusal of app-kit is documented, on a page of its own; one that is declared tomorrow is noticed', async () => {
    const documented = documentedCodes(await stored('app-kit.md'));
    expect(documented).toEqual([...kitRefusals().keys()]);
    expect(documented).toContain('app_kit.unauthorized');
    expect(documentedCodes(await stored('errors.md')).some((code) => code.startsWith('app_kit.'))).toBe(false);
    defineErrors({ 'app_kit.declared_tomorrow': { status: 418, wire: 'bad_request', text: 'I am new.' } });
    expect(documentedCodes(appKitPage(kitRefusals()))).toHaveLength(documented.length + 1);
  });

  it('every setting stands in the table once, and no other', async () => {
    const rows = [...(await stored('config.md')).matchAll(/^\| `(BULKHEAD_\w+)` \|/gm)].map(([, variable]) => variable);
    expect(rows).toEqual(Object.values(SETTINGS).map(({ variable }) => variable));
  });

  it('every public text of an error is a sentence without a secret place', async () => {
    for (const [code, { text }] of [...(await allErrors(root)), ...kitRefusals()]) {
      expect(text, code).toMatch(/^[A-Z"{]/);
      expect(text, code).toMatch(/[.?!}]$/);
      expect(text, code).not.toMatch(/\{(?:secret|token|password|key)\}/);
    }
  });
});
