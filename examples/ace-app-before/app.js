import { createServer } from 'node:http';
import ace from 'atlassian-connect-express';
import express from 'express';
import { routes } from './routes.js';

export const app = express();
export const addon = ace(app);

app.use(express.json());
app.use(express.urlencoded({ extended: false }));
app.use(addon.middleware());

for (const event of ['enabled', 'disabled']) app.post(`/${event}`, addon.authenticate(), (req, res) => res.sendStatus(204));
app.post('/uninstalled', addon.authenticateInstall(), (req, res, next) => {
  const { clientKey } = req.body;
  Promise.all(['clientInfo', 'accounts'].map((key) => addon.settings.del(key, clientKey))).then(() => res.sendStatus(204), next);
});

routes(app, addon);

export const server = createServer(app);
server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  console.log(`listening at ${process.env.AC_LOCAL_BASE_URL}`);
  if (app.get('env') === 'development') void addon.register();
});
