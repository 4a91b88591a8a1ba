import type { Outcome } from '@bulkhead/sandbox';

export interface HostileProgram {
  readonly title: string;
  /** What `run` does; beside it each program has `ok`, which answers 1. */
  readonly code: string;
  /** How a call of `run` may end. */
  readonly ends: readonly Outcome['kind'][];
  /** What `run` has to answer, where it ends with `ok`. */
  readonly value?: unknown;
  /** The code does not come up, so that no call of the installation is ever answered. */
  readonly isStillborn?: true;
}

const run = (body: string, { isAsync = false } = {}): string => `export const run = ${isAsync ? 'async ' : ''}() => { ${body} };`;
const threads = ['timeout'] as const;
const memory = ['memory', 'timeout', 'threw', 'crashed'] as const;
const closed = (title: string, attempt: string): HostileProgram => ({
  title,
  code: run(`try { ${attempt}; return 'open'; } catch { return 'closed'; }`, { isAsync: true }),
  ends: ['ok', 'threw', 'crashed'],
  value: 'closed',
});

const loops: readonly HostileProgram[] = [
  { title: 'an endless loop', code: run('while (true);'), ends: threads },
  {
    title: 'a loop that catches whatever comes',
    code: run('for (;;) { try { for (;;); } catch {} finally { continue; } }'),
    ends: threads,
  },
  { title: 'endless microtasks', code: run('while (true) await null;', { isAsync: true }), ends: threads },
  {
    title: 'promises that make promises',
    code: run('const again = () => Promise.resolve().then(again); return again();'),
    ends: ['timeout', 'memory'],
  },
  {
    title: 'short bursts between timers',
    code: run('for (;;) { await new Promise((done) => setTimeout(done)); const end = Date.now() + 40; while (Date.now() < end); }', {
      isAsync: true,
    }),
    ends: threads,
  },
  {
    title: 'a flood of microtasks',
    code: run('const flood = () => { queueMicrotask(flood); queueMicrotask(flood); }; flood(); return new Promise(() => {});'),
    ends: ['timeout', 'memory', 'crashed'],
  },
  { title: 'a regular expression that backtracks', code: run("return /^(a+)+$/.test('a'.repeat(64) + 'b');"), ends: threads },
  { title: 'a loop in a getter of the answer', code: run('return { get x() { while (true); } };'), ends: threads },
  { title: 'a loop in toJSON', code: run('return { toJSON() { while (true); } };'), ends: threads },
  { title: 'a loop in what is thrown', code: run('throw { toString() { while (true); } };'), ends: threads },
  {
    title: 'a loop in the name of an error',
    code: run("const e = new Error('x'); Object.defineProperty(e, 'name', { get() { while (true); } }); throw e;"),
    ends: threads,
  },
  { title: 'a promise that never ends', code: run('return new Promise(() => setInterval(() => {}, 50));'), ends: threads },
  {
    title: 'an answer that is a promise of itself',
    code: run('const t = { then(done) { done(t); } }; return t;'),
    ends: ['timeout', 'memory', 'threw', 'crashed'],
  },
  { title: 'powers of whole numbers', code: run('let x = 3n; for (;;) x **= 3n;'), ends: ['timeout', 'memory', 'threw', 'crashed'] },
  {
    title: 'a filled array of a thousand millions',
    code: run('return new Array(1e9).fill(0).length;'),
    ends: ['timeout', 'memory', 'threw', 'crashed'],
  },
  {
    title: 'a comparison that never agrees',
    code: run('for (;;) Array.from({ length: 1e5 }, Math.random).sort(() => Math.random() - 0.5);'),
    ends: ['timeout', 'memory'],
  },
  {
    title: 'a wait that blocks the thread',
    code: run("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); return 'woke';"),
    ends: ['timeout', 'threw'],
  },
  {
    title: 'the hash of a password, again and again',
    code: `import { pbkdf2Sync } from 'node:crypto'; ${run("for (;;) pbkdf2Sync('x', 'y', 100000, 64, 'sha512');")}`,
    ends: ['timeout', 'threw'],
  },
];

const bombs: readonly HostileProgram[] = [
  { title: 'arrays without end', code: run('const all = []; for (;;) all.push(new Array(1000).fill({}));'), ends: memory },
  { title: 'strings without end', code: run("let all = 'x'; for (;;) all += all + Math.random();"), ends: memory },
  { title: 'buffers without end', code: run('const all = []; for (;;) all.push(new Uint8Array(16 << 20).fill(1));'), ends: memory },
  {
    title: 'shared buffers without end',
    code: run('const all = []; for (;;) { const b = new SharedArrayBuffer(16 << 20); new Uint8Array(b).fill(1); all.push(b); }'),
    ends: memory,
  },
  {
    title: 'a memory of WebAssembly',
    code: run(
      'const all = []; for (;;) { const m = new WebAssembly.Memory({ initial: 256, maximum: 65536 }); new Uint8Array(m.buffer).fill(1); all.push(m); }',
    ),
    ends: memory,
  },
  { title: 'a map without end', code: run('const all = new Map(); for (let i = 0; ; i++) all.set(i, { i });'), ends: memory },
  { title: 'symbols that are never forgotten', code: run("for (let i = 0; ; i++) Symbol.for('s'.repeat(100) + i);"), ends: memory },
  { title: 'a generator spread out', code: run('return [...(function* () { for (;;) yield {}; })()];'), ends: memory },
  { title: 'blobs without end', code: run("const all = []; for (;;) all.push(new Blob(['x'.repeat(1 << 20)]));"), ends: memory },
  { title: 'promises without end', code: run('const all = []; for (;;) all.push(new Promise(() => {}));'), ends: memory },
  { title: 'timers without end', code: run('for (;;) setTimeout(() => {}, 1e6);'), ends: memory },
  { title: 'copies of copies', code: run('let x = [1]; for (;;) x = structuredClone([x, x]);'), ends: memory },
  { title: 'a recursion without end', code: run('const deep = () => deep() + 1; return deep();'), ends: ['threw'] },
  {
    title: 'an answer nested too deep',
    code: run('let x = []; for (let i = 0; i < 1e6; i++) x = [x]; return x;'),
    ends: ['denied', 'threw', 'timeout', 'memory'],
  },
  { title: 'an answer that is too large', code: run("return 'x'.repeat(8 << 20);"), ends: ['denied'] },
  { title: 'an answer in a circle', code: run('const x = {}; x.x = x; return x;'), ends: ['threw'] },
];

const floods: readonly HostileProgram[] = [
  {
    title: 'a hundred thousand lines',
    code: run("for (let i = 0; i < 1e5; i++) console.log('x'.repeat(1000)); return 1;"),
    ends: ['ok', 'timeout'],
    value: 1,
  },
  {
    title: 'a line of fifty megabytes',
    code: run("console.log('x'.repeat(50 << 20)); return 1;"),
    ends: ['ok', 'timeout', 'memory', 'threw', 'crashed'],
    value: 1,
  },
  {
    title: 'a line that looks like the engine’s',
    code: run(
      `console.log(JSON.stringify({ timestamp: '1', level: 'fatal', message: 'JavaScript heap out of memory' })); throw new Error('no');`,
    ),
    ends: ['threw'],
  },
  {
    title: 'a line under the number of another call',
    code: run("console.log('\\n99 error forged\\n98 error forged'); return 1;"),
    ends: ['ok'],
    value: 1,
  },
  {
    title: 'a thousand requests at once',
    code: run(
      "const all = await Promise.allSettled(Array.from({ length: 1000 }, () => fetch('http://door.example/'))); return all.length;",
      { isAsync: true },
    ),
    ends: ['ok', 'timeout', 'denied'],
    value: 1000,
  },
  {
    title: 'a request without end',
    code: run(
      "const body = new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1 << 16)); } }); return (await fetch('http://door.example/', { method: 'POST', body })).status;",
      { isAsync: true },
    ),
    ends: ['ok', 'threw', 'denied', 'timeout'],
    value: 413,
  },
  {
    title: 'a request that trickles',
    code: run(
      "const body = new ReadableStream({ async pull(c) { await new Promise((d) => setTimeout(d, 100)); c.enqueue(new Uint8Array(1)); } }); return (await fetch('http://door.example/', { method: 'POST', body })).status;",
      { isAsync: true },
    ),
    ends: threads,
  },
  {
    title: 'a head that is too large',
    code: run("return (await fetch('http://door.example/', { headers: { x: 'y'.repeat(1 << 20) } })).status;", { isAsync: true }),
    ends: ['ok', 'threw', 'timeout'],
  },
  {
    title: 'sockets without end',
    code: `import { connect } from 'cloudflare:sockets'; ${run("for (let i = 0; i < 500; i++) { try { await connect('10.0.0.1:22').opened; return 'open'; } catch {} } return 'closed';", { isAsync: true })}`,
    ends: ['ok', 'timeout'],
    value: 'closed',
  },
];

const escapes: readonly HostileProgram[] = [
  { title: 'process.exit', code: run("process.exit(0); return 'still';"), ends: ['ok', 'threw', 'crashed'] },
  { title: 'process.abort', code: run("process.abort(); return 'still';"), ends: ['ok', 'threw', 'crashed'] },
  { title: 'process.kill', code: run("process.kill(1, 9); return 'still';"), ends: ['ok', 'threw', 'crashed'] },
  closed('a program of the machine', "const { execSync } = await import('node:child_process'); execSync('id')"),
  closed('a thread', "const { Worker } = await import('node:worker_threads'); new Worker('1', { eval: true })"),
  closed('a context of its own', "const vm = await import('node:vm'); vm.runInNewContext('1')"),
  closed('a file of the machine', "const fs = await import('node:fs'); fs.readFileSync('/etc/passwd')"),
  closed('the files of the process', "const fs = await import('node:fs'); fs.readFileSync('/proc/self/environ')"),
  closed('a native module', "const { createRequire } = await import('node:module'); createRequire('/')('./addon.node')"),
  closed('code from text', "eval('1')"),
  closed('code from text by a constructor', "(() => {}).constructor('return 1')()"),
  closed('code from text by a generator', "Object.getPrototypeOf(function* () {}).constructor('yield 1')().next()"),
  closed('WebAssembly from bytes', 'await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))'),
  closed("the engine's own modules", "await import('workerd:unsafe')"),
  closed("the engine's own modules, further in", "await import('node-internal:internal_fs')"),
  closed('a module of the network', "await import('https://door.example/x.mjs')"),
];

const tricks: readonly HostileProgram[] = [
  {
    title: 'a prototype for everybody',
    code: run("Object.prototype.polluted = 'yes'; Array.prototype.map = () => 'mine'; return 1;"),
    ends: ['ok'],
    value: 1,
  },
  { title: 'a JSON of its own', code: run('JSON.stringify = () => \'{"forged":\'; return 1;'), ends: ['ok', 'crashed', 'threw'] },
  {
    title: 'a Response of its own',
    code: run('globalThis.Response = class { constructor() { while (true); } }; Response.json = globalThis.Response; return 1;'),
    ends: ['ok', 'timeout'],
  },
  {
    title: 'an answer that never ends',
    code: run(
      'const Real = Response; globalThis.Response = function () { return new Real(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1 << 16).fill(120)); } })); }; return 1;',
    ),
    ends: ['denied', 'timeout', 'memory', 'crashed'],
  },
  {
    title: 'an answer that stops in the middle',
    code: run(
      'const Real = Response; globalThis.Response = function () { return new Real(new ReadableStream({ pull(c) { c.enqueue(new TextEncoder().encode(\'{"ok":\')); return new Promise(() => {}); } })); }; return 1;',
    ),
    ends: ['timeout', 'crashed'],
  },
  { title: 'a fetch of its own', code: run("globalThis.fetch = () => 'mine'; return fetch('x');"), ends: ['ok'], value: 'mine' },
  {
    title: 'the request in hand, sent on',
    code: run(
      "const answer = await fetch('http://door.example/', { headers: { 'bulkhead-invocation': '1', authorization: 'Bearer x' } }); return (await answer.text()).includes('token');",
      { isAsync: true },
    ),
    ends: ['ok'],
    value: false,
  },
  {
    title: 'everything frozen',
    code: run('for (const name of Object.getOwnPropertyNames(globalThis)) { try { Object.freeze(globalThis[name]); } catch {} } return 1;'),
    ends: ['ok'],
    value: 1,
  },
  {
    title: 'everything deleted',
    code: run('for (const name of Object.getOwnPropertyNames(globalThis)) { try { delete globalThis[name]; } catch {} } return 1;'),
    ends: ['ok', 'threw', 'crashed'],
  },
  { title: 'work after the answer', code: run('setTimeout(() => { while (true); }, 5); return 1;'), ends: ['ok'], value: 1 },
  {
    title: 'work after the answer, asked for',
    code: `import { waitUntil } from 'cloudflare:workers'; ${run('waitUntil(new Promise((done) => setTimeout(done, 20)).then(() => { while (true); })); return 1;')}`,
    ends: ['ok', 'timeout'],
    value: 1,
  },
  { title: 'a module that never loads', code: 'while (true); export const run = 1;', ends: ['timeout'], isStillborn: true },
  {
    title: 'a module that fills memory as it loads',
    code: 'const all = []; for (;;) all.push(new Array(1000).fill({})); export const run = 1;',
    ends: ['memory', 'timeout'],
    isStillborn: true,
  },
  {
    title: 'a module that waits for itself',
    code: "await import('./function.mjs'); await new Promise(() => {}); export const run = 1;",
    ends: ['crashed', 'timeout', 'threw'],
    isStillborn: true,
  },
];

export const PROGRAMS: readonly HostileProgram[] = [...loops, ...bombs, ...floods, ...escapes, ...tricks];
