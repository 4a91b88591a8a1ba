import { randomBase62 } from '@bulkhead/base';
import type { Answer } from '@bulkhead/http';
import { Html, html } from './html.ts';
import type { Language } from './locale.ts';
import { initialsOf } from './monogram.ts';
import { styleSheet } from './style-sheet.ts';
import { themeFrom } from './theme.ts';

/** How the Application looks on the pages. `name` is null where no Application is known: then nobody is named. */
export interface Brand {
  readonly name: string | null;
  /** Only shown where it is a `data:` image or of our own origin: a page of ours loads nothing from others. */
  readonly logoUrl: string | null;
  readonly primaryColour: string | null;
  readonly backgroundColour: string | null;
  readonly supportUrl: string | null;
  readonly privacyUrl: string | null;
}

export const NO_BRAND: Brand = {
  name: null,
  logoUrl: null,
  primaryColour: null,
  backgroundColour: null,
  supportUrl: null,
  privacyUrl: null,
};

export interface PageSetting {
  readonly brand: Brand;
  readonly language: Language;
  /** Origin of the server, without a slash at the end. */
  readonly publicUrl: string;
}

export interface Page {
  readonly status: number;
  /** For the window's title bar, before the Application's name. */
  readonly title: string;
  readonly body: Html;
  /** Text of one inline script; the page works without it. */
  readonly script?: Html;
  /** Where its forms may end, redirects included, as CSP sources beside our own origin. */
  readonly formTargets?: readonly string[];
  readonly cookies?: readonly string[];
}

/** The Application's name, or a word for it where it is not known. */
export function nameOf({ brand, language }: PageSetting): string {
  return brand.name ?? language.say('this_app');
}

/** The logo where it may be shown, else null. */
export function showableLogo(logoUrl: string | null, publicUrl: string): string | null {
  if (logoUrl === null || logoUrl.length > 200_000) return null;
  if (/^data:image\/(?:png|jpeg|gif|webp|svg\+xml)[;,]/i.test(logoUrl)) return logoUrl;
  return URL.canParse(logoUrl) && new URL(logoUrl).origin === publicUrl ? logoUrl : null;
}

function webUrl(text: string | null): string | null {
  return text !== null && /^https?:\/\//i.test(text) && URL.canParse(text) ? text : null;
}

/** The Application's logo, or its initials; null where it is not known. */
export function brandMark({ brand, publicUrl }: PageSetting): Html | null {
  if (brand.name === null) return null;
  const logo = showableLogo(brand.logoUrl, publicUrl);
  return logo === null
    ? html`<span class="mark" aria-hidden="true">${initialsOf(brand.name)}</span>`
    : html`<img class="mark" src="${logo}" alt="" width="40" height="40">`;
}

function brandRow(setting: PageSetting): Html | null {
  const mark = brandMark(setting);
  return mark === null ? null : html`<p class="brand">${mark}<span>${setting.brand.name}</span></p>`;
}

function footer({ brand, language }: PageSetting): Html | null {
  const links = [
    [webUrl(brand.supportUrl), language.say('support')],
    [webUrl(brand.privacyUrl), language.say('privacy')],
  ] as const;
  const shown = links
    .filter(([url]) => url !== null)
    .map(([url, label]) => html`<a href="${url}" target="_blank" rel="noopener noreferrer">${label}</a>`);
  return shown.length === 0 ? null : html`<footer>${shown}</footer>`;
}

/**
 * A whole page as an answer: nothing on it comes from elsewhere, nothing runs or styles that does not carry this answer's nonce,
 * nobody may frame it. There is no Cross-Origin-Opener-Policy: the result may have to go to the opener.
 */
export function pageAnswer(page: Page, setting: PageSetting): Answer<string> {
  const nonce = randomBase62(22);
  const { brand, language } = setting;
  const policy = [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    ...(page.script === undefined ? [] : [`script-src 'nonce-${nonce}'`]),
    "img-src 'self' data:",
    `form-action ${["'self'", ...(page.formTargets ?? [])].join(' ')}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  const title = brand.name === null ? page.title : `${page.title} · ${brand.name}`;
  const script = page.script === undefined ? null : html`<script nonce="${nonce}">${page.script}</script>`;
  const document = html`<!doctype html>
<html lang="${language.tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<style nonce="${nonce}">${new Html(styleSheet(themeFrom(brand)))}</style>
</head>
<body>
<main>
${brandRow(setting)}
${page.body}
</main>
${footer(setting)}
${script}
</body>
</html>
`;
  return {
    status: page.status,
    body: document.text,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'x-frame-options': 'DENY',
      'x-robots-tag': 'noindex',
      ...(page.cookies === undefined || page.cookies.length === 0 ? {} : { 'set-cookie': [...page.cookies] }),
    },
  };
}
