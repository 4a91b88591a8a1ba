import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Limits } from './contract.ts';

/** Pinned per release: what guests may rely on. They never choose it. */
const COMPATIBILITY_DATE = '2026-11-01';

/** Our own modules of an instance; the main one comes first in the configuration. */
export const GUEST_MODULES: readonly { readonly name: string; readonly path: string }[] = ['main.mjs', 'prelude.mjs'].map((name) => ({
  name,
  path: fileURLToPath(new URL(`./guest/${name}`, import.meta.url)),
}));

export const FUNCTION_MODULE = 'function.mjs';

/** Where the value of a variable is until the instance listens. */
export function variableFile(index: number): string {
  return `variable-${index}`;
}

/**
 * The configuration of one instance: one worker, one socket in, and one service outside, which takes the place of `internet`, so that
 * whatever leaves arrives at our gateway. `style = proxy` shows it the whole URL. Of the install there are its variables in it,
 * each read from a file of its own: a value is never parsed.
 */
export function workerdConfig({
  runFolder,
  limits,
  variables,
}: {
  runFolder: string;
  limits: Limits;
  /** Names. */
  variables: readonly string[];
}): string {
  const modules = [...GUEST_MODULES.map(({ name }) => name), FUNCTION_MODULE];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "function", worker = .function),
    (name = "internet", external = (address = ${quoted(`unix:${join(runFolder, 'gw.sock')}`)}, http = (style = proxy))),
  ],
  sockets = [ (name = "http", address = ${quoted(`unix:${join(runFolder, 'in.sock')}`)}, http = (), service = "function") ],
  v8Flags = ["--max-old-space-size=${limits.heapMb}", "--max-semi-space-size=1"],
  logging = (structuredLogging = true),
);
const function :Workerd.Worker = (
  modules = [ ${modules.map((name) => `(name = ${quoted(name)}, esModule = embed ${quoted(name)})`).join(', ')} ],
  bindings = [ ${variables.map((name, index) => `(name = ${quoted(name)}, text = embed ${quoted(variableFile(index))})`).join(', ')} ],
  compatibilityDate = "${COMPATIBILITY_DATE}",
);
`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
