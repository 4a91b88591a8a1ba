import { PlatformError } from '@bulkhead/base';
import type { Answer } from '@bulkhead/http';
import type { RequestContext } from '../access/index.ts';
import type { ConnectableService } from '../applications/index.ts';
import { authorizationErrors } from './authorization-errors.ts';
import { formTargets } from './authorization-response.ts';
import { departUpstream } from './depart-upstream.ts';
import { type FlowParts, seeOther, showPage } from './flow.ts';
import { offeredServices } from './offered-services.ts';
import { endWithError, openFlow, type OpenFlow, refuseCrossSite } from './open-flow.ts';
import { chooserPage } from './pages/chooser-page.ts';
import { credentialFormPage, type CredentialFormInput } from './pages/credential-form-page.ts';
import { flowAddress } from './start-authorization.ts';
import { consumeTransaction } from './transaction-store.ts';

type FormService = ConnectableService & {
  readonly service: { readonly definition: { readonly auth: { readonly type: 'api_key' | 'basic' } } };
};

function takesForm(connectable: ConnectableService): connectable is FormService {
  return connectable.service.definition.auth.type !== 'oauth2';
}

/** The service of that id among those offered. What is not offered cannot be chosen by writing its name. */
export function chosenService(offered: readonly ConnectableService[], id: string | undefined): ConnectableService | null {
  return offered.find(({ service }) => service.definition.id === id) ?? null;
}

/** The form of a service without OAuth. */
export function showCredentialForm(
  options: FlowParts,
  context: RequestContext,
  { flow, settings }: OpenFlow,
  form: {
    readonly connectable: ConnectableService;
    readonly offered: readonly ConnectableService[];
    readonly address: string;
    readonly username?: string;
    readonly problem?: CredentialFormInput['problem'];
  },
): Answer<string> {
  const { connectable, offered, address } = form;
  if (!takesForm(connectable)) throw authorizationErrors('authorization.flow_unknown', { detail: 'not a service with a form' });
  const { id, friendly_name: name, auth } = connectable.service.definition;
  return showPage(options, context, settings, (setting) =>
    credentialFormPage(
      {
        service: { id, name, auth: auth.type },
        action: flowAddress(options.publicUrl(), address),
        username: form.username ?? flow.request.accountHint ?? '',
        problem: form.problem ?? null,
        others: offered.length > 1,
        formTargets: formTargets(flow.request, options.publicUrl()),
      },
      setting,
    ),
  );
}

/** The page of a flow: the chooser, or the form of the service that was chosen or is the only one. */
export async function showFlow(
  options: FlowParts,
  context: RequestContext,
  address: string,
  serviceId: string | undefined,
): Promise<Answer> {
  const open = await openFlow(options, context, address, (tx, { settings, flow }) => offeredServices(tx, settings, flow.request));
  const offered = open.extra;
  const chosen = chosenService(offered, serviceId) ?? (offered.length === 1 ? offered[0]! : null);
  if (chosen !== null && takesForm(chosen)) return showCredentialForm(options, context, open, { connectable: chosen, offered, address });
  return showPage(options, context, open.settings, (setting) =>
    chooserPage(
      {
        services: offered.map(({ service: { definition } }) => ({ id: definition.id, name: definition.friendly_name })),
        action: flowAddress(options.publicUrl(), address),
        formTargets: formTargets(open.flow.request, options.publicUrl(), offered.flatMap(upstreamUrls)),
      },
      setting,
    ),
  );
}

/** Where choosing the service may lead. */
function upstreamUrls({ service: { definition } }: ConnectableService): readonly string[] {
  const { auth } = definition;
  return auth.type === 'oauth2' ? [auth.authorization_endpoint ?? auth.issuer ?? ''] : [];
}

/** What the chooser's form asks: go to a service, or stop. */
export async function chooseService(
  options: FlowParts,
  context: RequestContext,
  address: string,
  choice: { readonly service?: string | undefined; readonly cancel?: string | undefined },
): Promise<Answer> {
  refuseCrossSite(context);
  const open = await openFlow(options, context, address, (tx, { settings, flow }) => offeredServices(tx, settings, flow.request));
  const { flow } = open;
  if (choice.cancel !== undefined) return cancel(options, context, open);
  const chosen = chosenService(open.extra, choice.service);
  const here = flowAddress(options.publicUrl(), address);
  if (chosen === null) return seeOther(here);
  if (takesForm(chosen)) return seeOther(`${here}?service=${encodeURIComponent(chosen.service.definition.id)}`);
  try {
    return seeOther(await departUpstream(options, { flow, request: flow.request, connectable: chosen, now: context.now }));
  } catch (thrown) {
    if (!(thrown instanceof PlatformError) || thrown.code === 'authorization.flow_unknown') throw thrown;
    return endWithError(options, context, open, thrown, {
      service: chosen.service.definition.id,
      also: async (tx) => void (await consumeTransaction(tx, flow, context.now)),
    });
  }
}

async function cancel(options: FlowParts, context: RequestContext, open: OpenFlow): Promise<Answer> {
  const { flow } = open;
  const mine = await options.db.withTenant(flow.applicationId, (tx) => consumeTransaction(tx, flow, context.now));
  if (!mine) throw authorizationErrors('authorization.flow_unknown');
  return endWithError(options, context, open, authorizationErrors('authorization.cancelled'));
}
