// The tunnel neighbour table (lib/tnl-neigh-cache.c): what is known of whom, for how long, and when flows hear of it.
import { beforeEach, describe, expect, it } from 'vitest';
import { NEIGHBOUR_AGE_MS, NeighbourTable, neighbourData } from '../../src/tunnel/neighbours.js';
import { parseIp } from '../../src/util/address.js';
import { ManualClock } from '../../src/util/clock.js';

const A = parseIp('10.10.10.2');
const B = parseIp('10.10.10.3');
const MAC = 0xaa55_aa55_0001;
const OTHER = 0xaa55_aa55_0002;

let clock: ManualClock;
let table: NeighbourTable;

beforeEach(() => {
  clock = new ManualClock(5000);
  table = new NeighbourTable(clock);
});

describe('an entry', () => {
  it('is known by bridge and address', () => {
    table.set('br1', A, MAC);
    expect(table.lookup('br1', A)).toBe(MAC);
    expect(table.lookup('br1', B)).toBe(-1);
    expect(table.lookup('br2', A)).toBe(-1);
    table.set('br2', A, OTHER);
    expect(table.lookup('br1', A)).toBe(MAC);
    expect(table.lookup('br2', A)).toBe(OTHER);
  });

  it('tells IPv4 from IPv6, and does not hold on to what was given', () => {
    const ip = parseIp('fd00::2');
    table.set('br1', ip, MAC);
    ip[15] = 3;
    expect(table.lookup('br1', parseIp('fd00::2'))).toBe(MAC);
    expect(table.lookup('br1', parseIp('fd00::3'))).toBe(-1);
    expect([...table].map(neighbourData)).toEqual([{ bridge: 'br1', ip: 'fd00::2', mac: 'aa:55:aa:55:00:01' }]);
  });

  it('lives for 15 minutes', () => {
    expect(NEIGHBOUR_AGE_MS).toBe(900_000);
    table.set('br1', A, MAC);
    expect(table.entries()[0].expiresMs).toBe(905_000);
    clock.advance(899_999);
    table.sweep();
    expect(table.entries().length).toBe(1);
    clock.advance(1);
    // Gone for those who ask even before it is swept.
    expect(table.lookup('br1', A)).toBe(-1);
    expect(table.entries().length).toBe(1);
    table.sweep();
    expect(table.entries()).toEqual([]);
  });

  it('is young again when it is looked up', () => {
    table.set('br1', A, MAC);
    clock.advance(800_000);
    table.lookup('br1', A);
    clock.advance(899_999);
    expect(table.lookup('br1', A)).toBe(MAC);
  });

  it('is young again when it is set to what it is', () => {
    table.set('br1', A, MAC);
    clock.advance(800_000);
    table.set('br1', A, MAC);
    clock.advance(899_999);
    table.sweep();
    expect(table.entries().length).toBe(1);
  });

  it('moves to the end with another MAC', () => {
    table.set('br1', A, MAC);
    table.set('br1', B, MAC);
    table.set('br1', A, MAC);
    expect(table.entries().map(({ ip }) => ip[3])).toEqual([2, 3]);
    table.set('br1', A, OTHER);
    expect(table.entries().map(({ ip }) => ip[3])).toEqual([3, 2]);
  });
});

describe('the sequence', () => {
  it('changes with what flows must hear of, and with nothing else', () => {
    const changes: [string, boolean][] = [];
    const step = (what: string, action: () => void): void => {
      const before = table.sequence;
      action();
      changes.push([what, table.sequence !== before]);
    };
    step('new', () => table.set('br1', A, MAC));
    step('the same again', () => table.set('br1', A, MAC));
    step('looked up', () => void table.lookup('br1', A));
    step('looked up in vain', () => void table.lookup('br1', B));
    step('another MAC', () => table.set('br1', A, OTHER));
    step('swept in vain', () => table.sweep());
    clock.advance(NEIGHBOUR_AGE_MS);
    step('aged', () => table.sweep());
    step('flushed when empty', () => table.flush());
    table.set('br1', A, MAC);
    step('flushed', () => table.flush());
    step('new again', () => table.set('br1', A, MAC));
    expect(changes).toEqual([
      ['new', true],
      ['the same again', false],
      ['looked up', false],
      ['looked up in vain', false],
      ['another MAC', true],
      ['swept in vain', false],
      ['aged', true],
      ['flushed when empty', false],
      ['flushed', true],
      ['new again', true],
    ]);
  });

  it('goes with an event for each entry that is new or has another MAC', () => {
    const heard: string[] = [];
    table.onChange = (neighbour) => heard.push(neighbourData(neighbour).mac);
    table.set('br1', A, MAC);
    table.set('br1', A, MAC);
    table.set('br1', A, OTHER);
    table.flush();
    expect(heard).toEqual(['aa:55:aa:55:00:01', 'aa:55:aa:55:00:02']);
  });
});

describe('the age', () => {
  it('shortens what there is, and never lengthens it', () => {
    table.set('br1', A, MAC);
    table.ageMs = 10_000;
    expect(table.entries()[0].expiresMs).toBe(15_000);
    table.ageMs = 60_000;
    expect(table.entries()[0].expiresMs).toBe(15_000);
    table.set('br1', B, MAC);
    expect(table.entries()[1].expiresMs).toBe(65_000);
    expect(table.ageMs).toBe(60_000);
  });

  it.each([0, 999, 3_600_001, NaN, -1])('cannot be %d ms', (ageMs) => {
    table.set('br1', A, MAC);
    expect(() => {
      table.ageMs = ageMs;
    }).toThrow(expect.objectContaining({ code: 'out-of-range' }));
    expect(table.ageMs).toBe(NEIGHBOUR_AGE_MS);
    expect(table.entries()[0].expiresMs).toBe(905_000);
  });

  it.each([1000, 3_600_000])('can be %d ms', (ageMs) => {
    table.ageMs = ageMs;
    expect(table.ageMs).toBe(ageMs);
  });
});
