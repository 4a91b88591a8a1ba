import { randomBytes } from 'node:crypto';
import { Child } from '../machine/child.ts';
import type { BulkheadOptions } from '../servers/bulkhead.ts';
import type { DatabaseUrls } from './cluster.ts';

export interface BulkheadServer extends AsyncDisposable {
  readonly url: string;
  readonly metaToken: string;
  readonly child: Child;
  /** A call that has to succeed; its answer as JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of every shape.
  call(method: string, path: string, authorization: string, body?: unknown): Promise<any>;
}

/** The platform as it is served, in a process of its own on the server's core. Several on one database share `secrets`. */
export async function startBulkhead(
  urls: DatabaseUrls,
  options: {
    readonly egressAllow?: readonly string[];
    readonly rateLimits?: BulkheadOptions['rateLimits'];
    readonly recalls?: boolean;
    readonly secrets?: BulkheadSecrets;
    readonly nodeOptions?: readonly string[];
  } = {},
): Promise<BulkheadServer> {
  const { metaToken, rootKey } = options.secrets ?? bulkheadSecrets();
  const given: BulkheadOptions = {
    appUrl: urls.appUrl,
    controlUrl: urls.controlUrl,
    systemUrl: urls.systemUrl,
    metaToken,
    rootKey,
    egressAllow: options.egressAllow ?? [],
    ...(options.recalls === undefined ? {} : { recalls: options.recalls }),
    ...(options.rateLimits === undefined ? {} : { rateLimits: options.rateLimits }),
  };
  const profiles = process.env['BENCH_PROFILE'];
  const profiled = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
  const child = await Child.program('server', 'bulkhead', given, [...profiled, ...(options.nodeOptions ?? [])]);
  const { url } = child.ready as { url: string };
  return {
    url,
    metaToken,
    child,
    async call(method, path, authorization, body) {
      const answer = await fetch(url + path, {
        method,
        headers: { authorization, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text === '' ? null : JSON.parse(text);
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

export interface BulkheadSecrets {
  readonly metaToken: string;
  readonly rootKey: string;
}

export function bulkheadSecrets(): BulkheadSecrets {
  return { metaToken: `meta-token-of-a-benchmark-${randomBytes(16).toString('hex')}`, rootKey: randomBytes(32).toString('base64') };
}
