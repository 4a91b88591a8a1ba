import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

/** A Chromium that can be started: its binary and what its environment needs beside ours. */
export interface FoundBrowser {
  readonly executablePath: string;
  readonly env: Readonly<Record<string, string>>;
}

/** What the look-up asks the machine, so that a test can answer instead. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly exists: (path: string) => boolean;
  /** The browser inside the npm package; null where the package has none for this machine. */
  readonly packaged: () => Promise<FoundBrowser | null>;
  readonly warn: (text: string) => void;
}

const debianPaths = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];

/**
 * Ours, not those the npm package proposes: `--single-process` closes the browser with its first context, and
 * `--disable-web-security` makes tests of frames, cookies and origins pass for the wrong reason.
 */
const browserArgs = [
  '--headless=shell',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
];

/**
 * Starts a headless Chromium for tests; close it with `browser.close()`.
 * @throws Error where no browser can be had; ask {@link browserHere} first to skip on a developer's machine.
 */
export async function launchBrowser(): Promise<Browser> {
  const found = await findBrowser(thisMachine);
  if (found === null) throw new Error(missing);
  return chromium.launch({
    executablePath: found.executablePath,
    args: browserArgs,
    env: definedEntries({ ...process.env, ...found.env }),
  });
}

/**
 * Whether browser tests can run here, for `test.skipIf(!(await browserHere()))`. Says so loudly when they cannot.
 * @throws Error under `CI`, where a skipped browser suite would look like a passed one.
 */
export async function browserHere(machine: Machine = thisMachine): Promise<boolean> {
  if ((await findBrowser(machine)) !== null) return true;
  if (machine.env['CI'] !== undefined && machine.env['CI'] !== '' && machine.env['CI'] !== 'false') throw new Error(missing);
  machine.warn(`\nBROWSER TESTS SKIPPED: ${missing}\n`);
  return false;
}

/**
 * `CHROMIUM_PATH`, then Debian's two, then the one inside the npm package.
 * @throws Error when `CHROMIUM_PATH` is set and nothing is there: a named browser is never quietly replaced.
 */
export async function findBrowser(machine: Machine): Promise<FoundBrowser | null> {
  const named = machine.env['CHROMIUM_PATH'];
  if (named !== undefined && named !== '') {
    if (!machine.exists(named)) throw new Error(`CHROMIUM_PATH is ${named}, and there is no such file.`);
    return { executablePath: named, env: {} };
  }
  const installed = debianPaths.find(machine.exists);
  return installed === undefined ? machine.packaged() : { executablePath: installed, env: {} };
}

const missing = 'No Chromium found: set CHROMIUM_PATH, or install the Debian package chromium-headless-shell.';

const thisMachine: Machine = {
  env: process.env,
  exists: existsSync,
  packaged: packagedBrowser,
  warn: (text) => process.stderr.write(text),
};

/**
 * Unpacks the browser once per version, into a folder named by that version below `node_modules`, so that an upgrade
 * never finds its predecessor and no other user of the machine can plant a binary where we look.
 * Two processes unpack apart; the first to rename wins, the other throws its copy away.
 */
async function packagedBrowser(): Promise<FoundBrowser | null> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
  const packageFolder = join(dirname(fileURLToPath(import.meta.resolve('@sparticuz/chromium'))), '../..');
  const { version } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version: string };
  const cache = join(packageFolder, '../../.cache');
  const folder = join(cache, `bulkhead-chromium-${version}`);
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true });
    const staging = await mkdtemp(`${folder}-`);
    try {
      await unpack(staging);
      // The package's own fonts.conf looks in /tmp/fonts, whoever may have put fonts there.
      await writeFile(join(staging, 'fonts.conf'), fontsConf(folder));
      await rename(staging, folder).catch((error: unknown) => {
        if (!existsSync(join(folder, 'chromium'))) throw error;
      });
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }
  return {
    executablePath: join(folder, 'chromium'),
    env: { LD_LIBRARY_PATH: join(folder, 'al2023/lib'), FONTCONFIG_FILE: join(folder, 'fonts.conf') },
  };
}

async function unpack(target: string): Promise<void> {
  // Without the variable the package leaves out the libraries (NSS, NSPR) that a bare machine lacks.
  const env = { ...process.env, TMPDIR: target, AWS_LAMBDA_JS_RUNTIME: 'nodejs22.x' };
  await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'extract-chromium.ts')], { env });
}

function fontsConf(folder: string): string {
  const folders = [join(folder, 'fonts'), '/usr/share/fonts', '/usr/local/share/fonts'];
  const lines = folders.map((path) => `  <dir>${path}</dir>`).join('\n');
  return `<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>\n${lines}\n  <cachedir>${folder}/fonts-cache</cachedir>\n</fontconfig>\n`;
}

function definedEntries(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
