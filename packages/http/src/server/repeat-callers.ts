import type { Socket } from 'node:net';

/** As often as this in a row may one be turned away and ask again at once. */
const AT_ONCE = 3;
/** Within half of it more or less, or those who were turned away together would come back together. */
const HELD_MS = 1_000;

/**
 * Connections that ask again and again although they are turned away each time and told to wait. However cheap a refusal is, thousands
 * who do that leave no time for what could be answered. So whoever has been turned away three times in a row is heard about a second
 * later: the time it was asked to wait. A connection that was given a place is like any other again.
 */
export class RepeatCallers {
  readonly #refusals = new WeakMap<Socket, number>();

  turnedAway(socket: Socket): void {
    this.#refusals.set(socket, (this.#refusals.get(socket) ?? 0) + 1);
  }

  letIn(socket: Socket): void {
    this.#refusals.delete(socket);
  }

  /** Null where it is to be heard at once; else a promise of the moment. */
  heard(socket: Socket): Promise<void> | null {
    if ((this.#refusals.get(socket) ?? 0) < AT_ONCE) return null;
    return new Promise((resolve) => setTimeout(resolve, HELD_MS * (0.5 + Math.random())));
  }
}
