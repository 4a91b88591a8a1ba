import { html } from './html.ts';
import { alertIcon } from './icons.ts';
import { nameOf, type Page, type PageSetting } from './layout.ts';

/** What went wrong, as the person at the browser understands it. */
export type ErrorKind =
  | 'link'
  | 'expired'
  | 'opened'
  | 'browser'
  | 'origin'
  | 'service'
  | 'silent'
  | 'setup'
  | 'refused'
  | 'mismatch'
  | 'missing'
  | 'over'
  | 'other';

export interface ErrorPageInput {
  readonly status: number;
  readonly kind: ErrorKind;
  /** Values of the text's places, beside the Application's name. */
  readonly values?: Readonly<Record<string, string>>;
  /** For the developer: catalogue code, public text (English), request id. */
  readonly code: string;
  readonly reason: string;
  readonly requestId: string;
  readonly cookies?: readonly string[];
}

/** Two readers, one page: what to do next in plain words, and below, folded, what a developer needs. */
export function errorPage(input: ErrorPageInput, setting: PageSetting): Page {
  const { say } = setting.language;
  const values = { name: nameOf(setting), ...input.values };
  const title = say(`error_${input.kind}_title`, values);
  return {
    status: input.status,
    title,
    ...(input.cookies === undefined ? {} : { cookies: input.cookies }),
    body: html`<div class="sign">${alertIcon}</div>
<h1>${title}</h1>
<p>${say(`error_${input.kind}_text`, values)}</p>
<details><summary>${say('error_details')}</summary>
<dl><dt>${say('error_code')}</dt><dd><code>${input.code}</code></dd><dt>${say('error_reason')}</dt><dd lang="en">${input.reason}</dd><dt>${say('error_request')}</dt><dd><code>${input.requestId}</code></dd></dl>
</details>`,
  };
}
