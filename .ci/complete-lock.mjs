/**
 * Adds to package-lock.json the binaries for other platforms that npm left out while writing it. A registry that does
 * not carry them makes `npm install` drop them silently and `npm ci` refuse the lock afterwards ("Missing: … from
 * lock file"). The version is the exact one their parent pins; the platform is in their name. Run after each change
 * of a dependency: `npm run lock`. `--check` changes nothing and fails if something is missing.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const systems = { android: 'android', darwin: 'darwin', freebsd: 'freebsd', linux: 'linux', openharmony: 'openharmony', win32: 'win32' };
const processors = { arm: 'arm', arm64: 'arm64', ia32: 'ia32', ppc64: 'ppc64', riscv64: 'riscv64', s390x: 's390x', x64: 'x64' };
const libraries = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };

/** Pure: returns the lock with every optional dependency in it, and the names that were added. */
export function completeLock(lock) {
  const packages = { ...lock.packages };
  const added = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isPresent(packages, path, name)) continue;
      if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) throw new Error(`${name}: ${version} is not one version; add it by hand.`);
      // In the order in which npm writes the fields, so that its next run changes nothing.
      const { cpu, libc, os } = platformOf(name);
      const dev = entry.dev ? { dev: true } : {};
      packages[`node_modules/${name}`] = { version, cpu, ...dev, ...(libc === undefined ? {} : { libc }), optional: true, os };
      added.push(name);
    }
  }
  const order = Object.keys(packages).sort((left, right) => left.localeCompare(right, 'en'));
  return { lock: { ...lock, packages: Object.fromEntries(order.map((path) => [path, packages[path]])) }, added };
}

function isPresent(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`] !== undefined) return true;
    if (folder === '') return false;
  }
}

function platformOf(name) {
  const words = name.split('/').at(-1).split('-');
  const pick = (table) => words.map((word) => table[word]).find((found) => found !== undefined);
  const [os, cpu, libc] = [pick(systems), pick(processors), pick(libraries)];
  if (os === undefined || cpu === undefined) throw new Error(`${name} does not name its platform; add it by hand.`);
  return { cpu: [cpu], libc: libc === undefined ? undefined : [libc], os: [os] };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const path = join(import.meta.dirname, '../package-lock.json');
  const { lock, added } = completeLock(JSON.parse(readFileSync(path, 'utf8')));
  if (added.length > 0 && process.argv.includes('--check')) {
    console.error(`package-lock.json lacks ${added.length} packages of other platforms: run \`npm run lock\`.`);
    process.exitCode = 1;
  } else if (added.length > 0) {
    writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
    console.log(`added ${added.join(', ')}`);
  }
}
