const EXCERPT_CHARACTERS = 1_024;
const OURS = /\b(?:bh[a-z]_|whsec_)[0-9A-Za-z_+/=-]{16,}/g;

/**
 * The beginning of an answer's body as text that may be kept and shown: nothing of `confidential`, in any of the spellings in which
 * a page echoes a header, and nothing that has the form of a credential of ours. Null for an empty body.
 */
export function responseExcerpt(body: Uint8Array, confidential: readonly string[]): string | null {
  let text = new TextDecoder('utf-8').decode(body);
  for (const value of confidential.flatMap(spellings)) text = text.replaceAll(value, '[redacted]');
  text = text
    .replace(OURS, '[redacted]')
    // PostgreSQL keeps no NUL, and a terminal should not obey what it shows.
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufffd\ud800-\udfff]/g, (found) => (found === '\r' ? '' : '·'))
    .slice(0, EXCERPT_CHARACTERS);
  return text === '' ? null : text;
}

function spellings(value: string): string[] {
  const html = value.replaceAll('+', '&#43;').replaceAll('/', '&#x2F;').replaceAll('=', '&#x3D;');
  const html10 = value.replaceAll('+', '&#43;').replaceAll('/', '&#47;').replaceAll('=', '&#61;');
  return [...new Set([value, value.replaceAll('/', '\\/'), encodeURIComponent(value), html, html10])].filter((each) => each.length >= 8);
}
