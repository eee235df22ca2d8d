// The MAC learning table (lib/mac-learning.c): section 6 of the behaviour reference. Seconds are whole seconds of the clock.
import { beforeEach, describe, expect, it } from 'vitest';
import {
  DEFAULT_AGING_SECONDS,
  DEFAULT_MAC_TABLE_SIZE,
  MacTable,
  isMulticast,
  macEntryData,
  parseCount,
} from '../../src/switch/mac-table.js';
import { ManualClock } from '../../src/util/clock.js';

let clock: ManualClock;
let table: MacTable<string>;
const BASE = 0x0200_0000_0000;

beforeEach(() => {
  clock = new ManualClock(10_000);
  table = new MacTable(clock);
});

const learn = (number: number, port: string, vlan = 0): void => table.learn(BASE + number, vlan, port, false);
const found = (number: number, vlan = 0): string | undefined => table.lookup(BASE + number, vlan)?.port;
const list = (): string[] => [...table].map(({ mac, vlan, port }) => `${mac - BASE}@${vlan}=${port}`);
/** Whether the table says that it has changed, since it was last asked. */
function changed(): boolean {
  const answer = table.changed;
  table.changed = false;
  return answer;
}

describe('learning', () => {
  it('is by MAC and VLAN', () => {
    learn(1, 'a');
    learn(1, 'b', 10);
    learn(2, 'a', 10);
    expect([found(1), found(1, 10), found(2), found(2, 10), found(1, 11)]).toEqual([
      'a',
      'b',
      undefined,
      'a',
      undefined,
    ]);
    expect(table.count).toBe(3);
    expect(table.statistics).toEqual({ learned: 3, expired: 0, evicted: 0, moved: 0 });
  });

  it('tells MACs apart that have 32 bits in common', () => {
    const macs = [0, 1, 2].map((high) => BASE + high * 2 ** 32 + 5);
    for (const mac of macs) table.learn(mac, 0, `p${mac}`, false);
    expect(macs.map((mac) => table.lookup(mac, 0)?.port)).toEqual(macs.map((mac) => `p${mac}`));
    // Of a chain: the one in the midst, the first, and the last that is left.
    for (const [left, gone] of [
      [2, 1],
      [1, 2],
      [0, 0],
    ]) {
      table.removePort(`p${macs[gone]}`);
      expect(macs.filter((mac) => table.lookup(mac, 0) !== undefined)).toHaveLength(left);
      expect(table.lookup(macs[gone], 0)).toBeUndefined();
      expect(table.count).toBe(left);
    }
  });

  it('is not of group addresses', () => {
    expect([
      isMulticast(0x0100_0000_0000),
      isMulticast(0xffff_ffff_ffff),
      isMulticast(0x0200_0000_0000),
      isMulticast(0xfeff_ffff_ffff),
    ]).toEqual([true, true, false, false]);
    table.learn(0x0100_5e00_0001, 0, 'a', false);
    table.learn(0xffff_ffff_ffff, 0, 'a', true);
    expect(table.count).toBe(0);
    expect(changed()).toBe(false);
  });

  it('tells of what is new and of what moves, once', () => {
    const heard: string[] = [];
    table.onLearn = ({ mac, port }, moved) => heard.push(`${mac - BASE} ${port} ${moved}`);
    learn(1, 'a');
    expect(changed()).toBe(true);
    learn(1, 'a');
    clock.advance(5000);
    learn(1, 'a');
    expect(changed()).toBe(false);
    learn(1, 'b');
    expect(changed()).toBe(true);
    expect(heard).toEqual(['1 a false', '1 b true']);
    expect(table.statistics).toEqual({ learned: 1, expired: 0, evicted: 0, moved: 1 });
    expect(found(1)).toBe('b');
  });

  it('moves at once, in the same second too', () => {
    learn(1, 'a');
    learn(1, 'b');
    learn(1, 'a');
    expect(table.statistics.moved).toBe(2);
    expect(found(1)).toBe('a');
  });

  it('locks for gratuitous ARP, for five seconds', () => {
    table.learn(BASE + 1, 0, 'a', true);
    expect(table.lookup(BASE + 1, 0)?.lockedUntilMs).toBe(15_000);
    clock.advance(300);
    learn(1, 'a');
    expect(table.lookup(BASE + 1, 0)?.lockedUntilMs).toBe(15_000);
    table.learn(BASE + 1, 0, 'a', true);
    expect(table.lookup(BASE + 1, 0)?.lockedUntilMs).toBe(15_300);
  });

  it('brings an entry to the end of the list, once a second', () => {
    learn(1, 'a');
    learn(2, 'a');
    clock.advance(900);
    learn(1, 'a');
    expect(list()).toEqual(['1@0=a', '2@0=a']);
    clock.advance(100);
    learn(1, 'a');
    expect(list()).toEqual(['2@0=a', '1@0=a']);
  });
});

describe('ageing', () => {
  it('is 300 seconds, and goes by whole seconds', () => {
    expect([DEFAULT_AGING_SECONDS, table.agingSeconds]).toEqual([300, 300]);
    clock.advance(999);
    learn(1, 'a');
    // Learned in second 10, so it goes in second 310, 299 001 ms later.
    clock.advance(299_000);
    table.sweep();
    expect(table.count).toBe(1);
    expect(macEntryData(table, [...table][0])).toEqual({ mac: '02:00:00:00:00:01', vlan: 0, ageSeconds: 299 });
    changed();
    clock.advance(1);
    table.sweep();
    expect(table.count).toBe(0);
    expect(changed()).toBe(true);
    expect(table.statistics).toEqual({ learned: 1, expired: 1, evicted: 0, moved: 0 });
  });

  it('starts again with each frame', () => {
    learn(1, 'a');
    learn(2, 'a');
    clock.advance(200_000);
    learn(1, 'a');
    clock.advance(100_000);
    table.sweep();
    expect(list()).toEqual(['1@0=a']);
    expect(table.ageSeconds([...table][0])).toBe(100);
  });

  it('keeps an entry that is due until the table is swept', () => {
    learn(1, 'a');
    clock.advance(400_000);
    expect(found(1)).toBe('a');
    table.sweep();
    expect(found(1)).toBeUndefined();
  });

  it.each([
    [15, 15],
    [3600, 3600],
    [1, 15],
    [100_000, 3600],
  ])('of %i seconds is %i', (asked, seconds) => {
    table.agingSeconds = asked;
    expect(table.agingSeconds).toBe(seconds);
  });

  it('moves the end of what there is when it changes', () => {
    learn(1, 'a');
    table.addStatic(BASE + 9, 0, 'a');
    clock.advance(20_000);
    expect(table.ageSeconds([...table][0])).toBe(20);
    table.agingSeconds = 30;
    expect(table.ageSeconds([...table][0])).toBe(20);
    clock.advance(9_000);
    table.sweep();
    expect(table.count).toBe(2);
    clock.advance(1_000);
    table.sweep();
    expect(list()).toEqual(['9@0=a']);
  });
});

describe('the size', () => {
  it('is 8192, and from 10 to a million', () => {
    expect([DEFAULT_MAC_TABLE_SIZE, table.size]).toEqual([8192, 8192]);
    table.size = 3;
    expect(table.size).toBe(10);
    table.size = 2_000_000;
    expect(table.size).toBe(1_000_000);
  });

  it('takes the least recently used of the port that has most', () => {
    table.size = 10;
    for (let number = 0; number < 7; number++) learn(number, 'greedy');
    for (let number = 10; number < 13; number++) learn(number, 'modest');
    clock.advance(1000);
    // Entry 0 is used, so entry 1 is the oldest of the greedy port.
    learn(0, 'greedy');
    learn(20, 'other');
    expect(found(1)).toBeUndefined();
    expect([found(0), found(2), found(10), found(20)]).toEqual(['greedy', 'greedy', 'modest', 'other']);
    expect(table.count).toBe(10);
    expect(table.statistics).toEqual({ learned: 11, expired: 0, evicted: 1, moved: 0 });
  });

  it('lets no port push the others out', () => {
    table.size = 20;
    for (let number = 0; number < 5; number++) learn(number, 'modest');
    for (let number = 100; number < 1000; number++) learn(number, 'greedy');
    expect(list().filter((entry) => entry.endsWith('modest')).length).toBe(5);
    expect(table.count).toBe(20);
    expect(table.statistics.evicted).toBe(885);
  });

  it('sheds what is too much with the next sweep, as expired, the oldest first', () => {
    for (let number = 0; number < 30; number++) learn(number, 'a');
    table.size = 12;
    expect(table.count).toBe(30);
    table.sweep();
    expect(table.count).toBe(12);
    expect(list()[0]).toBe('18@0=a');
    expect(table.statistics.expired).toBe(18);
  });
});

describe('static entries', () => {
  it('neither age nor move nor are flushed', () => {
    expect(table.addStatic(BASE + 1, 0, 'a')).toBeUndefined();
    expect(changed()).toBe(true);
    learn(1, 'b');
    expect(found(1)).toBe('a');
    clock.advance(10_000_000);
    table.sweep();
    table.flush();
    expect(list()).toEqual(['1@0=a']);
    expect(macEntryData(table, [...table][0]).ageSeconds).toBe('static');
    expect(changed()).toBe(false);
    expect(table.statistics).toEqual({ learned: 0, expired: 0, evicted: 0, moved: 0 });
  });

  it('are made of learned ones, and say what was there', () => {
    learn(1, 'a');
    changed();
    expect(table.addStatic(BASE + 1, 0, 'b')).toEqual({ port: 'a', isStatic: false });
    expect(found(1)).toBe('b');
    expect(changed()).toBe(true);
    expect(table.addStatic(BASE + 1, 0, 'b')).toEqual({ port: 'b', isStatic: true });
    expect(changed()).toBe(false);
    expect(table.addStatic(BASE + 1, 0, 'c')).toEqual({ port: 'b', isStatic: true });
    expect(changed()).toBe(true);
  });

  it('are removed one by one, and learned ones are not', () => {
    learn(1, 'a');
    table.addStatic(BASE + 2, 5, 'a');
    changed();
    expect(table.removeStatic(BASE + 1, 0)).toBe(false);
    expect(table.removeStatic(BASE + 2, 0)).toBe(false);
    expect(changed()).toBe(false);
    expect(table.removeStatic(BASE + 2, 5)).toBe(true);
    expect(list()).toEqual(['1@0=a']);
    expect(changed()).toBe(true);
  });

  it('do not keep younger ones from ageing', () => {
    table.addStatic(BASE + 1, 0, 'a');
    learn(2, 'a');
    clock.advance(300_000);
    table.sweep();
    expect(list()).toEqual(['1@0=a']);
  });
});

describe('losing entries', () => {
  it('all that were learned, counted as neither expired nor evicted', () => {
    learn(1, 'a');
    learn(2, 'b', 7);
    changed();
    table.flush();
    expect(table.count).toBe(0);
    expect(changed()).toBe(true);
    expect(table.statistics).toEqual({ learned: 2, expired: 0, evicted: 0, moved: 0 });
    table.flush();
    expect(changed()).toBe(false);
  });

  it('those of a port that leaves, static ones too', () => {
    learn(1, 'a');
    learn(2, 'b');
    table.addStatic(BASE + 3, 0, 'a');
    changed();
    table.removePort('a');
    expect(list()).toEqual(['2@0=b']);
    expect(changed()).toBe(true);
    table.removePort('a');
    expect(changed()).toBe(false);
  });
});

describe('flood VLANs', () => {
  it('neither learn nor look up', () => {
    learn(1, 'a', 10);
    learn(1, 'a', 20);
    changed();
    table.floodVlans = new Set([10]);
    // Changing them forgets all.
    expect(table.count).toBe(0);
    expect(changed()).toBe(true);
    learn(1, 'a', 10);
    learn(1, 'a', 20);
    expect([found(1, 10), found(1, 20), table.count]).toEqual([undefined, 'a', 1]);
  });

  it('forget nothing when they stay what they are', () => {
    table.floodVlans = new Set([10, 11]);
    learn(1, 'a');
    changed();
    table.floodVlans = new Set([11, 10]);
    expect([table.count, changed()]).toEqual([1, false]);
  });

  it('hide static entries', () => {
    table.addStatic(BASE + 1, 10, 'a');
    table.floodVlans = new Set([10]);
    expect(found(1, 10)).toBeUndefined();
    table.floodVlans = new Set();
    expect(found(1, 10)).toBe('a');
  });
});

describe('numbers of other_config', () => {
  it('are whole numbers', () => {
    expect(parseCount('mac-table-size', '77', 5)).toBe(77);
    expect(parseCount('mac-table-size', undefined, 5)).toBe(5);
    for (const text of ['', 'many', '-1', '1.5', '0x10']) {
      expect(() => parseCount('mac-table-size', text, 5)).toThrow(expect.objectContaining({ code: 'bad-config' }));
    }
  });
});
