// The clock that tests turn by hand, exactly; of the host's clock only what does not depend on real time.
import { describe, expect, it } from 'vitest';
import { ManualClock, systemClock } from '../../src/util/clock.js';
import { MegaflowError } from '../../src/util/errors.js';

/** A clock, and a log of which timer was called when. */
function setUp(startMs = 0): { clock: ManualClock; log: string[]; note: (name: string) => () => void } {
  const clock = new ManualClock(startMs);
  const log: string[] = [];
  return { clock, log, note: (name) => () => void log.push(`${name}@${clock.now()}`) };
}

describe('ManualClock', () => {
  it('stands still until it is moved', () => {
    const { clock, log, note } = setUp(500);
    expect(new ManualClock().now()).toBe(0);
    clock.after(0, note('zero'));
    clock.soon(note('soon'));
    expect([clock.now(), clock.pending, log]).toEqual([500, 2, []]);
    clock.advance(0);
    expect([clock.now(), clock.pending, log]).toEqual([500, 0, ['zero@500', 'soon@500']]);
  });

  it('calls timers in the order of their time, then of their making, each at its own time', () => {
    const { clock, log, note } = setUp();
    clock.after(30, note('c'));
    clock.after(10, note('a1'));
    clock.after(20, note('b'));
    clock.after(10, note('a2'));
    clock.after(31, note('late'));
    clock.advance(30);
    expect(log).toEqual(['a1@10', 'a2@10', 'b@20', 'c@30']);
    expect([clock.now(), clock.pending]).toEqual([30, 1]);
    clock.advance(0.5);
    expect(log).toHaveLength(4);
    clock.advance(0.5);
    expect(log.at(-1)).toBe('late@31');
  });

  it('calls what timers set up on the way, if it falls due', () => {
    const { clock, log, note } = setUp();
    clock.after(10, () => {
      note('first')();
      clock.after(5, note('second'));
      clock.soon(note('soon'));
      clock.after(100, note('too late'));
    });
    clock.advance(20);
    expect(log).toEqual(['first@10', 'soon@10', 'second@15']);
    expect([clock.now(), clock.pending]).toEqual([20, 1]);
  });

  it('leaps: timers that fell due are called afterwards, in order, at the new time', () => {
    const { clock, log, note } = setUp();
    clock.after(20, () => {
      note('b')();
      clock.after(1, note('not yet'));
      clock.soon(note('soon'));
    });
    clock.after(10, note('a'));
    clock.after(51, note('later'));
    clock.leap(50);
    expect(log).toEqual(['a@50', 'b@50', 'soon@50']);
    expect([clock.now(), clock.pending]).toEqual([50, 2]);
  });

  it('cancels: before, twice, afterwards, and from within another timer', () => {
    const { clock, log, note } = setUp();
    const first = clock.after(10, note('first'));
    first.cancel();
    first.cancel();
    const second = clock.after(20, note('second'));
    clock.after(20, note('third'));
    clock.after(15, () => second.cancel());
    clock.advance(20);
    expect(log).toEqual(['third@20']);
    second.cancel();
    expect(clock.pending).toBe(0);
  });

  it('takes a delay below zero for none', () => {
    const { clock, log, note } = setUp(7);
    clock.after(-5, note('now'));
    clock.advance(0);
    expect(log).toEqual(['now@7']);
  });

  it('never runs backwards, even when a timer moves it', () => {
    const { clock, log, note } = setUp();
    clock.after(10, () => clock.advance(100));
    clock.after(50, note('inner'));
    clock.advance(20);
    expect(clock.now()).toBe(110);
    expect(log).toEqual(['inner@50']);
  });

  it.each([-1, NaN])('cannot move by %d', (ms) => {
    const { clock } = setUp(3);
    expect(() => clock.advance(ms)).toThrow(expect.objectContaining({ code: 'bad-argument', value: ms }));
    expect(() => clock.leap(ms)).toThrow(MegaflowError);
    expect(clock.now()).toBe(3);
  });
});

describe('systemClock', () => {
  it('does not run backwards', () => {
    const first = systemClock.now();
    expect(systemClock.now()).toBeGreaterThanOrEqual(first);
  });

  it('calls what is due, and not what was cancelled', async () => {
    const log: string[] = [];
    systemClock.soon(() => log.push('cancelled soon')).cancel();
    systemClock.after(0, () => log.push('cancelled timer')).cancel();
    const soon = new Promise<void>((resolve) => {
      systemClock.soon(() => {
        log.push('soon');
        resolve();
      });
    });
    log.push('first');
    await soon;
    await new Promise<void>((resolve) => {
      systemClock.after(
        1,
        () => {
          log.push('after');
          resolve();
        },
        true,
      );
    });
    expect(log).toEqual(['first', 'soon', 'after']);
  });
});
