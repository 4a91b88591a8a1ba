// An App as its vendor writes one: Express 4 and atlassian-connect-express as they come from npm. What is of a test in it are the two
// pages without a credential, by which the test looks in from outside.
import ace from 'atlassian-connect-express';
import express from 'express';

const server = express();
const addon = ace(server);
/** What the test has it do instead of accepting an install. */
const refusal = { status: 0 };
const heard = [];

server.use(express.json());
server.use(express.urlencoded({ extended: false }));
server.use(addon.middleware());
server.post('/refuse', (request, response) => response.json(Object.assign(refusal, request.body)));
server.use('/installed', (_request, response, next) => (refusal.status === 0 ? next() : response.status(refusal.status).send('not today')));

addon.on('account.connected', (event, body, request) => heard.push(`${event} ${body.account_id} ${request.context.clientKey}`));
addon.on('host_settings_saved', (clientKey) => heard.push(`installed ${clientKey}`));

/** A page in the host's frame: who calls is known by the token in its address. */
server.get('/notes', addon.authenticate(), (request, response) => {
  response.json({ clientKey: request.context.clientKey, hostBaseUrl: request.context.hostBaseUrl });
});

for (const event of ['enabled', 'disabled'])
  server.post(`/${event}`, addon.authenticate(), (request, response) => {
    heard.push(`${event} ${request.context.clientKey}`);
    response.sendStatus(204);
  });
server.post('/uninstalled', addon.authenticateInstall(), (request, response) => {
  heard.push(`uninstalled ${request.body.clientKey}`);
  void addon.settings.del('clientInfo', request.body.clientKey).then(() => response.sendStatus(204));
});

server.get('/heard', (_request, response) => response.json(heard));
/** Has the App call its host, as of the tenant given, or as a user there. */
server.post('/call-host', (request, response) => {
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

server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  process.stdout.write(`listening ${process.env.PORT}\n`);
  if (process.env.SELF_REGISTER_AT !== undefined) void addon.register();
});
