import { type Log, silentLog } from '@bulkhead/base';
import { Breaker } from './breaker.ts';
import {
  DEFAULT_LIMITS,
  type Denial,
  type Doors,
  type InstanceIdentity,
  type InvocationRequest,
  type InvocationResult,
  type Limits,
  type Outcome,
  type Variables,
} from './contract.ts';
import { type Engine, StartFailure } from './engine.ts';
import { Instance } from './instance.ts';
import { InstanceFolders } from './instance-folders.ts';
import type { Isolation } from './isolation.ts';
import { isOutOfMemory } from './outcome.ts';
import { Places } from './places.ts';
import { Room, type RoomOptions } from './room.ts';
import { Slot } from './slot.ts';

export interface SupervisorOptions extends RoomOptions {
  readonly engine: Engine;
  readonly doors: Doors;
  readonly limits?: Partial<Limits>;
  /** An instance without a call for so long is ended. Default 60,000. */
  readonly idleMs?: number;
  /** Processes that start at a time. Default 8. */
  readonly startsMax?: number;
  /** After so many kills within a minute, an identity starts nothing for `suspendedMs`. Default 5. */
  readonly killsMax?: number;
  /** Default 30,000. */
  readonly suspendedMs?: number;
  readonly log?: Log;
}

const WATCH_MS = 50;
// Who has no call is looked at less often: it can only do what it left behind.
const IDLE_WATCH_EVERY = 10;
const STARTS_WAITING_MAX = 500;
const KILLS_WINDOW_MS = 60_000;
const CHECK_MS = 3_000;
/** No function has this name: the main module answers it with a list of what there is. */
const EXPORTS = '';
const NO_VARIABLES: Variables = { values: {}, secrets: [] };
const NOBODY = { applicationId: '', clientKey: '' };
const noDoors: Doors = async () => ({ status: 403, headers: [], body: Buffer.from('The code is only being checked'), denied: true });

/** The instances of one machine: starts them when they are called, watches them, ends them. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  readonly #folders = new InstanceFolders();
  readonly #slots = new Map<string, Slot>();
  /** Every process that may be there, draining ones too. In the order of their last start or call. */
  readonly #instances = new Set<Instance>();
  /** Whose processes are on their way. */
  readonly #starting = new Map<Promise<Instance>, string>();
  readonly #starts: Places;
  readonly #room: Room;
  readonly #breaker: Breaker;
  readonly #watch: NodeJS.Timeout;
  /** Processes that start in room they were given. */
  #entered = 0;
  #ticks = 0;
  #nextCheck = 1;
  #isClosed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#starts = new Places(options.startsMax ?? 8, STARTS_WAITING_MAX);
    this.#room = new Room(options);
    this.#breaker = new Breaker({ killsMax: options.killsMax ?? 5, windowMs: KILLS_WINDOW_MS, openMs: options.suspendedMs ?? 30_000 });
    this.#watch = setInterval(() => this.#look(), WATCH_MS).unref();
  }

  get isolation(): Isolation {
    return this.#options.engine.isolation;
  }

  /** Processes of this moment, for whoever watches: pids are the engine's own. */
  get instances(): readonly Pick<Instance, 'identity' | 'version' | 'state' | 'inFlight' | 'pid' | 'memoryMb'>[] {
    return [...this.#instances];
  }

  /** Never rejects: however a call ends is a value. */
  async invoke(request: InvocationRequest): Promise<InvocationResult> {
    const limits: Limits = { ...DEFAULT_LIMITS, ...this.#options.limits, ...request.limits };
    if (Buffer.byteLength(request.payload) > limits.payloadBytesMax) return unstarted({ kind: 'denied', reason: 'payload_too_large' });
    const suspendedMs = this.#breaker.wait(keyOf(request.identity), performance.now());
    if (suspendedMs > 0) return unstarted(denied('suspended', suspendedMs));
    const key = `${keyOf(request.identity)}@${request.version}`;
    const slot = this.#slotOf(key, limits);
    return slot.use(async () => {
      const leave = await slot.places.take(limits.waitMs);
      if (leave === null) return unstarted(denied('busy', 1_000));
      try {
        return request.isolation === 'call' ? await this.#invokeAlone(request, limits) : await this.#invokeIn(slot, request, limits);
      } catch (thrown) {
        return unstarted(this.#unstartedOf(thrown));
      } finally {
        leave();
      }
    });
  }

  /**
   * Starts code once, for nobody: no door opens for it, and its process ends. The value of `ok` is a list of the functions it exports, by the
   * guest's own word. Whatever else came of it is why it does not load. Never rejects.
   */
  async check(code: string, variables: Readonly<Record<string, string>>): Promise<InvocationResult> {
    const identity = { ...NOBODY, environment: String(this.#nextCheck++) };
    try {
      return await this.invoke({
        identity,
        version: 'check',
        loadCode: async () => code,
        loadVariables: async () => ({ values: variables, secrets: [] }),
        functionName: EXPORTS,
        payload: 'null',
        context: 'null',
        token: '',
        limits: { wallMs: CHECK_MS },
      });
    } finally {
      for (const instance of this.#instances) if (keyOf(instance.identity) === keyOf(identity)) instance.drain();
    }
  }

  /** Ends every process. What was called ends as `crashed`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#watch);
    await Promise.allSettled(this.#starting.keys());
    const all = [...this.#instances];
    for (const instance of all) instance.kill(STOPS, { killed: false });
    await Promise.all(all.map(({ exited }) => exited));
    this.#folders.close();
  }

  #slotOf(key: string, limits: Limits): Slot {
    const found = this.#slots.get(key);
    if (found !== undefined) return found;
    const slot = new Slot(limits, () => {
      if (this.#slots.get(key) === slot) this.#slots.delete(key);
    });
    this.#slots.set(key, slot);
    return slot;
  }

  async #invokeIn(slot: Slot, request: InvocationRequest, limits: Limits): Promise<InvocationResult> {
    const find = () => slot.instanceFor(limits, (onEnd) => this.#start(request, limits, onEnd));
    let instance = await find();
    // It may have had to make room in this very moment.
    if (instance.state === 'draining') instance = await find();
    // The last in the order of use.
    if (this.#instances.delete(instance)) this.#instances.add(instance);
    return instance.invoke(request);
  }

  /** In a process that is started for this call and ended with it. */
  async #invokeAlone(request: InvocationRequest, limits: Limits): Promise<InvocationResult> {
    const instance = await this.#start(request, limits, () => undefined);
    try {
      return await instance.invoke(request);
    } finally {
      instance.drain();
    }
  }

  #unstartedOf(thrown: unknown): Outcome {
    if (thrown instanceof NoPlace) return denied('busy', 1_000);
    if (thrown instanceof Stopping) return STOPS;
    if (!(thrown instanceof StartFailure)) this.#log.error('An instance could not be started', { err: thrown });
    if (!(thrown instanceof StartFailure)) return { kind: 'crashed', detail: 'the instance could not be started' };
    if (thrown.timedOut) return { kind: 'timeout', limit: 'start' };
    return isOutOfMemory(thrown.message) ? { kind: 'memory' } : { kind: 'crashed', detail: thrown.message };
  }

  #start(request: InvocationRequest, limits: Limits, onEnd: (ended: Instance) => void): Promise<Instance> {
    const key = keyOf(request.identity);
    const started = this.#startInRoom(request, limits, onEnd);
    this.#starting.set(started, key);
    return started
      .catch((thrown: unknown) => {
        if (thrown instanceof StartFailure) this.#breaker.kill(key, performance.now());
        throw thrown;
      })
      .finally(() => this.#starting.delete(started));
  }

  async #startInRoom(
    { identity, version, loadCode, loadVariables }: InvocationRequest,
    limits: Limits,
    onEnd: (ended: Instance) => void,
  ): Promise<Instance> {
    const leave = await this.#starts.take(limits.waitMs);
    if (leave === null) throw new NoPlace();
    try {
      if (this.#isClosed) throw new Stopping();
      const key = keyOf(identity);
      // This one is among those that start; so are others that have their room already, and some that wait for it.
      const others = [...this.#starting.values()];
      const starting = { all: this.#entered, same: others.filter((other) => other === key).length - 1 };
      if (!this.#room.forOneMore(this.#instances, (instance) => keyOf(instance.identity) === key, starting)) throw new NoPlace();
      this.#entered++;
      try {
        const { engine, doors } = this.#options;
        const [code, variables] = await Promise.all([loadCode(), loadVariables?.() ?? NO_VARIABLES]);
        const instance = await Instance.start({
          engine,
          doors: identity.applicationId === NOBODY.applicationId ? noDoors : doors,
          identity,
          version,
          code,
          variables,
          limits,
          folder: this.#folders.next(),
          onEnd: (ended, { killed }) => {
            onEnd(ended);
            if (killed) this.#breaker.kill(key, performance.now());
          },
        });
        this.#instances.add(instance);
        void instance.exited.then(() => this.#instances.delete(instance));
        // Whatever runs another version of the same now takes no more calls.
        for (const other of this.#instances) if (other.version !== version && keyOf(other.identity) === key) other.drain();
        return instance;
      } finally {
        this.#entered--;
      }
    } finally {
      leave();
    }
  }

  #look(): void {
    const idleToo = this.#ticks++ % IDLE_WATCH_EVERY === 0;
    const idleMs = this.#options.idleMs ?? 60_000;
    for (const instance of this.#instances) {
      if (instance.inFlight > 0 || idleToo) instance.watch();
      if (idleToo) instance.measure();
      if (instance.state === 'warm' && instance.idleMs > idleMs) instance.drain();
    }
    if (idleToo) this.#room.keep(this.#instances);
    this.#breaker.sweep(performance.now());
  }
}

class NoPlace extends Error {}
class Stopping extends Error {}

const STOPS = { kind: 'crashed', detail: 'the runner stops' } as const;

function keyOf({ applicationId, clientKey, environment }: InstanceIdentity): string {
  return JSON.stringify([applicationId, clientKey, environment]);
}

function denied(reason: Denial, retryAfterMs: number): Outcome {
  return { kind: 'denied', reason, retryAfterSeconds: Math.ceil(retryAfterMs / 1_000) };
}

function unstarted(outcome: Outcome): InvocationResult {
  return { outcome, durationMs: 0, logs: [], logsDropped: 0 };
}
