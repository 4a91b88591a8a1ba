import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOSTILE, type Probe, type ProbeGroup, type ProbeRequest } from './hostile-requests.ts';
import { HostileWorld, type RawAnswer } from './hostile-world.ts';
import { REDIRECT_URI } from './oauth-world.ts';

let world: HostileWorld;
beforeAll(async () => {
  world = await HostileWorld.create();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** The benign request with what the probe changes: its fields one by one, everything else as a whole. */
function changed({ benign }: ProbeGroup, change: Probe[1]): ProbeRequest {
  const query = change.path !== undefined && change.query !== undefined ? change.query : { ...benign.query, ...change.query };
  const form = change.form !== undefined && Object.keys(change.form).length === 0 ? {} : { ...benign.form, ...change.form };
  return { ...benign, ...change, headers: { ...benign.headers, ...change.headers }, query, form };
}

const OAUTH_FIELDS = new Set(['error', 'error_description', 'error_code', 'id']);
const REST_FIELDS = new Set(['status_code', 'message', 'error_code', 'code', 'field', 'id']);

/** What was refused, in whatever shape it was told; and that the shape is one of ours. */
function toldBy({ headers, text, status }: RawAnswer): string {
  const { location } = headers;
  if (location !== undefined) {
    const url = new URL(location);
    const told = url.searchParams.get('error') ?? new URLSearchParams(url.hash.slice(1)).get('error') ?? '';
    expect(location.startsWith(REDIRECT_URI), `a redirect to ${location}`).toBe(true);
    expect((url.searchParams.get('iss') ?? new URLSearchParams(url.hash.slice(1)).get('iss'))?.startsWith('http'), 'iss').toBe(true);
    return told;
  }
  if (headers['content-type']?.startsWith('text/html')) {
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    return /[a-z]+\.[a-z_]+(?=<)/.exec(text)?.[0] ?? '';
  }
  expect(headers['content-type']).toBe('application/json');
  const body = JSON.parse(text) as Record<string, unknown>;
  const isOAuth = 'error' in body;
  expect(Object.keys(body).filter((name) => !(isOAuth ? OAUTH_FIELDS : REST_FIELDS).has(name))).toEqual([]);
  if (!isOAuth) expect(body['status_code']).toBe(status);
  expect(body['id']).toBe(headers['x-request-id']);
  return String(isOAuth ? body['error'] : body['code']);
}

/** What holds for every answer to a hostile request, whatever it was. */
function invariants(answer: RawAnswer, secrets: readonly string[]): void {
  const { headers, status } = answer;
  const everything = JSON.stringify(headers) + answer.text;
  expect(headers['cache-control'], 'kept by nobody').toBe('no-store');
  expect(headers['x-content-type-options']).toBe('nosniff');
  expect(headers['referrer-policy']).toBe('no-referrer');
  expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  expect(headers['access-control-allow-credentials']).toBeUndefined();
  expect(headers['set-cookie']).toBeUndefined();
  expect(headers['x-powered-by'] ?? headers['server']).toBeUndefined();
  expect('www-authenticate' in headers, 'a challenge with every 401').toBe(status === 401 || 'www-authenticate' in headers);
  if (status === 405) expect(headers['allow']).toBeTruthy();
  for (const secret of secrets) expect(everything.includes(secret), 'a secret comes back').toBe(false);
  expect(everything).not.toMatch(/evil\.example/);
  expect(everything).not.toMatch(/node_modules|\.ts:\d|\bat \w+ \(|select .* from|violates|syntax error at/i);
}

test('there are more than eighty of them', () => {
  expect(Object.values(HOSTILE).flatMap(({ probes }) => probes).length).toBeGreaterThan(80);
});

describe.each(Object.entries(HOSTILE))('%s', (_title, group) => {
  test.each(group.probes)('%s: refused, and the benign request beside it is not', async (_what, change, status, code) => {
    const hostile = await world.fill(changed(group, change));
    const answer = await world.send(hostile.request);
    expect([answer.status, toldBy(answer)], answer.text.slice(0, 300)).toEqual([status, code]);
    invariants(answer, hostile.secrets);

    const control = await world.send((await world.fill(group.benign)).request);
    expect(control.status, control.text.slice(0, 300)).toBe(group.benignStatus);
  });
});
