import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { curlLine, curlLines } from './curl-line.ts';
import { heldCredential, shortened } from './held-credential.ts';
import { apiKey, bearer, type BulkheadRequest } from './request.ts';

const key = heldCredential('API_KEY', 'bhk_app0123456789abcdefghij_secret-part-of-it');
const base = 'http://127.0.0.1:8400';

/** The words that a real shell makes of a line. */
function shellWords(line: string, env: Record<string, string> = {}): string[] {
  const text = execFileSync(
    '/bin/sh',
    ['-c', String.raw`print() { for word; do printf '%s\036' "$word"; done; }; ${line.replace(/^curl/, 'print')}`],
    { env: { PATH: '/usr/bin:/bin', ...env }, encoding: 'utf8' },
  );
  return text.split('\u001e').slice(0, -1);
}

describe('a curl line', () => {
  it('shows a credential as a variable, never as its text', () => {
    const line = curlLine(base, { method: 'GET', path: '/v1/accounts', credential: apiKey(key) });
    expect(line).toBe('curl http://127.0.0.1:8400/v1/accounts -H "Authorization: APIKey $API_KEY"');
  });

  it('hides credentials in forms and at any depth of JSON too', () => {
    const form = curlLine(base, { method: 'POST', path: '/v1/oauth/token', form: { subject_token: key, scope: 'any' } });
    const json = curlLine(base, { method: 'POST', path: '/x', json: { keys: [{ client_secret: key, name: "it's $5" }] } });
    for (const line of [form, json]) expect(line).not.toContain('secret-part');
    expect(shellWords(json, { API_KEY: 'filled' }).at(-1)).toBe(`{"keys":[{"client_secret":"filled","name":"it's $5"}]}`);
  });

  it('shows the text where that is asked for', () => {
    expect(curlLine(base, { method: 'GET', path: '/', credential: bearer(key) }, (held) => held.secret.reveal())).toContain(
      "-H 'Authorization: Bearer bhk_",
    );
  });

  it('encodes a form value where its text would mean something else in a form', () => {
    const line = curlLine(base, { method: 'POST', path: '/x', form: { plain: 'urn:a:b-c', odd: 'a&b=c d+e%' } });
    expect(shellWords(line)).toEqual([`${base}/x`, '-d', 'plain=urn:a:b-c', '--data-urlencode', 'odd=a&b=c d+e%']);
  });

  it('survives a shell: quotes, dollars, backslashes and backticks arrive as they are', () => {
    const text = 'a \'b\' "c" $HOME `id` \\ d';
    const request: BulkheadRequest = { method: 'POST', path: '/v1/x?q=1&r=2', json: { text, key } };
    expect(shellWords(curlLine(base, request), { API_KEY: 'K' })).toEqual([
      `${base}/v1/x?q=1&r=2`,
      '--json',
      JSON.stringify({ text, key: 'K' }),
    ]);
    expect(shellWords(curlLines(base, request), { API_KEY: 'K' })).toEqual(shellWords(curlLine(base, request), { API_KEY: 'K' }));
    expect(shellWords(curlLine(base, { method: 'DELETE', path: '/x', text }))).toEqual([
      '-X',
      'DELETE',
      `${base}/x`,
      '-H',
      'Content-Type: text/plain',
      '--data-binary',
      text,
    ]);
  });
});

it('a shortened credential shows its kind and its end, and a short one nothing', () => {
  expect(shortened(key)).toBe('bhk_app0…f-it');
  expect(shortened(heldCredential('X', 'short'))).toBe('…');
});
