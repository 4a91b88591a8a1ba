#!/usr/bin/env node
// The door of the command line. It parses on any Node since 14, because it has to say what is missing to those who
// come with an old one: the program itself is TypeScript that Node 22.18 or newer runs as it is.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const major = Number(process.versions.node.split('.')[0]);
const minor = Number(process.versions.node.split('.')[1]);

if (major > 22 || (major === 22 && minor >= 18)) {
  // Compiled code is kept beside the code itself, never in a temporary folder where another user could put his own.
  nodeModule.enableCompileCache(fileURLToPath(new URL('../../../node_modules/.cache/bulkhead-code', import.meta.url)));
  import('../src/main.ts').then(
    (program) => program.main(),
    (error) => {
      const missing =
        error && error.code === 'ERR_MODULE_NOT_FOUND' ? 'A part of Bulkhead is not installed. Run npm ci in its folder.\n' : '';
      process.stderr.write(missing + String((error && error.stack) || error) + '\n');
      process.exitCode = 1;
    },
  );
} else {
  const node = findNode();
  if (node === null) {
    process.stderr.write(
      'Bulkhead needs Node 22.18 or newer, and this is Node ' +
        process.versions.node +
        '.\n' +
        'Run npm ci (on Linux it brings Node 24 along), or install Node 24 from https://nodejs.org.\n',
    );
    process.exitCode = 1;
  } else {
    runWith(node);
  }
}

/** The Node 24 that npm ci has put into node_modules, or null. */
function findNode() {
  try {
    const manifest = nodeModule.createRequire(import.meta.url).resolve('node-' + process.platform + '-' + process.arch + '/package.json');
    return join(dirname(manifest), JSON.parse(readFileSync(manifest, 'utf8')).bin.node);
  } catch {
    return null;
  }
}

/** The same command under another Node, which gets our signals and gives us its end. */
function runWith(node) {
  // The channel tells the other Node when this one is killed without a signal to pass on.
  const child = spawn(node, [fileURLToPath(import.meta.url)].concat(process.argv.slice(2)), {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  signals.forEach((signal) => process.on(signal, () => child.kill(signal)));
  child.on('error', (error) => {
    process.stderr.write('Node 24 in node_modules could not be started (' + error.message + '). Run npm ci again.\n');
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code === null ? 128 + (constants.signals[signal] || 0) : code;
    signals.forEach((each) => process.removeAllListeners(each));
  });
}
