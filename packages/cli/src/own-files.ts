import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative } from 'node:path';
import type { Plugin } from 'esbuild';

const FILE_BYTES_MAX = 5 * 1024 * 1024;
const SEEN = Symbol('looked at');

/**
 * What the code of a folder imports by path lies in that folder: not above it, and not at the other end of a symbolic link. Packages are found by
 * name, wherever they are installed. Refuses, at the line of the import, what is outside, no plain file, too large, or a native add-on.
 */
export function ownFiles(folder: string): Plugin {
  return {
    name: 'own-files',
    setup(build) {
      const root = realpath(folder);
      const isWithin = async (path: string): Promise<boolean> => {
        const way = relative(await root, path);
        return way !== '..' && !way.startsWith('../') && !isAbsolute(way);
      };
      const refused = (text: string) => ({ errors: [{ text }] });
      build.onResolve({ filter: /\.node$/ }, ({ path }) => refused(`"${path}" is a native add-on, which cannot run here`));
      build.onResolve({ filter: /^(\.{1,2}(\/|$)|\/)/ }, async ({ path, importer, namespace, resolveDir, kind, pluginData }) => {
        if (pluginData === SEEN) return undefined;
        // What a package imports of its own is wherever the package is.
        if (!(await isWithin(await realpath(resolveDir)))) return undefined;
        const found = await build.resolve(path, { importer, namespace, resolveDir, kind, pluginData: SEEN });
        if (found.errors.length > 0 || found.namespace !== 'file') return undefined;
        const real = await realpath(found.path);
        if (!(await isWithin(real))) return refused(`"${path}" is outside the folder of the manifest`);
        const file = await stat(real);
        if (!file.isFile()) return refused(`"${path}" is no plain file`);
        if (file.size > FILE_BYTES_MAX) return refused(`"${path}" is larger than ${FILE_BYTES_MAX} bytes`);
        return found;
      });
    },
  };
}
