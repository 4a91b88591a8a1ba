import { type Clock, PlatformError } from '@bulkhead/base';
import type { DemoApp, DemoFunctions } from '../app/index.ts';
import { alder, birch, bulkheadClient, COMPANY, demoErrors, type Fetch, type HeldCredential, heldCredential } from '../company/index.ts';
import type { DemoUpstream } from '../upstream/index.ts';
import { callFunction, installApp } from './app-chapter.ts';
import {
  type Cast,
  callAccounts,
  clone,
  connect,
  connectNotes,
  endApplications,
  exchange,
  makeTemplate,
  tryForeignToken,
} from './chapters.ts';
import { Narrator } from './narrator.ts';

export interface TerminalDemoOptions {
  readonly bulkheadUrl: string;
  readonly metaToken: string;
  readonly upstream: DemoUpstream;
  /** Begins with this story: from then on it may be installed. */
  readonly app: DemoApp;
  /** Code of the App that runs at Bulkhead. Default: it has none, and its chapter is left out. */
  readonly functions?: DemoFunctions;
  /** Of the App; default: the machine's. */
  readonly clock?: Clock;
  readonly out: (line: string) => void;
  /** For colours: where `out` writes to. Default standard output. */
  readonly colours?: NodeJS.WritableStream;
  readonly fetch?: Fetch;
}

/**
 * The demo as text: template, two clones, an account in each, four ways to call, the wall between them, and an App in both, all through Bulkhead's HTTP
 * API. Everything it makes it deletes. @returns the exit code: 0 only if every step had the expected answer.
 */
export async function runTerminalDemo({
  bulkheadUrl,
  metaToken,
  upstream,
  app,
  functions,
  clock,
  out,
  colours = process.stdout,
  fetch = globalThis.fetch,
}: TerminalDemoOptions): Promise<0 | 1> {
  const client = bulkheadClient(bulkheadUrl, fetch);
  const narrator = new Narrator(client, out, colours);
  const cast: Cast = {
    narrator,
    client,
    fetch,
    upstream,
    app,
    functions: functions ?? null,
    metaToken: heldCredential('META_TOKEN', metaToken),
    applications: [],
  };
  app.begin({ bulkheadUrl, ...(clock === undefined ? {} : { clock }) });
  narrator.title(`${COMPANY} has two customers, ${alder.name} and ${birch.name}, and one integration.  ${client.baseUrl}`);
  const told = await tell(narrator, () => story(cast));
  const ended = await tell(narrator, () => endApplications(cast));
  out('');
  if (told && ended) narrator.title('Every answer was the expected one.');
  else narrator.title('The demo stopped: an answer was not the expected one.');
  return told && ended ? 0 : 1;
}

async function story(cast: Cast): Promise<void> {
  const templateId = await makeTemplate(cast);
  const customers = [await clone(cast, templateId, alder), await clone(cast, templateId, birch)] as const;
  const [left, right] = [await connect(cast, customers[0]), await connect(cast, customers[1])];
  await connectNotes(cast, customers[0]);
  await callAccounts(cast, left);
  const narrowed: HeldCredential = await exchange(cast, left);
  await tryForeignToken(cast, left, right, narrowed);
  await installApp(cast, left, right);
  await callFunction(cast, left, right);
}

/** Whether it went through. What went wrong is said; a fault of the demo itself is thrown on. */
async function tell(narrator: Narrator, part: () => Promise<void>): Promise<boolean> {
  try {
    await part();
    return true;
  } catch (thrown) {
    const error = thrown instanceof PlatformError ? thrown : null;
    if (error === null && !isNetworkError(thrown)) throw thrown;
    if (error?.code !== 'demo.unexpected_answer')
      narrator.bad((error ?? demoErrors('demo.no_connection', { params: { problem: 'a server did not answer.' } })).publicText);
    return false;
  }
}

function isNetworkError(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown.message === 'fetch failed' || thrown.name === 'TimeoutError');
}
