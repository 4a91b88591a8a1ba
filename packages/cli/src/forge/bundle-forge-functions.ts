import { builtinModules } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';
import { bundleEntry, handlerParts } from '../bundle-functions.ts';
import type { CalledAs, MappedFunction } from './mapped.ts';
import { FORGE_MANIFEST_FILE } from './read-forge-manifest.ts';

/** Modules of ours that stand in for those of the same name: written from what is published about them. */
const STAND_INS = new Map(
  ['api', 'events', 'kvs', 'resolver', 'storage'].map((name) => [`@forge/${name}`, `@bulkhead/functions-kit/forge/${name}`]),
);
const GLOBALS = '@bulkhead/functions-kit/forge/globals';
const ENTRY = '@bulkhead/functions-kit/forge/entry';

const WRAPPERS: Readonly<Record<CalledAs, string>> = {
  function: 'asFunction',
  scheduled: 'asScheduled',
  trigger: 'asTrigger',
  consumer: 'asConsumer',
  webtrigger: 'asWebtrigger',
};

/** As `bundleFunctions`; what imports `@forge/…` finds our modules in their place. */
export function bundleForgeFunctions(folder: string, functions: readonly MappedFunction[]): Promise<string> {
  const wrappers = [...new Set(functions.map(({ as }) => WRAPPERS[as]))];
  const lines = functions.map(({ key, handler, as, module, options }, place) => {
    const { file, name } = handlerParts(handler);
    return [
      `import { ${name} as handler${place} } from ${JSON.stringify(file)};`,
      `const called${place} = ${WRAPPERS[as]}(${JSON.stringify(module)}, handler${place}, ${JSON.stringify(options)});`,
      `export { called${place} as ${JSON.stringify(key)} };`,
    ].join(' ');
  });
  // First, so that what a bundle built before looks for is there when it loads.
  const entry = [`import ${JSON.stringify(GLOBALS)};`, `import { ${wrappers.join(', ')} } from ${JSON.stringify(ENTRY)};`, ...lines].join(
    '\n',
  );
  return bundleEntry(folder, { entry, name: FORGE_MANIFEST_FILE, plugins: [standIns, builtins] });
}

const standIns: Plugin = {
  name: 'forge-stand-ins',
  setup(build) {
    build.onResolve({ filter: /^@forge\// }, ({ path }) => {
      const standIn = STAND_INS.get(path);
      if (standIn !== undefined) return { path: fileURLToPath(import.meta.resolve(standIn)) };
      return { errors: [{ text: `${path} has no counterpart here: those that have are ${[...STAND_INS.keys()].join(', ')}` }] };
    });
    build.onResolve({ filter: /^@bulkhead\/functions-kit\/forge\// }, ({ path }) => ({ path: fileURLToPath(import.meta.resolve(path)) }));
  },
};

/** `require('crypto')` and `import 'crypto'` as `node:crypto`, which the engine has. */
const builtins: Plugin = {
  name: 'builtins-of-node',
  setup(build) {
    build.onResolve(
      { filter: new RegExp(`^(node:)?(${builtinModules.map((name) => name.replaceAll(/[^\w]/g, '\\$&')).join('|')})$`) },
      ({ path, kind }) => {
        const name = path.startsWith('node:') ? path : `node:${path}`;
        return kind === 'require-call' ? { path: name, namespace: 'required' } : { path: name, external: true };
      },
    );
    build.onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `export * from ${JSON.stringify(path)}; export { default } from ${JSON.stringify(path)};`,
    }));
  },
};
