import { type HeldCredential, jsonParts } from './held-credential.ts';
import type { BulkheadRequest, FormValue } from './request.ts';

/** How a credential is written: its text, or null for the shell variable. */
export type ShowCredential = (held: HeldCredential) => string | null;

type Part = string | { readonly variable: string };

/** One shell word. Quoted only where it must be; in double quotes where a variable is to be filled in. */
function shellWord(parts: readonly Part[]): string {
  const texts = parts.filter((part) => typeof part === 'string');
  if (texts.length < parts.length) {
    return `"${parts.map((part) => (typeof part === 'string' ? part.replaceAll(/[\\"$`]/g, String.raw`\$&`) : `$${part.variable}`)).join('')}"`;
  }
  const text = texts.join('');
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function shown(value: FormValue, show: ShowCredential): Part {
  return typeof value === 'string' ? value : (show(value) ?? { variable: value.variable });
}

/** Credentials are letters, digits, `_` and `-`; other text may be sent as it is where a form means the same by it. */
function needsNoEncoding(value: FormValue): boolean {
  return typeof value !== 'string' || /^[\w.~:/-]*$/.test(value);
}

/** The request as one line for a shell. What `show` leaves out is written as a variable such as `$API_KEY`. */
export function curlLine(baseUrl: string, request: BulkheadRequest, show?: ShowCredential): string {
  return curlOptions(baseUrl, request, show).join(' ');
}

/** The same for the eye: an option to a line, and a shell still takes it as one command. */
export function curlLines(baseUrl: string, request: BulkheadRequest, show?: ShowCredential): string {
  return curlOptions(baseUrl, request, show).join(' \\\n  ');
}

function curlOptions(baseUrl: string, request: BulkheadRequest, show: ShowCredential = () => null): string[] {
  const hasBody = request.json !== undefined || request.form !== undefined || request.text !== undefined;
  const implied = hasBody ? 'POST' : 'GET';
  const { credential } = request;
  const option = (name: string, parts: readonly Part[]) => `${name} ${shellWord(parts)}`;
  return [
    `curl ${request.method === implied ? '' : `-X ${request.method} `}${shellWord([baseUrl + request.path])}`,
    ...(credential === undefined ? [] : [option('-H', [`Authorization: ${credential.scheme} `, shown(credential.held, show)])]),
    ...(request.json === undefined
      ? []
      : [
          option(
            '--json',
            jsonParts(request.json).map((part) => shown(part, show)),
          ),
        ]),
    ...Object.entries(request.form ?? {}).map(([name, value]) =>
      option(needsNoEncoding(value) ? '-d' : '--data-urlencode', [`${name}=`, shown(value, show)]),
    ),
    ...(request.text === undefined ? [] : [option('-H', ['Content-Type: text/plain']), option('--data-binary', [request.text])]),
  ];
}
