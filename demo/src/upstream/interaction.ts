import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Provider } from 'oidc-provider';
import { readBody } from './http-answers.ts';
import type { People } from './people.ts';
import { renderSignInPage } from './sign-in-page.ts';

/** Leaves the provider's session cookie out: in a demo one browser plays several people, so nobody stays signed in. */
export function forgetSession(request: IncomingMessage): void {
  const cookies = (request.headers.cookie ?? '').split(/; */).filter((cookie) => !cookie.startsWith('_session'));
  request.headers.cookie = cookies.join('; ');
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Sign-in and consent: shows the page, and on the answer tells the provider who allowed what. */
export function createInteraction(provider: Provider, people: People) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const details = await provider.interactionDetails(request, response);
    const clientId = text(details.params['client_id']);
    const client = await provider.Client.find(clientId);
    const scopes = text(details.params['scope'])
      .split(' ')
      .filter((scope) => scope !== '');
    const show = (status: number, problem?: string) => {
      const nonce = randomBytes(12).toString('base64');
      const hint = text(details.params['login_hint']).slice(0, 60);
      response.writeHead(status, {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'content-security-policy': `default-src 'none'; style-src 'nonce-${nonce}'; frame-ancestors 'none'; base-uri 'none'`,
      });
      response.end(
        renderSignInPage({
          uid: details.uid,
          nonce,
          clientName: client?.clientName ?? clientId,
          scopes,
          people: people.list(),
          hint,
          ...(problem === undefined ? {} : { problem }),
        }),
      );
    };
    if (request.method === 'GET') return show(200);

    const answer = new URLSearchParams((await readBody(request, 4096))?.toString() ?? '');
    if (answer.has('cancel')) {
      return provider.interactionFinished(
        request,
        response,
        { error: 'access_denied', error_description: 'The person said no.' },
        { mergeWithLastSubmission: false },
      );
    }
    const person = people.findOrInvite(answer.get('person') ?? '');
    if (person === null) return show(400, 'Type a name, please.');
    const grant = new provider.Grant({ accountId: person.id, clientId });
    grant.addOIDCScope(scopes.join(' '));
    return provider.interactionFinished(
      request,
      response,
      { login: { accountId: person.id, remember: false }, consent: { grantId: await grant.save() } },
      { mergeWithLastSubmission: false },
    );
  };
}
