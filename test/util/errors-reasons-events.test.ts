// The error class, the reasons and their counters, and the listeners.
import { describe, expect, it } from 'vitest';
import { MegaflowError } from '../../src/util/errors.js';
import { Events } from '../../src/util/events.js';
import { REASON_COUNT, Reason, reasonCounts, reasonName } from '../../src/util/reason.js';

describe('MegaflowError', () => {
  it('says what went wrong, with which value, and what would have been right', () => {
    const cause = new Error('below');
    const error = new MegaflowError('out-of-range', 'a port cannot be 0', 0, '1 to 65534', { cause });
    expect(error).toBeInstanceOf(Error);
    expect({ ...error }).toEqual({ name: 'MegaflowError', code: 'out-of-range', value: 0, allowed: '1 to 65534' });
    expect([error.message, error.cause, `${error}`]).toEqual([
      'a port cannot be 0',
      cause,
      'MegaflowError: a port cannot be 0',
    ]);
  });
});

describe('Reason', () => {
  it('numbers each reason once, without gaps, sound being 0', () => {
    const numbers = Object.values(Reason).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: REASON_COUNT }, (_, index) => index));
    expect(Reason.sound).toBe(0);
  });

  it('has a name for each, and for none that is not', () => {
    expect(reasonName(Reason.badChecksum)).toBe('bad-checksum');
    expect(reasonName(Reason.tunnelPopIpChecksum)).toBe('tunnel-pop-ip-checksum');
    expect(reasonName(Reason.runt)).toBe('runt');
    expect(reasonName(REASON_COUNT)).toBe(`reason-${REASON_COUNT}`);
    const names = Object.values(Reason).map(reasonName);
    expect(new Set(names).size).toBe(REASON_COUNT);
    expect(names.filter((name) => !/^[a-z]+(-[a-z]+)*$/.test(name))).toEqual([]);
  });

  it('gives counters by name, without zeros and without what is sound', () => {
    const counters = new Float64Array(REASON_COUNT);
    counters[Reason.sound] = 5;
    counters[Reason.runt] = 2;
    counters[REASON_COUNT - 1] = 3;
    expect(reasonCounts(counters)).toEqual({ runt: 2, [reasonName(REASON_COUNT - 1)]: 3 });
    expect(reasonCounts(new Float64Array(REASON_COUNT))).toEqual({});
  });
});

interface Map {
  first: { value: number };
  second: { text: string };
}

describe('Events', () => {
  it('hands an event to those who listen to its name, and makes it once', () => {
    const events = new Events<Map>();
    const log: unknown[] = [];
    let made = 0;
    const make = (): Map['first'] => ({ value: ++made });
    events.emit('first', make);
    expect([made, events.has('first')]).toEqual([0, false]);

    const off = events.on('first', (event) => log.push(['a', event.value]));
    events.on('first', (event) => log.push(['b', event.value]));
    events.on('second', (event) => log.push(['c', event.text]));
    events.emit('first', make);
    expect(made).toBe(1);
    off();
    off();
    events.emit('first', make);
    events.emit('second', () => ({ text: 'x' }));
    expect(log).toEqual([
      ['a', 1],
      ['b', 1],
      ['b', 2],
      ['c', 'x'],
    ]);
  });

  it('knows who listens, until the last has gone', () => {
    const events = new Events<Map>();
    const off = events.on('second', () => undefined);
    expect([events.has('first'), events.has('second')]).toEqual([false, true]);
    off();
    expect(events.has('second')).toBe(false);
    events.emit('second', () => {
      throw new Error('made for nobody');
    });
  });
});
