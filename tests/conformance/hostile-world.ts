import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { pkcePair } from '@bulkhead/testkit';
import type { ProbeRequest } from './hostile-requests.ts';
import { basic, type Client, OAuthWorld, REDIRECT_URI, SERVICE } from './oauth-world.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const UNKNOWN_ID = 'app0123456789abcdefghijklmn';

interface Grant {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly account_id: number;
}

/** A world with two clients, of which the second must never help the first. */
export class HostileWorld implements AsyncDisposable {
  readonly oauth: OAuthWorld;
  readonly other: Client;
  readonly #account: number;
  readonly #otherAccount: number;

  private constructor(oauth: OAuthWorld, other: Client, account: number, otherAccount: number) {
    this.oauth = oauth;
    this.other = other;
    this.#account = account;
    this.#otherAccount = otherAccount;
  }

  static async create(): Promise<HostileWorld> {
    const oauth = await OAuthWorld.create();
    const other = await oauth.another();
    await oauth.world.meta('POST', `/applications/${other.id}/redirect_uris`, { url: 'https://other.example/cb' });
    return new HostileWorld(oauth, other, (await oauth.grant()).account_id, (await grantFor(oauth, other)).account_id);
  }

  /** The request with every `{name}` filled, and the secrets that it holds: none of them may come back. */
  async fill(request: ProbeRequest): Promise<{ readonly request: ProbeRequest; readonly secrets: readonly string[] }> {
    const names = new Set([...JSON.stringify(request).matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name));
    const values = await this.#values(names);
    const filled = (text: string) => text.replaceAll(/\{(\w+)\}/g, (place, name: string) => values[name]?.text ?? place);
    return {
      request: JSON.parse(JSON.stringify(request), (_name, value: unknown) => (typeof value === 'string' ? filled(value) : value)),
      secrets: Object.values(values).flatMap(({ text, secret }) => (secret ? [text] : [])),
    };
  }

  async #values(names: ReadonlySet<string>): Promise<Record<string, { text: string; secret: boolean }>> {
    const { oauth, other } = this;
    const values: Record<string, { text: string; secret: boolean }> = {};
    const open = (name: string, text: string) => (values[name] = { text, secret: false });
    const secret = (name: string, text: string) => (values[name] = { text, secret: true });
    const wants = (...wanted: string[]) => wanted.some((name) => names.has(name));
    const pair = (id: string, key: string) => basic(id, key).authorization.slice('Basic '.length);

    open('client_id', oauth.client.id);
    open('other_id', other.id);
    open('unknown_id', UNKNOWN_ID);
    open('service', SERVICE);
    open('redirect_uri', REDIRECT_URI);
    open('other_redirect_uri', 'https://other.example/cb');
    open('host', new URL(oauth.world.url).host);
    open('account', String(this.#account));
    open('other_account', String(this.#otherAccount));
    secret('key', oauth.client.key);
    secret('other_key', other.key);
    secret('meta_token', oauth.world.metaToken);
    secret('basic', pair(oauth.client.id, oauth.client.key));
    secret('other_basic', pair(other.id, other.key));
    secret('basic_foreign_key', pair(oauth.client.id, other.key));
    open('basic_wrong', pair(oauth.client.id, 'wrong'));
    secret('basic_unknown', pair(UNKNOWN_ID, oauth.client.key));

    if (wants('code', 'verifier', 'challenge', 'code_lower')) {
      const { verifier, challenge } = pkcePair();
      const { answer } = await oauth.authorize({ code_challenge: challenge, code_challenge_method: 'S256' });
      secret('code', answer.get('code')!);
      open('code_lower', answer.get('code')!.toLowerCase());
      secret('verifier', verifier);
      open('challenge', challenge);
    }
    if (wants('other_code')) {
      const { code, verifier } = await oauth.code({ client_id: other.id });
      secret('other_code', code);
      secret('other_verifier', verifier);
    }
    if (wants('spent_code')) {
      const { code, verifier } = await oauth.code();
      await oauth.redeem(code, verifier);
      secret('spent_code', code);
      secret('spent_verifier', verifier);
    }
    if (wants('access_token', 'refresh_token')) {
      const grant = await oauth.grant();
      secret('access_token', grant.access_token);
      secret('refresh_token', grant.refresh_token);
    }
    if (wants('revoked_access_token')) {
      const { access_token } = await oauth.grant();
      await oauth.post('/v1/oauth/revoke', { token: access_token });
      secret('revoked_access_token', access_token);
    }
    if (wants('spent_refresh_token')) {
      const { refresh_token } = await oauth.grant();
      await oauth.token({ grant_type: 'refresh_token', refresh_token });
      secret('spent_refresh_token', refresh_token);
    }
    if (wants('other_access_token', 'other_refresh_token')) {
      const grant = await grantFor(oauth, other);
      secret('other_access_token', grant.access_token);
      secret('other_refresh_token', grant.refresh_token);
    }
    if (wants('second_access_token', 'second_account')) {
      oauth.upstream.person = { id: 'grace', name: 'grace@upstream.example' };
      const grant = await oauth.grant();
      oauth.upstream.person = { id: 'ada', name: 'ada@upstream.example' };
      secret('second_access_token', grant.access_token);
      open('second_account', String(grant.account_id));
    }
    if (wants('other_request_uri')) {
      const fields = { response_type: 'code', redirect_uri: REDIRECT_URI, scope: SERVICE };
      const pkce = { code_challenge: pkcePair().challenge, code_challenge_method: 'S256' };
      secret('other_request_uri', (await oauth.post('/v1/oauth/par', { ...fields, ...pkce }, other)).json.request_uri);
    }
    return values;
  }

  /** Sends it byte by byte as it says: repeated headers, odd targets and all. */
  send(request: ProbeRequest): Promise<RawAnswer> {
    const { hostname, port } = new URL(this.oauth.world.url);
    const search = encoded(request.query);
    const body = request.body ?? encoded(request.form);
    const named = Object.entries(request.headers ?? {}).flatMap(([name, value]) =>
      value === undefined ? [] : [value].flat().map((each): [string, string] => [name, each]),
    );
    const has = (name: string) => named.some(([each]) => each === name);
    const headers = [
      ...(has('host') ? [] : [['host', `${hostname}:${port}`]]),
      ...(has('content-type') || body === '' ? [] : [['content-type', 'application/x-www-form-urlencoded']]),
      ...(body === '' ? [] : [['content-length', String(Buffer.byteLength(body))]]),
      ...named,
    ].flat();
    return new Promise((resolve, reject) => {
      const sent = httpRequest(
        { hostname, port, method: request.method, path: search === '' ? request.path : `${request.path}?${search}`, headers, agent: false },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part)).on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(parts).toString() }),
          );
        },
      );
      sent.on('error', reject).end(body);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.oauth[Symbol.asyncDispose]();
  }
}

function encoded(fields: ProbeRequest['form']): string {
  const pairs = Object.entries(fields ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each): [string, string] => [name, each]),
  );
  return new URLSearchParams(pairs).toString();
}

async function grantFor(oauth: OAuthWorld, client: Client): Promise<Grant> {
  const { code, verifier } = await oauth.code({ client_id: client.id });
  return (await oauth.redeem(code, verifier, {}, client)).json;
}
