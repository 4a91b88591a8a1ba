import { type BulkheadClient, demoErrors, type HeldCredential, messageOf } from '../company/index.ts';
import * as requests from '../company/requests.ts';

/** Functions of the App, ready to be deployed: `examples/tenant-function`. Made when first asked for. */
export type DemoFunctions = () => Promise<{ readonly manifest: unknown; readonly code: string }>;

/** Deploys them as the vendor of the App does: once, for all customers. Throws `demo.unexpected_answer`. */
export async function deployFunctions(
  client: BulkheadClient,
  { metaToken, appKey, functions }: { metaToken: HeldCredential; appKey: string; functions: DemoFunctions },
): Promise<void> {
  const answer = await client.send(requests.deployFunctions(metaToken, appKey, await functions()));
  if (answer.status === 201) return;
  throw demoErrors('demo.unexpected_answer', {
    params: { step: 'Deploying functions', expected: '201', status: answer.status, message: messageOf(answer) },
  });
}
