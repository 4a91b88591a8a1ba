import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, type ConnectApplication, ConnectWorld, REDIRECT_URI } from '../../test/connect-world.ts';
import { Visitor } from '../../test/visitor.ts';

let connect: ConnectWorld;
let application: ConnectApplication;
beforeAll(async () => {
  connect = await ConnectWorld.create();
  application = await connect.application();
});
afterAll(async () => {
  await connect[Symbol.asyncDispose]();
});
beforeEach(() => {
  connect.upstream.tokenAnswer = null;
  connect.upstream.tokenRequests = 0;
  connect.upstream.identityStatus = null;
  connect.upstream.beforeToken = async () => undefined;
});

const begin = async (visitor: Visitor, of = application) => visitor.get(connect.startUrl(of));

async function accounts(of: ConnectApplication): Promise<number> {
  const rows = await connect.world.database.database.withSystem('test', (tx) =>
    tx.query(sql`select 1 from pending_connections where application_id = ${of.id}`),
  );
  return rows.length;
}

describe('C5 whatever the service answers, the client is told and nothing is written', () => {
  const json = (body: unknown, status = 200) => ({ status, type: 'application/json', body: JSON.stringify(body) });
  it.each([
    ['HTML with 200', { status: 200, type: 'text/html', body: '<html><script>alert(1)</script>' }],
    ['an empty object', json({})],
    ['an error with 200', json({ error: 'invalid_grant' })],
    ['invalid_grant', json({ error: 'invalid_grant' }, 400)],
    ['invalid_client', json({ error: 'invalid_client' }, 401)],
    ['500', json({}, 500)],
    ['a redirect', { status: 302, type: 'text/plain', body: '' }],
    ['5 MB', json({ access_token: 'x'.repeat(5_000_000), token_type: 'Bearer' })],
    ['a token with a line break', json({ access_token: 'a\r\nb', token_type: 'Bearer' })],
    ['another token type', json({ access_token: 'abc', token_type: 'mac' })],
  ])('%s', async (_, answer) => {
    connect.upstream.tokenAnswer = answer;
    const before = await accounts(application);
    const done = await connect.connect(application);
    expect(done.location.startsWith(`${REDIRECT_URI}?error=`)).toBe(true);
    expect(['server_error', 'temporarily_unavailable', 'access_denied']).toContain(answerOf(done.location).get('error'));
    expect(answerOf(done.location).get('iss')).toBe(connect.url);
    expect(await accounts(application)).toBe(before);
  });

  it.each([
    ['absent', undefined],
    ['zero', 0],
    ['negative', -5],
    ['a word', 'soon'],
    ['a number as text', '3600'],
    ['absurd', 1e30],
  ])('expires_in %s is no obstacle', async (_, expiresIn) => {
    connect.upstream.tokenAnswer = json({ access_token: 'abc', token_type: 'bearer', expires_in: expiresIn });
    connect.upstream.know('abc');
    expect(answerOf((await connect.connect(application)).location).has('code')).toBe(true);
  });

  it.each([401, 404, 500])('an identity answered with %i ends the flow', async (status) => {
    connect.upstream.identityStatus = status;
    expect(answerOf((await connect.connect(application)).location).get('error')).toMatch(/server_error|temporarily_unavailable/);
  });

  it.each([
    ['access_denied', 'access_denied'],
    ['server_error', 'server_error'],
    ['<script>', 'server_error'],
  ])('the service saying %s is told as %s', async (said, told) => {
    const visitor = new Visitor();
    const begun = await begin(visitor);
    const answer = await visitor.get(connect.upstream.deny(begun.location, said));
    expect(answerOf(answer.location).get('error')).toBe(told);
    expect(answerOf(answer.location).get('state')).toBe('st+a/te==');
    expect(answer.location).not.toMatch(/<script|%3Cscript/i);
    expect(visitor.cookies.size).toBe(0);
  });

  it('no database connection is held while the token endpoint is asked', async () => {
    const { database } = connect.world.database;
    let free = 0;
    connect.upstream.beforeToken = async () => {
      // More than the pool has, all at once: each would wait for a connection that the flow held.
      const rows = await Promise.all(
        Array.from({ length: 5 }, () =>
          database.withTenant(application.id as never, (tx) => tx.one<{ one: number }>(sql`select 1 as one`)),
        ),
      );
      free = rows.length;
    };
    await connect.connect(application);
    expect(free).toBe(5);
  });
});

describe('what is at rest', () => {
  it('no state, marker, verifier, code or upstream token stands in the database in clear', async () => {
    const visitor = new Visitor();
    const begun = await begin(visitor);
    const marker = [...visitor.cookies.values()][0]!;
    const { state } = connect.upstream.read(begun.location);
    const done = await connect.approve(visitor, begun);
    const code = answerOf(done.location).get('code')!;
    const dump = await connect.world.database.database.withSystem('test', async (tx) => {
      const rows = await Promise.all([
        tx.query(sql`select t::text as row from authorization_transactions t`),
        tx.query(sql`select t::text as row from authorization_codes t`),
        tx.query(sql`select t::text as row from credentials t`),
        tx.query(sql`select t::text as row from audit_entries t`),
      ]);
      return rows
        .flat()
        .map(({ row }) => String(row))
        .join('\n');
    });
    expect(dump).toContain(application.id);
    for (const secret of [state, marker, code, connect.upstream.clientSecret]) expect(dump).not.toContain(secret);
  });
});
