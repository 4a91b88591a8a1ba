import { describe, expect, it } from 'vitest';
import { Gate } from './gate.ts';
import { httpErrors } from './http-errors.ts';

/** A gate with two places and a hundred to wait in, on a clock of its own. */
class Line {
  now = 0;
  readonly gate: Gate;
  running = 0;
  refused = 0;
  longestMs = 0;

  constructor({ waitMs = 500, patienceMs = 2_000, waiting = 100 }: Partial<Record<'waitMs' | 'patienceMs' | 'waiting', number>> = {}) {
    const refusal = () => httpErrors('server.overloaded');
    this.gate = new Gate({ running: 2, waiting }, { waitMs, patienceMs, now: () => this.now, refusal });
  }

  /** So many of a party come. Answers how many of them are turned away at once. */
  come(count: number, party = ''): number {
    let away = 0;
    for (let at = 0; at < count; at++) {
      if (this.gate.tryEnter()) this.running++;
      else {
        try {
          this.gate.refuseLate(party);
          const since = this.now;
          this.gate.wait(party).then(
            () => {
              this.running++;
              this.longestMs = Math.max(this.longestMs, this.now - since);
            },
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
    // Of another party, which takes turns with it: half as many.
    expect(line.come(40, 'another')).toBe(15);
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

  it('keeps nobody longer than two seconds, whatever was expected, and gives no place to who was turned away', async () => {
    const line = new Line();
    line.come(10);
    await line.pass(2_000, 0);
    expect(line.refused).toBe(0);
    await line.pass(10, 0);
    expect([line.running, line.refused]).toEqual([2, 8]);
    await line.pass(100, 2);
    expect([line.running, line.refused]).toEqual([0, 8]);
    // Control: who came later is within its time.
    const other = new Line();
    other.come(3);
    await other.pass(400, 0);
    other.come(1);
    await other.pass(1_700, 0);
    expect(other.refused).toBe(1);
  });

  it('turns nobody away who was let in, however many come after, of however many parties', async () => {
    const line = new Line();
    line.come(102, 'flood');
    let away = 0;
    // A hundred a second are served, and more than twice as many come: of the one that floods, and of twelve others by and by.
    for (let at = 0; at < 600; at++) {
      away += line.come(2, 'flood');
      if (at % 3 === 0) away += line.come(1, `party ${at % Math.min(12, 1 + Math.floor(at / 20))}`);
      await line.pass(10, 1);
    }
    expect(away).toBeGreaterThan(700);
    expect(line.refused).toBe(0);
    expect(line.longestMs).toBeLessThan(2_000);
    // Control: had it let in who was turned away, many would have waited for too long.
    const open = new Line({ waitMs: Infinity, waiting: 1_000 });
    for (let at = 0; at < 600; at++) {
      open.come(2, 'flood');
      if (at % 3 === 0) open.come(1, `party ${at % 12}`);
      await open.pass(10, 1);
    }
    expect(open.refused).toBeGreaterThan(100);
  });

  it('that is full has room for whoever has less in it than its part, and for no more than twice as many', () => {
    const line = new Line();
    expect(line.come(103, 'flood')).toBe(1);
    // Ten parties, with 102 waiting: of a hundred, an eleventh of them each.
    for (let party = 0; party < 10; party++) expect(line.come(9, `party ${party}`)).toBe(0);
    expect(line.come(4, 'party 0')).toBe(3);
    // Control: the one that has filled it has no part left.
    expect(line.come(1, 'flood')).toBe(1);
    let letIn = 0;
    for (let party = 10; party < 40; party++) letIn += 1 - line.come(1, `party ${party}`);
    expect(letIn).toBe(200 - 100 - 91);
  });

  it('has room for what a party gets of it: a hundred a second, of which another leaves it half', async () => {
    const line = new Line({ patienceMs: 60_000 });
    line.come(102, 'many');
    for (let at = 0; at < 200; at++) {
      if (at % 2 === 0) line.come(1, 'few');
      line.come(1, 'many');
      await line.pass(10, 1);
    }
    // Half a second of fifty a second.
    const before = line.gate.waitingOf('many');
    expect(before).toBeGreaterThan(18);
    expect(before).toBeLessThan(32);
    // Control: of the few, which has waited for nothing yet, another is let in at once.
    expect(line.come(1, 'few')).toBe(0);
  });
});
