import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import { onStopSignal, type StopSignal } from './stop-signal.ts';

let source: EventEmitter;
let forced: number[];
let nowMs: number;
beforeEach(() => {
  source = new EventEmitter();
  forced = [];
  nowMs = 5_000;
});

function listen(): StopSignal {
  return onStopSignal({ force: (exitCode) => void forced.push(exitCode), now: () => nowMs, source });
}

describe('the wish to stop', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s asks for it once, by its name', async (signal) => {
    const { asked, isAsked } = listen();
    expect(isAsked()).toBe(false);
    source.emit(signal, signal);
    expect(await asked).toBe(signal);
    expect(isAsked()).toBe(true);
    expect(forced).toEqual([]);
  });

  it('one press of Ctrl-C that arrives three times is one', () => {
    listen();
    for (let copy = 0; copy < 3; copy += 1, nowMs += 300) source.emit('SIGINT');
    expect(forced).toEqual([]);
  });

  it('a second press ends the process at once', () => {
    listen();
    source.emit('SIGINT');
    nowMs += 1_001;
    source.emit('SIGINT');
    expect(forced).toEqual([130]);
  });

  it('the end of the Node that wraps this one is such a wish', async () => {
    const { asked, isAsked } = listen();
    source.emit('disconnect');
    expect(await asked).toBe('orphaned');
    expect(isAsked()).toBe(true);
  });

  it('leaves no listener behind', () => {
    const stop = listen();
    expect(source.eventNames()).toEqual(['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']);
    stop.release();
    expect(source.eventNames()).toEqual([]);
  });
});
