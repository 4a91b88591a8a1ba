import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What happens to the bytes of one direction of one connection. */
export type Flow =
  | 'pass'
  /** Nothing goes on, nobody is told. What came is kept, as a network keeps it in the sender: `pass` lets it go on. */
  | 'hold'
  /** Each piece comes this much later. */
  | { readonly delayMs: number }
  | { readonly bytesPerSecond: number }
  /** So many bytes from now on, then the connection is reset. */
  | { readonly cutAfterBytes: number };

const SLICES_PER_SECOND = 20;
/**
 * Between the last bytes and the reset: libuv, as Node 22 has it, takes both at once for an orderly end, so a test would see
 * a goodbye that nobody said.
 */
const BEFORE_RESET_MS = 10;

/** One direction of a connection through the proxy: reads a piece, does to it what is to be done, hands it on, reads the next. */
export class FlowPump {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #cut: () => void;
  #flow: Flow;
  #changed = Promise.withResolvers<void>();
  #left = Infinity;
  /** Bytes handed on so far. */
  bytes = 0;

  constructor(from: Socket, to: Socket, flow: Flow, cut: () => void) {
    this.#from = from;
    this.#to = to;
    this.#cut = cut;
    this.#flow = flow;
    this.set(flow);
  }

  /** From the next byte on; whatever was waiting is judged anew. */
  set(flow: Flow): void {
    this.#flow = flow;
    this.#left = typeof flow === 'object' && 'cutAfterBytes' in flow ? flow.cutAfterBytes : Infinity;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
    if (this.#left === 0) this.#cut();
  }

  /** Until either side is gone. */
  async run(): Promise<void> {
    try {
      for await (const piece of this.#from.iterator({ destroyOnReturn: false })) await this.#handOn(piece as Buffer);
      await this.#whileHeld();
      this.#to.end();
    } catch {
      // A side that was reset: the other one learns it in the same way.
      this.#cut();
    }
  }

  async #handOn(piece: Buffer): Promise<void> {
    for (let rest = piece; rest.length > 0; ) {
      await this.#whileHeld();
      const slice = rest.subarray(0, Math.min(this.#sliceSize(), this.#left));
      if (!(await this.#wait())) continue;
      await this.#write(slice);
      rest = rest.subarray(slice.length);
      this.bytes += slice.length;
      this.#left -= slice.length;
      if (this.#left > 0) continue;
      await delay(BEFORE_RESET_MS);
      return this.#cut();
    }
  }

  #sliceSize(): number {
    return typeof this.#flow === 'object' && 'bytesPerSecond' in this.#flow
      ? Math.max(1, Math.floor(this.#flow.bytesPerSecond / SLICES_PER_SECOND))
      : Infinity;
  }

  async #whileHeld(): Promise<void> {
    while (this.#flow === 'hold' && !this.#to.destroyed) await this.#changed.promise;
  }

  /** The time that the next slice takes. False: something else is to be done to it meanwhile. */
  async #wait(): Promise<boolean> {
    if (typeof this.#flow !== 'object' || 'cutAfterBytes' in this.#flow) return true;
    const ms = 'delayMs' in this.#flow ? this.#flow.delayMs : (1_000 * this.#sliceSize()) / this.#flow.bytesPerSecond;
    const given = new AbortController();
    const waited = delay(ms, true, { signal: given.signal }).catch(() => false);
    const outcome = await Promise.race([waited, this.#changed.promise.then(() => false)]);
    given.abort();
    return outcome;
  }

  #write(slice: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#to.destroyed) return reject(new Error('the other side is gone'));
      const gone = () => reject(new Error('the other side is gone'));
      this.#to.once('close', gone);
      this.#to.write(slice, () => {
        this.#to.off('close', gone);
        resolve();
      });
    });
  }

  /** Lets go of what waits, so that `run` comes to its end. */
  wake(): void {
    this.#changed.resolve();
  }
}
