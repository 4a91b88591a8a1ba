import { fileURLToPath } from 'node:url';
import type { FunctionManifest } from '@bulkhead/protocol';
import { build, type BuildFailure, type Message, type Plugin } from 'esbuild';
import { MANIFEST_FILE } from './function-manifest-file.ts';
import { ownFiles } from './own-files.ts';
import { UsageError } from './usage-error.ts';

/** What a server takes. */
const CODE_MAX = 900_000;

/**
 * One module that exports each function of a manifest under its key, with all that it imports. Nothing of it is run. Throws `UsageError`
 * with file, line and column of what cannot be built, or where it is too large.
 */
export function bundleFunctions(folder: string, manifest: FunctionManifest): Promise<string> {
  // A line of the entry is the function of the same place in the manifest.
  const entry = manifest.functions.map(({ key, handler }) => {
    const { file, name } = handlerParts(handler);
    return `export { ${name} as ${JSON.stringify(key)} } from ${JSON.stringify(file)};`;
  });
  return bundleEntry(folder, { entry: entry.join('\n'), name: MANIFEST_FILE, plugins: [] });
}

/** The module, from the folder of the manifest, and what it exports. */
export function handlerParts(handler: string): { file: string; name: string } {
  const dot = handler.lastIndexOf('.');
  return { file: `./${handler.slice(0, dot)}`, name: handler.slice(dot + 1) };
}

/** One module of an entry, which errors call by `name`. */
export async function bundleEntry(
  folder: string,
  { entry, name, plugins }: { entry: string; name: string; plugins: Plugin[] },
): Promise<string> {
  try {
    const { outputFiles } = await build({
      stdin: { contents: entry, resolveDir: folder, sourcefile: name },
      absWorkingDir: folder,
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'neutral',
      target: 'es2023',
      mainFields: ['module', 'main'],
      conditions: ['workerd', 'worker', 'import', 'module'],
      // Of the engine: docs/guides/write-a-function.md.
      external: ['node:*', 'cloudflare:*'],
      alias: { '@bulkhead/functions-kit': fileURLToPath(import.meta.resolve('@bulkhead/functions-kit')) },
      legalComments: 'none',
      charset: 'utf8',
      logLevel: 'silent',
      plugins: [ownFiles(folder), ...plugins],
    });
    const code = outputFiles[0]?.text ?? '';
    if (code.length > CODE_MAX)
      throw new UsageError(`The functions and what they import are ${code.length} characters; at most ${CODE_MAX} are taken.`);
    return code;
  } catch (thrown) {
    if (!isBuildFailure(thrown)) throw thrown;
    throw new UsageError(thrown.errors.map(errorLine).join('\n'));
  }
}

function isBuildFailure(thrown: unknown): thrown is BuildFailure {
  return thrown instanceof Error && Array.isArray((thrown as Partial<BuildFailure>).errors);
}

function errorLine({ text, location }: Message): string {
  return location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`;
}
