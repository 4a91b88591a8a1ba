import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type Engine, type EngineExit, type EngineLine, type InstanceSpec, type Running, StartFailure } from './engine.ts';
import type { InspectorPorts } from './inspector-ports.ts';
import { InstanceSocket } from './instance-socket.ts';
import type { Launcher } from './jail.ts';
import { lineReader } from './line-reader.ts';
import { findDescendant } from './process-usage.ts';
import { FUNCTION_MODULE, GUEST_MODULES, variableFile, workerdConfig } from './workerd-config.ts';

const ERROR_TEXT_MAX = 4_000;
// The engine writes a line as JSON, in which a byte takes six at most, and some more around it.
const ESCAPED = 6;
const LINE_OVERHEAD = 200;
const OUTPUT_BYTES_MAX = 512 * 1024;
const OUTPUT_WINDOW_MS = 100;

/** One process of workerd per instance. */
export function workerdEngine(launcher: Launcher, inspector: InspectorPorts | null = null): Engine {
  return {
    isolation: launcher.isolation,
    async start(given) {
      const port = (await inspector?.take(given.identity)) ?? null;
      const spec = port === null ? given : { ...given, onExit: (exit: EngineExit) => (inspector?.give(port), given.onExit(exit)) };
      const { runFolder, program, args: launchArgs, filterPath } = launcher.launch(spec);
      const args = port === null ? launchArgs : [...launchArgs, `--inspector-addr=${inspector?.addressOf(port)}`];
      await writeCode(spec, runFolder);
      const filter = filterPath === null ? null : openSync(filterPath, 'r');
      let child: ChildProcess;
      try {
        child = spawn(program, args, {
          env: {},
          cwd: '/',
          stdio: ['ignore', 'pipe', 'pipe', 'pipe', ...(filter === null ? [] : [filter])],
        });
      } finally {
        if (filter !== null) closeSync(filter);
      }
      const running = await listening(spec, child);
      if (port !== null) inspector?.listens(spec.identity, port);
      return running;
    },
  };
}

/** Read by the engine before it listens, and taken away then. */
async function writeCode({ folder, code, limits, variables }: InstanceSpec, runFolder: string): Promise<void> {
  const codeFolder = codeFolderOf(folder);
  const names = Object.keys(variables);
  await mkdir(codeFolder, { mode: 0o700 });
  await Promise.all([
    ...GUEST_MODULES.map(({ name, path }) => copyFile(path, join(codeFolder, name))),
    writeFile(join(codeFolder, FUNCTION_MODULE), code),
    ...names.map((name, index) => writeFile(join(codeFolder, variableFile(index)), variables[name]!, { mode: 0o600 })),
    writeFile(join(codeFolder, 'config.capnp'), workerdConfig({ runFolder, limits, variables: names })),
  ]);
}

function codeFolderOf(folder: string): string {
  return join(folder, 'code');
}

function listening(spec: InstanceSpec, child: ChildProcess): Promise<Running> {
  const socket = new InstanceSocket(join(spec.folder, 'run', 'in.sock'), spec.limits);
  let errorText = '';
  let isGone = false;
  let guestPid: number | null = null;

  const keep = (text: string) => (errorText = (errorText + text).slice(-ERROR_TEXT_MAX));
  const readLine = lineReader(spec.limits.logLineBytesMax * ESCAPED + LINE_OVERHEAD, (line) => {
    const written = consoleLine(line);
    if (written === null) keep(`${line}\n`);
    else spec.onLine(written);
  });
  if (child.stdout !== null) readSlowly(child.stdout, readLine);
  child.stderr?.on('data', (chunk: Buffer) => keep(chunk.toString('utf8')));

  const running: Running = {
    pid: () => (isGone || child.pid === undefined ? null : (guestPid ??= findDescendant(child.pid, 'workerd'))),
    invoke: (call) => socket.call(call),
    stop(how) {
      if (isGone) return;
      // The outer process of the jail takes all of it along; a signal to drain is for the engine itself.
      if (how === 'kill') child.kill('SIGKILL');
      else signalGuest(running.pid(), child);
    },
  };

  return new Promise((resolve, reject) => {
    const tooLate = setTimeout(() => {
      reject(new StartFailure('the code took too long to load', { timedOut: true }));
      child.kill('SIGKILL');
    }, spec.limits.startMs);
    (child.stdio[3] as Readable).on(
      'data',
      lineReader(1_000, (line) => {
        if (!line.includes('"listen"')) return;
        clearTimeout(tooLate);
        // The folder itself stays: it is a mount of the jail. What was in it is in the memory of the process now.
        void emptyFolder(codeFolderOf(spec.folder)).then(() => resolve(running), reject);
      }),
    );
    const gone = (code: number | null, signal: string | null): void => {
      if (isGone) return;
      isGone = true;
      clearTimeout(tooLate);
      socket.close();
      const said = errorText.trim().split('\n').map(engineText).join('\n');
      reject(new StartFailure(said === '' ? `the process ended (${signal ?? code})` : said, { timedOut: false }));
      spec.onExit({ code, signal, errorText });
    };
    child.on('error', (error) => {
      errorText ||= error.message;
      gone(null, null);
    });
    // After the streams have ended, so that the last lines are heard.
    child.on('close', gone);
  });
}

async function emptyFolder(folder: string): Promise<void> {
  await Promise.all((await readdir(folder)).map((name) => rm(join(folder, name))));
}

/** Reads so much and no more in a while: whoever floods the pipe waits for it himself. */
function readSlowly(stream: Readable, onChunk: (chunk: Buffer) => void): void {
  let read = 0;
  let pause: NodeJS.Timeout | undefined;
  stream.on('data', (chunk: Buffer) => {
    onChunk(chunk);
    read += chunk.length;
    pause ??= setTimeout(() => {
      pause = undefined;
      read = 0;
      stream.resume();
    }, OUTPUT_WINDOW_MS);
    if (read > OUTPUT_BYTES_MAX) stream.pause();
  });
  stream.on('close', () => clearTimeout(pause));
}

function signalGuest(pid: number | null, child: ChildProcess): void {
  try {
    if (pid === null) child.kill('SIGTERM');
    else process.kill(pid, 'SIGTERM');
  } catch {
    // Gone meanwhile.
  }
}

/** What the engine says of itself, without what is around it; the line where it is no JSON. */
function engineText(line: string): string {
  try {
    const { message } = JSON.parse(line) as { message?: unknown };
    return typeof message === 'string' ? message : line;
  } catch {
    return line;
  }
}

/** A line of the guest's console; null for one that the engine says of itself, whose time is written as text. */
function consoleLine(line: string): EngineLine | null {
  try {
    const { timestamp, level, message } = JSON.parse(line) as { timestamp?: unknown; level?: unknown; message?: unknown };
    if (typeof timestamp === 'number' && typeof level === 'string' && typeof message === 'string') return { at: timestamp, level, message };
  } catch {
    // Cut off.
  }
  return null;
}
