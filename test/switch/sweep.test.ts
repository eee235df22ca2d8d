// Sweeps in slices: how long a turn takes, that each flow is looked at once, and that what is learned in between does not begin it anew.
import { describe, expect, it } from 'vitest';
import { VSwitch } from '../../src/switch/vswitch.js';
import { ManualClock, type Timer } from '../../src/util/clock.js';
import { A, B, BROADCAST, frame } from './frames.js';

/** A clock that goes on by a little whenever somebody looks at it, as one does while work is done, and keeps turns until they are taken. */
class BusyClock extends ManualClock {
  tickMs = 0;
  #passedMs = 0;
  readonly #turns: (() => void)[] = [];

  override now(): number {
    this.#passedMs += this.tickMs;
    return super.now() + this.#passedMs;
  }

  override soon(callback: () => void): Timer {
    this.#turns.push(callback);
    return { cancel: () => void this.#turns.splice(this.#turns.indexOf(callback), 1) };
  }

  /** Takes the next turn; false: there is none. */
  takeTurn(): boolean {
    const turn = this.#turns.shift();
    turn?.();
    return turn !== undefined;
  }
}

const FLOWS = 1000;

function macOf(number: number): string {
  return `02:00:00:01:${(number >> 8).toString(16).padStart(2, '0')}:${(number & 255).toString(16).padStart(2, '0')}`;
}

/** A switch with so many flows to different destinations. */
function createFlows(): { vswitch: VSwitch; clock: BusyClock } {
  const clock = new BusyClock(10_000);
  const vswitch = new VSwitch({ clock, poolOptions: { slots: 256 } });
  vswitch.addBridge({ name: 'br0', mac: 'aa:55:aa:55:00:00', ports: [{ name: 'p1' }, { name: 'p2' }] });
  vswitch.deliver('p1', frame(A, BROADCAST));
  for (let number = 0; number < FLOWS; number++) vswitch.receive('p1', frame(A, macOf(number)));
  vswitch.settle();
  return { vswitch, clock };
}

/** The same, with a packet of each flow that nobody has been told of. */
function createNews(): { vswitch: VSwitch; clock: BusyClock; told: () => number } {
  const { vswitch, clock } = createFlows();
  const { counters } = vswitch.findPort('p1')!;
  const before = counters.rxPackets;
  for (let number = 0; number < FLOWS; number++) vswitch.receive('p1', frame(A, macOf(number)));
  expect(counters.rxPackets).toBe(before);
  return { vswitch, clock, told: () => counters.rxPackets - before };
}

describe('a sweep', () => {
  it('stops when the clock says that its turn is over, and goes on in the next', () => {
    const { vswitch, clock, told } = createNews();
    clock.tickMs = 0.1;
    clock.advance(500);
    const counted = [0, told()];
    while (clock.takeTurn()) counted.push(told());
    const turns = counted.slice(1).map((count, turn) => count - counted[turn]);
    expect(told()).toBe(FLOWS);
    // A turn has a few looks at the clock, and there is one at least every 32 flows.
    expect(Math.max(...turns)).toBeLessThan(200);
    expect(Math.min(...turns)).toBeGreaterThan(0);
    vswitch.close();
  });

  it('is done in one turn where time stands still', () => {
    const { vswitch, clock, told } = createNews();
    clock.advance(500);
    expect(told()).toBe(FLOWS);
    vswitch.close();
  });

  it('comes to its end though MACs are learned all the while', () => {
    const { vswitch, clock, told } = createNews();
    let learned = 0;
    clock.tickMs = 0.3;
    clock.advance(500);
    // Between two turns pass more than the 5 ms after which another sweep may begin.
    while (learned < FLOWS && told() < FLOWS) {
      vswitch.receive('p2', frame(macOf(FLOWS + learned++), B));
      clock.tickMs = 3;
      clock.now();
      clock.now();
      clock.tickMs = 0.3;
      if (!clock.takeTurn()) clock.advance(1);
    }
    expect(told()).toBeGreaterThanOrEqual(FLOWS);
    vswitch.close();
  });
});
