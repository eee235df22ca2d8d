/**
 * Time is handed in. `systemClock` is the one place that reads the wall clock; a `ManualClock` stands still until it
 * is told to move, which makes ageing, neighbours and revalidation exact in tests.
 */
import { MegaflowError } from './errors.js';

/** What stops a timer. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds that never run backwards; the origin is the clock's own. */
  now(): number;
  /**
   * Calls `callback` once, `delayMs` from now (0 or more). The timer keeps a process alive only with `awaited`, which is for timers
   * that somebody waits for, such as those of a ping.
   */
  after(delayMs: number, callback: () => void, awaited?: boolean): Timer;
  /** Calls `callback` once, when the work in hand is done: what ports and datapaths use to take turns. */
  soon(callback: () => void): Timer;
}

const immediate = (globalThis as { setImmediate?: (callback: () => void) => unknown }).setImmediate;

/** The host's clock and timers. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback, awaited = false) {
    const handle = setTimeout(callback, delayMs);
    // In Node a pending timer keeps the process alive; a switch that nobody closed must not.
    if (!awaited && typeof handle === 'object') (handle as { unref?(): void }).unref?.();
    return { cancel: () => clearTimeout(handle) };
  },
  soon(callback) {
    let cancelled = false;
    const run = (): void => {
      if (!cancelled) callback();
    };
    // setImmediate lets input and timers of the host have their turn in between; browsers have only timers.
    if (immediate) immediate(run);
    else setTimeout(run, 0);
    return {
      cancel: () => {
        cancelled = true;
      },
    };
  },
};

/** A clock that moves only by `advance`. Timers that fall due on the way are called in order, at their own time. */
export class ManualClock implements Clock {
  #now: number;
  // Not `sequence`, which a protocol exports: the bundler's CommonJS output confuses a private name with an export of that name.
  #timersMade = 0;
  #timers: { at: number; sequence: number; callback: () => void }[] = [];

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.#now + Math.max(0, delayMs), sequence: this.#timersMade++, callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        const index = this.#timers.indexOf(timer);
        if (index >= 0) this.#timers.splice(index, 1);
      },
    };
  }

  soon(callback: () => void): Timer {
    return this.after(0, callback);
  }

  /** How many timers are pending: zero after everything that used the clock was closed. */
  get pending(): number {
    return this.#timers.length;
  }

  /**
   * Moves on by `ms` in one leap: timers that fall due are called afterwards, all at the new time, as on a machine that was busy
   * for so long. (`ovs-appctl time/warp` does this.)
   */
  leap(ms: number): void {
    checkStep(ms);
    this.#now += ms;
    this.advance(0);
  }

  /** Moves on by `ms` (0 or more), calling every timer that falls due, each at its own time. */
  advance(ms: number): void {
    checkStep(ms);
    const target = this.#now + ms;
    for (;;) {
      let next: { at: number; sequence: number; callback: () => void } | undefined;
      for (const timer of this.#timers) {
        if (
          timer.at <= target &&
          (!next || timer.at < next.at || (timer.at === next.at && timer.sequence < next.sequence))
        )
          next = timer;
      }
      if (!next) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    // A callback may have moved the clock further.
    this.#now = Math.max(this.#now, target);
  }
}

function checkStep(ms: number): void {
  if (ms >= 0) return;
  const allowed = 'a number of milliseconds, 0 or more';
  throw new MegaflowError('bad-argument', `a clock cannot move by ${ms} ms`, ms, allowed);
}
