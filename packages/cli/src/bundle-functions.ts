import { fileURLToPath } from 'node:url';
import type { FunctionManifest } from '@bulkhead/protocol';
import { build, type BuildFailure, type Message } from 'esbuild';
import { MANIFEST_FILE } from './function-manifest-file.ts';
import { UsageError } from './usage-error.ts';

/** What a server takes. */
const CODE_MAX = 900_000;

/**
 * One module that exports each function of a manifest under its key, with all that it imports. Nothing of it is run. Throws `UsageError`
 * with file, line and column of what cannot be built, or where it is too large.
 */
export async function bundleFunctions(folder: string, manifest: FunctionManifest): Promise<string> {
  const entry = manifest.functions.map(({ key, handler }) => {
    const dot = handler.lastIndexOf('.');
    return `export { ${handler.slice(dot + 1)} as ${JSON.stringify(key)} } from ${JSON.stringify(`./${handler.slice(0, dot)}`)};`;
  });
  try {
    const { outputFiles } = await build({
      stdin: { contents: entry.join('\n'), resolveDir: folder, sourcefile: MANIFEST_FILE },
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

/** A line of our entry is the function of the same place in the manifest. */
function errorLine({ text, location }: Message): string {
  return location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`;
}
