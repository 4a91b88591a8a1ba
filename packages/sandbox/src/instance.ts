import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Doors, InstanceIdentity, InvocationRequest, InvocationResult, Limits, LogLine, Outcome, Variables } from './contract.ts';
import { type Engine, type EngineExit, type EngineLine, type Running, StartFailure } from './engine.ts';
import { openGateway, type Gateway } from './gateway.ts';
import { outcomeOfAnswer, outcomeOfExit } from './outcome.ts';
import { ownMemoryMb, processUsage, yieldToOthers } from './process-usage.ts';
import { redactedOutcome, redactor } from './redact.ts';
import { RunningCall } from './running-call.ts';

/** `starting` is before there is an instance; a draining one ends when its last call has. */
export type InstanceState = 'warm' | 'draining' | 'dead';

export interface InstanceParts {
  readonly engine: Engine;
  readonly doors: Doors;
  readonly identity: InstanceIdentity;
  readonly version: string;
  readonly code: string;
  readonly variables: Variables;
  readonly limits: Limits;
  readonly folder: string;
  /** Takes no more calls, or is gone; `killed`: because of what its code did. */
  readonly onEnd: (instance: Instance, end: { readonly killed: boolean }) => void;
}

/** Of processor time without a call ending or anything leaving: from then on the process goes behind the others. */
const COMPUTES_LONG_MS = 150;
const EXIT_WAIT_MS = 1_000;
/** Of an instance that has just begun, until it is measured. */
export const MEMORY_MB_EXPECTED = 16;
const GONE = { kind: 'broken', detail: 'there is no process' } as const;

/** One process, and the calls in it. */
export class Instance {
  readonly identity: InstanceIdentity;
  readonly version: string;
  #state: InstanceState = 'warm';
  #lastUsedAt = performance.now();
  readonly #parts: InstanceParts;
  readonly #calls = new Map<string, { readonly call: RunningCall; readonly settle: (outcome: Outcome) => void }>();
  readonly #exited = Promise.withResolvers<EngineExit>();
  readonly #redact: (text: string) => string;
  #running: Running | null = null;
  #gateway: Gateway | null = null;
  #nextCall = 1;
  #cpuMs = 0;
  #silentCpuMs = 0;
  #idleCpuMs = 0;
  #isYielding = false;
  #memoryMb = MEMORY_MB_EXPECTED;

  private constructor(parts: InstanceParts) {
    this.#parts = parts;
    this.identity = parts.identity;
    this.version = parts.version;
    const { values, secrets } = parts.variables;
    this.#redact = redactor(secrets.map((name) => values[name] ?? ''));
  }

  /** Throws `StartFailure`; then nothing is left of it. */
  static async start(parts: InstanceParts): Promise<Instance> {
    const instance = new Instance(parts);
    const { folder, limits, engine } = parts;
    await mkdir(join(folder, 'run'), { recursive: true, mode: 0o700 });
    try {
      instance.#gateway = await openGateway({
        path: join(folder, 'run', 'gw.sock'),
        identity: parts.identity,
        doors: parts.doors,
        callOf: (id) => instance.#callOf(id),
        onSign: () => (instance.#silentCpuMs = 0),
      });
      instance.#running = await engine.start({
        identity: parts.identity,
        version: parts.version,
        code: parts.code,
        variables: parts.variables.values,
        limits,
        folder,
        onLine: (line) => instance.#onLine(line),
        onExit: (exit) => instance.#onExit(exit),
      });
    } catch (thrown) {
      instance.#state = 'dead';
      instance.#gateway?.close();
      await rm(folder, { recursive: true, force: true });
      if (!(thrown instanceof StartFailure)) throw thrown;
      throw new StartFailure(instance.#redact(thrown.message), { timedOut: thrown.timedOut });
    }
    instance.#cpuMs = instance.#usage()?.cpuMs ?? 0;
    instance.#lastUsedAt = performance.now();
    return instance;
  }

  get state(): InstanceState {
    return this.#state;
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  /** Nothing has been called in it yet. */
  get isUnused(): boolean {
    return this.#nextCall === 1;
  }

  get idleMs(): number {
    return this.#calls.size > 0 ? 0 : performance.now() - this.#lastUsedAt;
  }

  /** What it held for itself when it was measured last, in MiB. */
  get memoryMb(): number {
    return this.#memoryMb;
  }

  get pid(): number | null {
    return this.#running?.pid() ?? null;
  }

  /** Never rejects. */
  async invoke(request: InvocationRequest): Promise<InvocationResult> {
    const { limits } = this.#parts;
    const call = new RunningCall(String(this.#nextCall++), request.token, limits);
    const { promise, resolve: settle } = Promise.withResolvers<Outcome>();
    this.#calls.set(call.id, { call, settle });
    this.#idleCpuMs = 0;
    const tooLate = setTimeout(() => {
      settle({ kind: 'timeout', limit: 'wall' });
      this.drain({ killed: true });
    }, limits.wallMs);
    void this.#ask(call, request).then(settle);
    const outcome = await promise;
    clearTimeout(tooLate);
    // What was written before the answer lies in the pipe by now: read it before the call is gone.
    await turnOfTheLoop();
    const result = call.end(redactedOutcome(outcome, this.#redact));
    // What answers otherwise than our main module does not come right by being asked again.
    if (outcome.kind === 'crashed' || (outcome.kind === 'denied' && outcome.reason === 'answer_too_large')) this.drain({ killed: true });
    this.#calls.delete(call.id);
    this.#lastUsedAt = performance.now();
    this.#silentCpuMs = 0;
    if (this.#state === 'draining' && this.#calls.size === 0) this.#running?.stop('kill');
    return result;
  }

  /** Takes no more calls and ends with those it has. */
  drain({ killed = false } = {}): void {
    if (this.#state !== 'warm') return;
    this.#state = 'draining';
    this.#parts.onEnd(this, { killed });
    if (this.#calls.size === 0) this.#running?.stop('kill');
  }

  /** Ends the process; its calls end with `outcome`. */
  kill(outcome: Outcome, { killed = true } = {}): void {
    const was = this.#state;
    if (was === 'dead') return;
    // Before the signal, so that no call is given to what will be gone.
    this.#state = 'dead';
    for (const { settle } of this.#calls.values()) settle(outcome);
    this.#running?.stop('kill');
    if (was === 'warm') this.#parts.onEnd(this, { killed });
  }

  /** Compares what the process has used since the last look with what it may; kills it where that was too much. */
  watch(): void {
    if (this.#state === 'dead') return;
    const { limits } = this.#parts;
    const usage = this.#usage();
    if (usage === null) return;
    const used = Math.max(0, usage.cpuMs - this.#cpuMs);
    this.#cpuMs = usage.cpuMs;
    if (usage.residentMb > limits.residentMb) return this.kill({ kind: 'memory' });
    if (this.#calls.size === 0) {
      this.#idleCpuMs += used;
    } else {
      // Calls that run side by side share; one that lets nothing else happen is found by the silence.
      this.#silentCpuMs += used;
      for (const { call } of this.#calls.values()) call.cpuMs += used / this.#calls.size;
    }
    const isOver =
      this.#silentCpuMs > limits.cpuMs ||
      this.#idleCpuMs > limits.cpuMs ||
      [...this.#calls.values()].some(({ call }) => call.cpuMs > limits.cpuMs);
    if (isOver) return this.kill({ kind: 'timeout', limit: 'cpu' });
    if (this.#isYielding || this.#silentCpuMs <= COMPUTES_LONG_MS || this.pid === null) return;
    this.#isYielding = yieldToOthers(this.pid);
  }

  measure(): void {
    const { pid } = this;
    this.#memoryMb = (pid === null ? null : ownMemoryMb(pid)) ?? this.#memoryMb;
  }

  /** When the process is gone. */
  get exited(): Promise<unknown> {
    return this.#exited.promise;
  }

  async #ask(call: RunningCall, { functionName, payload, context }: InvocationRequest): Promise<Outcome> {
    const answer = (await this.#running?.invoke({ invocationId: call.id, functionName, payload, context, signal: call.signal })) ?? GONE;
    if (answer.kind === 'answer') return outcomeOfAnswer(answer.text, call.denials);
    if (answer.kind === 'too_large') return { kind: 'denied', reason: 'answer_too_large' };
    // The connection ends a moment before the process does: what it says last tells why.
    const exit = await Promise.race([
      this.#exited.promise,
      new Promise<null>((resolve) => setTimeout(() => resolve(null), EXIT_WAIT_MS).unref()),
    ]);
    return exit === null ? { kind: 'crashed', detail: answer.detail } : outcomeOfExit(exit);
  }

  #usage() {
    const pid = this.pid;
    return pid === null ? null : processUsage(pid);
  }

  #oldest(): RunningCall | undefined {
    return this.#calls.values().next().value?.call;
  }

  #callOf(id: string | null) {
    const call = (id === null ? undefined : this.#calls.get(id)?.call) ?? this.#oldest();
    return call === undefined ? null : { token: call.token, signal: call.signal, onDenied: () => void call.denials++ };
  }

  #onLine(line: EngineLine): void {
    const [, id = '', level, message = line.message] = /^(\d*) (debug|info|warn|error) (.*)$/s.exec(line.message) ?? [];
    const call = this.#calls.get(id)?.call ?? this.#oldest();
    call?.log((level as LogLine['level'] | undefined) ?? 'info', { at: line.at, message: this.#redact(message) });
  }

  #onExit(exit: EngineExit): void {
    this.#exited.resolve(exit);
    this.#gateway?.close();
    this.kill(outcomeOfExit(exit), { killed: this.#calls.size > 0 });
    void rm(this.#parts.folder, { recursive: true, force: true });
  }
}

async function turnOfTheLoop(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}
