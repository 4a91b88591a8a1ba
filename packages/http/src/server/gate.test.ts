import { describe, expect, it } from 'vitest';
import { Gate } from './gate.ts';
import { httpErrors } from './http-errors.ts';

/** A gate with two places and a hundred to wait in, on a clock of its own. */
class Line {
  now = 0;
  readonly gate: Gate;
  running = 0;
  refused = 0;

  constructor({ waitMs = 500, patienceMs = 1_000 }: { readonly waitMs?: number; readonly patienceMs?: number } = {}) {
    const refusal = () => httpErrors('server.overloaded');
    this.gate = new Gate({ running: 2, waiting: 100 }, { waitMs, patienceMs, now: () => this.now, refusal });
  }

  /** So many come. Answers how many of them are turned away at once. */
  come(count: number): number {
    let away = 0;
    for (let at = 0; at < count; at++) {
      if (this.gate.tryEnter()) this.running++;
      else {
        try {
          this.gate.wait('').then(
            () => this.running++,
            () => this.refused++,
          );
        } catch {
          away++;
        }
      }
    }
    return away;
  }

  /** Time passes in steps of ten milliseconds, in each of which so many are served. */
  async pass(ms: number, servedPerStep: number): Promise<void> {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 10;
      for (let at = 0; at < servedPerStep && this.running > 0; at++) {
        this.running--;
        this.gate.leave();
        await Promise.resolve();
      }
      this.gate.look();
      await Promise.resolve();
    }
  }
}

describe('S2: a line before places', () => {
  it('that has only begun takes all that it has room for, and serves them: a burst', async () => {
    const line = new Line();
    expect(line.come(102)).toBe(0);
    expect(line.come(1)).toBe(1);
    await line.pass(1_000, 2);
    expect([line.running, line.refused]).toEqual([0, 0]);
  });

  it('takes no more than it serves within the longest wait, once it has been seen to move', async () => {
    const line = new Line();
    line.come(102);
    await line.pass(400, 1);
    // Control: until then it takes whoever comes.
    expect(line.come(40)).toBe(0);
    await line.pass(200, 1);
    // 100 a second: 50 in half a second, and eighty wait.
    expect(line.come(10)).toBe(10);
    // Control: a line that moves twice as fast has room for twice as many.
    const faster = new Line();
    faster.come(102);
    await faster.pass(400, 2);
    faster.come(80);
    await faster.pass(200, 2);
    expect(faster.come(100)).toBe(100 - (100 - 60));
    expect(new Line({ waitMs: Infinity }).come(200)).toBe(98);
  });

  it('that stands still has room for one, so that it is seen to move again', async () => {
    const line = new Line({ patienceMs: 60_000 });
    line.come(62);
    await line.pass(1_000, 0);
    expect(line.come(5)).toBe(5);
    await line.pass(560, 1);
    expect(line.come(1)).toBe(0);
    // Control: it is not forgotten at once that it stood.
    expect(line.come(60)).toBeGreaterThan(10);
  });

  it('keeps nobody longer than a second, whatever was expected, and gives no place to who was turned away', async () => {
    const line = new Line();
    line.come(10);
    await line.pass(1_000, 0);
    expect(line.refused).toBe(0);
    await line.pass(10, 0);
    expect([line.running, line.refused]).toEqual([2, 8]);
    await line.pass(100, 2);
    expect([line.running, line.refused]).toEqual([0, 8]);
    // Control: who came later is within its second.
    const other = new Line();
    other.come(3);
    await other.pass(900, 0);
    other.come(1);
    await other.pass(200, 0);
    expect(other.refused).toBe(1);
  });
});
