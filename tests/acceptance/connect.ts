import { createHash, randomBytes } from 'node:crypto';
import { formWith, HttpBrowser, type Visit } from '@bulkhead/testkit';
import type { HttpClient } from './http-client.ts';
import type { Target } from './target.ts';

export interface Compartment {
  /** Application id: the OAuth client id. */
  readonly id: string;
  readonly apiKey: string;
}

export const REDIRECT_URI = 'https://company.example/connected';

export interface Connected {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly account_id: number;
  readonly scope: string;
  readonly expires_in?: number;
}

/** What the end user does at the service: picks a person there, or types a key into our form. */
export type EndUser = { readonly person: string } | { readonly key: string };

/** The company's server pushes the request, the end user's browser walks through, the server redeems the code. */
export async function connect(
  target: Target,
  http: HttpClient,
  compartment: Compartment,
  service: string,
  endUser: EndUser,
): Promise<Connected> {
  const verifier = randomBytes(32).toString('base64url');
  const server = http.as(`APIKey ${compartment.apiKey}`);
  const pushed = await server.form('/v1/oauth/par', {
    client_id: compartment.id,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: service,
    state: 'a state of the company',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    end_user: 'user-7',
  });
  if (pushed.status !== 201) throw new Error(`not pushed: ${pushed.status} ${pushed.text}`);
  const begin = `${target.url}/v1/oauth?${new URLSearchParams({ client_id: compartment.id, request_uri: pushed.json.request_uri })}`;
  const end = await walk(new HttpBrowser(target.url, target.upstreams.issuer), begin, endUser);
  const answer = new URL(end.url);
  if (!end.url.startsWith(REDIRECT_URI) || answer.searchParams.get('state') !== 'a state of the company')
    throw new Error(`the browser came to ${end.url}: ${end.text.slice(0, 1000)}`);
  const redeemed = await server.form('/v1/oauth/token', {
    grant_type: 'authorization_code',
    client_id: compartment.id,
    code: answer.searchParams.get('code') ?? '',
    redirect_uri: REDIRECT_URI,
    code_verifier: verifier,
    end_user: 'user-7',
  });
  if (redeemed.status !== 200) throw new Error(`not redeemed: ${redeemed.status} ${redeemed.text}`);
  return redeemed.json;
}

/** Through the connect page and the service's own pages, until the browser is sent to somewhere else. */
export async function walk(browser: HttpBrowser, begin: string, endUser: EndUser): Promise<Visit> {
  const visit = await browser.open(begin);
  const [field, value] = 'person' in endUser ? ['person', endUser.person] : ['api_key', endUser.key];
  const form = formWith(visit.text, field);
  if (form === null) return visit;
  return browser.submit(new URL(form.action, visit.url).href, { ...form.hidden, [field]: value });
}
