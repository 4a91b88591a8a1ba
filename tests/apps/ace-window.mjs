// `examples/ace-app-before` as it is, with a window for tests: what it was told of, calls by its `httpClient`, installs that it refuses.
// Run in that folder, since atlassian-connect-express reads its files from there.
import { addon, app, server } from '../../examples/ace-app-before/app.js';

/** What the test has it do instead of accepting an install. */
const refusal = { status: 0 };
const heard = [];

server.removeAllListeners('request');
server.on('request', (request, response) => {
  if (refusal.status !== 0 && request.url === '/installed') return void response.writeHead(refusal.status).end('not today');
  const told = /^\/(enabled|disabled|uninstalled)$/.exec(request.url)?.[1];
  if (told !== undefined)
    response.once('finish', () => {
      if (response.statusCode === 204) heard.push(`${told} ${request.context.clientKey ?? request.body.clientKey}`);
    });
  app(request, response);
});
addon.on('account.connected', (event, body, request) => heard.push(`${event} ${body.account_id} ${request.context.clientKey}`));
addon.on('host_settings_saved', (clientKey) => heard.push(`installed ${clientKey}`));

app.get('/heard', (_request, response) => response.json(heard));
app.post('/refuse', (request, response) => response.json(Object.assign(refusal, request.body)));
/** Has the App call its host, as of the tenant given, or as a user there. */
app.post('/call-host', (request, response) => {
  const { clientKey, userAccountId, method, path, json } = request.body;
  const host = addon.httpClient({ clientKey });
  (userAccountId === undefined ? host : host.asUserByAccountId(userAccountId))[method](
    { url: path, json: json ?? true },
    (error, answer, body) => {
      if (error) response.status(502).json({ error: String(error.message ?? JSON.stringify(error)) });
      else response.json({ status: answer.statusCode, body: body ?? null });
    },
  );
});
