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

/** The request as one line for a shell. What `show` leaves out is written as a variable such as `$API_KEY`. */
export function curlLine(baseUrl: string, request: BulkheadRequest, show: ShowCredential = () => null): string {
  const hasBody = request.json !== undefined || request.form !== undefined || request.text !== undefined;
  const implied = hasBody ? 'POST' : 'GET';
  const { credential } = request;
  const words = [
    'curl',
    ...(request.method === implied ? [] : ['-X', request.method]),
    shellWord([baseUrl + request.path]),
    ...(credential === undefined ? [] : ['-H', shellWord([`Authorization: ${credential.scheme} `, shown(credential.held, show)])]),
    ...(request.json === undefined ? [] : ['--json', shellWord(jsonParts(request.json).map((part) => shown(part, show)))]),
    ...Object.entries(request.form ?? {}).flatMap(([name, value]) => ['--data-urlencode', shellWord([`${name}=`, shown(value, show)])]),
    ...(request.text === undefined ? [] : ['-H', shellWord(['Content-Type: text/plain']), '--data-binary', shellWord([request.text])]),
  ];
  return words.join(' ');
}
