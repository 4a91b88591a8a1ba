/** What the App answers. It knows `addon` by its methods, and nothing of what is behind them. */
export function routes(app, addon) {
  const property = `/rest/atlassian-connect/1/addons/${addon.key}/properties/note`;

  /** The page in the host's frame: the tenant's note, which the host keeps, and the accounts that the App has heard of. */
  app.get('/notes', addon.authenticate(), (req, res, next) => {
    addon.httpClient(req).get({ url: property, json: true }, (failure, answer, body) => {
      if (failure) return next(failure);
      const note = answer.statusCode === 200 ? body.value : '';
      addon.settings.get('accounts', req.context.clientKey).then((accounts) => {
        res.setHeader('content-type', 'text/html; charset=utf-8');
        res.end(page({ ...req.context, note, accounts: accounts ?? [] }));
      }, next);
    });
  });

  /** What the page's script asks for, with a token of the host's, or the one that came with the page. */
  app.put('/api/note', addon.checkValidToken(), (req, res, next) => {
    addon.httpClient(req).put({ url: property, json: String(req.body.note).slice(0, 2_000) }, (failure, answer) => {
      if (failure) next(failure);
      else res.sendStatus(answer.statusCode < 300 ? 204 : 502);
    });
  });

  /** The webhook of the descriptor. */
  addon.on('account.connected', async (event, body, req) => {
    const { clientKey } = req.context;
    const accounts = (await addon.settings.get('accounts', clientKey)) ?? [];
    await addon.settings.set('accounts', [...accounts, body.account_id], clientKey);
  });
}

function page({ hostScriptUrl, hostBaseUrl, token, note, accounts }) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="token" content="${escaped(token)}">
<title>Notes</title>
<script src="${escaped(hostScriptUrl)}"></script>
</head>
<body>
<h1>Notes at ${escaped(hostBaseUrl)}</h1>
<p id="note">${escaped(note)}</p>
<ul>${accounts.map((id) => `<li>${escaped(id)}</li>`).join('')}</ul>
<form id="form"><input name="note" maxlength="2000" aria-label="Note"><button>Save</button></form>
<script>
document.getElementById('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const note = event.target.elements.note.value;
  AP.context.getToken(async (token) => {
    const headers = { authorization: 'JWT ' + token, 'content-type': 'application/json' };
    const answer = await fetch('api/note', { method: 'PUT', headers, body: JSON.stringify({ note }) });
    document.getElementById('note').textContent = answer.ok ? note : 'It was not saved.';
  });
});
</script>
</body>
</html>`;
}

function escaped(value) {
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
