import { describe, expect, it } from 'vitest';
import { chooserPage } from './chooser-page.ts';
import { credentialFormPage } from './credential-form-page.ts';
import { errorPage } from './error-page.ts';
import { html, scriptJson } from './html.ts';
import { NO_BRAND, type Page, pageAnswer, type PageSetting, showableLogo } from './layout.ts';
import { languageFor, languages } from './locale.ts';
import { initialsOf } from './monogram.ts';
import { donePage, oobResultPage } from './oob-result-page.ts';
import { darkTile, TILES } from './style-sheet.ts';
import { contrast, parseColour, themeFrom } from './theme.ts';

const evil = `"'><script>alert(1)</script><!--</title>`;

function setting(fields: Partial<PageSetting['brand']> = {}, locale = 'en'): PageSetting {
  return {
    brand: { ...NO_BRAND, name: 'Northwind', ...fields },
    language: languageFor(locale, undefined),
    publicUrl: 'https://connect.example',
  };
}

/** Every page there is, with `text` wherever somebody else decides what stands there. */
function everyPage(text: string, to: PageSetting): readonly (readonly [string, Page])[] {
  const service = { id: 'x', name: text };
  return [
    ['chooser', chooserPage({ services: Array.from({ length: 9 }, () => service), action: '/a', formTargets: [] }, to)],
    [
      'form',
      credentialFormPage(
        { service: { ...service, auth: 'basic' }, action: '/a', username: text, problem: 'form_refused', others: true, formTargets: [] },
        to,
      ),
    ],
    [
      'key form',
      credentialFormPage(
        { service: { ...service, auth: 'api_key' }, action: '/a', username: text, problem: null, others: false, formTargets: [] },
        to,
      ),
    ],
    ['error', errorPage({ status: 400, kind: 'origin', values: { origin: text }, code: 'x.y', reason: text, requestId: 'r' }, to)],
    [
      'result',
      oobResultPage(
        { message: { type: 'authentication', id: text, data: { state: text } }, targetOrigin: 'https://app.example', outcome: 'connected' },
        to,
      ),
    ],
    ['done', donePage(to, [])],
  ];
}

describe('html', () => {
  it('escapes what it is given, in text and in quoted attributes', () => {
    expect(html`<p title="${evil}">${evil}</p>`.text).not.toMatch(/<script|"'>/);
    expect(html`${html`<b>kept</b>`}`.text).toBe('<b>kept</b>');
  });

  it('JSON in a script cannot end the script', () => {
    const text = scriptJson({ text: '</script><!--\u2028' }).text;
    expect(text).not.toMatch(/[<>\u2028]/);
    expect(JSON.parse(text)).toEqual({ text: '</script><!--\u2028' });
  });
});

describe('every page', () => {
  it.each(everyPage(evil, setting({ name: evil, supportUrl: evil, privacyUrl: 'javascript:alert(1)', logoUrl: evil })))(
    '%s keeps foreign text harmless',
    (_, page) => {
      const answer = pageAnswer(page, setting({ name: evil, supportUrl: evil, privacyUrl: 'javascript:alert(1)', logoUrl: evil }));
      const scripts = answer.body!.match(/<script/g) ?? [];
      expect(scripts.length).toBe(page.script === undefined ? 0 : 1);
      expect(answer.body).not.toContain('javascript:');
      expect(answer.body).not.toContain('alert(1)</script>');
    },
  );

  it.each(everyPage('Harbour', setting()))('%s loads nothing from elsewhere and is framed by nobody', (_, page) => {
    const answer = pageAnswer(page, setting({ logoUrl: 'https://cdn.example/logo.png' }));
    const policy = String(answer.headers!['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'; style-src 'nonce-[0-9A-Za-z]{22}'; /);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("base-uri 'none'");
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(answer.headers).not.toHaveProperty('cross-origin-opener-policy');
    expect(answer.body!.replaceAll(/href="https:\/\/[^"]*"/g, '')).not.toMatch(
      /(?:src|href|srcset)="(?!data:)|url\(|@import|\sstyle="|\son\w+="/i,
    );
  });

  it.each(everyPage('Harbour', setting()))('%s names no vendor', (_, page) => {
    expect(pageAnswer(page, setting()).body).not.toMatch(/bulkhead/i);
  });

  it.each(everyPage('Harbour', setting()))('%s says its language, one heading, and a title with the name of the Application', (_, page) => {
    const body = pageAnswer(page, setting({}, 'de')).body!;
    expect(body).toContain('<html lang="de">');
    expect(body.match(/<title>[^<]+ · Northwind<\/title>/)).not.toBeNull();
    expect((body.match(/<h1>/g) ?? []).length - (body.includes('id="no-opener"') ? 1 : 0)).toBe(1);
  });

  it.each(['service', 'silent', 'setup', 'refused'] as const)(
    'the error page of kind "%s" says in each language whose fault it is, that nothing was connected, and where to go',
    (kind) => {
      const texts = languages.map((locale) => {
        const page = errorPage(
          { status: 502, kind, values: { service: 'Harbour' }, code: 'x.y', reason: 'r', requestId: 'r' },
          setting({}, locale),
        );
        expect(page.body.text).toMatch(/Northwind/);
        expect(page.body.text).not.toMatch(/\{\w+\}/);
        if (kind !== 'setup' && kind !== 'refused') expect(page.body.text).toContain('Harbour');
        return page.body.text;
      });
      expect(new Set(texts).size).toBe(languages.length);
    },
  );

  it('two answers never share a nonce', () => {
    const nonces = [1, 2].map(
      () => /nonce-(\w+)/.exec(String(pageAnswer(donePage(setting(), []), setting()).headers!['content-security-policy']))![1],
    );
    expect(nonces[0]).not.toBe(nonces[1]);
  });

  it('a page without a script allows none', () => {
    expect(String(pageAnswer(donePage(setting(), []), setting()).headers!['content-security-policy'])).not.toContain('script-src');
  });
});

describe('the result page', () => {
  it('posts to the one trusted origin, never to any', () => {
    const page = oobResultPage(
      { message: { type: 'authentication', id: 1, data: {} }, targetOrigin: 'https://app.example', outcome: 'connected' },
      setting(),
    );
    expect(page.script!.text).toContain('"https://app.example"');
    expect(page.script!.text).not.toContain('"*"');
  });
});

describe('languages', () => {
  it.each(languages)('%s leaves no place of a text unfilled', (tag) => {
    for (const [, page] of everyPage('Harbour', setting({}, tag))) expect(page.body.text).not.toMatch(/\{\w+\}/);
  });

  it('the Application decides, then the browser, then English', () => {
    expect(languageFor('de-CH', 'fr').tag).toBe('de');
    expect(languageFor(null, 'pt-BR, fr;q=0.5, es;q=0.8').tag).toBe('es');
    expect(languageFor(null, 'es;q=0, fr-CA').tag).toBe('fr');
    expect(languageFor('xx', undefined).tag).toBe('en');
    expect(languageFor('__proto__', 'constructor').tag).toBe('en');
  });
});

describe('colours', () => {
  it.each(['red', '#12', '#12345g', '#1234567', 'url(x)', '#fff;}', '', null])('%s is no colour', (text) => {
    expect(parseColour(text)).toBeNull();
  });

  it('#abc and #AABBCC are the same colour', () => {
    expect(parseColour('#abc')).toBe(parseColour('#AABBCC'));
  });

  const primaries = ['#ffffff', '#000000', '#ffd400', '#0b7a5e', '#808080', '#ff0000', '#00ff00', '#0000ff', '#777777', '#123456'];
  const pages = [null, '#ffffff', '#000000', '#fff7d6', '#7f7f7f', '#ff00ff'];
  it.each(primaries.flatMap((primary) => pages.map((page) => [primary, page] as const)))(
    'with %s on %s every text can be read (WCAG 1.4.3)',
    (primaryColour, backgroundColour) => {
      const theme = themeFrom({ primaryColour, backgroundColour });
      for (const palette of [theme.light, theme.dark]) {
        for (const [text, background] of [
          [palette.text, palette.card],
          [palette.muted, palette.card],
          [palette.accent, palette.card],
          [palette.danger, palette.card],
          [palette.danger, palette.dangerSoft],
          [palette.text, palette.hover],
          [palette.primaryText, palette.primary],
          [palette.pageText, palette.page],
        ] as const) {
          expect(contrast(text, background), `${text} on ${background}`).toBeGreaterThanOrEqual(4.5);
        }
      }
    },
  );

  it('every tile can be read, in the light and in the dark', () => {
    for (const tile of [...TILES, ...TILES.map(darkTile)])
      expect(contrast(...(tile as [string, string])), tile.join(' on ')).toBeGreaterThanOrEqual(4.5);
  });
});

describe('logo and initials', () => {
  it('only our own origin or an image in the page itself is shown', () => {
    expect(showableLogo('https://cdn.example/l.png', 'https://connect.example')).toBeNull();
    expect(showableLogo('data:text/html,x', 'https://connect.example')).toBeNull();
    expect(showableLogo('https://connect.example/l.png', 'https://connect.example')).not.toBeNull();
    expect(showableLogo('data:image/png;base64,AAAA', 'https://connect.example')).not.toBeNull();
  });

  it('initials are the first letters of the first two words', () => {
    expect(['Harbour Files', 'dropbox', 'Ärzte & Co', '😀', ''].map(initialsOf)).toEqual(['HF', 'D', 'ÄC', '·', '·']);
  });
});
