// Tuple-space search against a linear search over the same rules, and what it promises of flow numbers, keys and masks.
import { describe, expect, it } from 'vitest';
import { createTupleSpace, type TupleSpace } from '../../src/classifier/tuple-space.js';
import { GROUPS_WORD, KEY_WORDS, sealKey, setBytes, setExact, setField } from '../../src/flow/fields.js';
import { createSubtable, FACTORS, hashKey } from '../../src/classifier/subtable.js';
import { createKeyRows } from '../../src/flow/key-rows.js';
import { BURST } from '../../src/packet/pool.js';
import { createRandom } from './random.js';
import { matchesRule, randomKey, randomMask, seed, type Rule } from './twin.js';

const keyWith = (words: Record<number, number>): Int32Array => {
  const key = new Int32Array(KEY_WORDS);
  for (const [word, value] of Object.entries(words)) key[Number(word)] = value;
  sealKey(key);
  return key;
};

/** What all spaces here look up keys in. */
const keyRows = createKeyRows();
const { keys, flows } = keyRows;

/** Looks up one key. */
function lookupOne(space: TupleSpace, key: Int32Array): number {
  keys.set(key.subarray(0, KEY_WORDS));
  flows[0] = 77;
  const left = space.lookup(Int32Array.of(0), 1);
  expect(left).toBe(flows[0] < 0 ? 1 : 0);
  return flows[0];
}

/** Looks up keys in bursts of `BURST` and hands each with its answer to `check`. */
function lookupAll(
  space: TupleSpace,
  count: number,
  next: (into: Int32Array) => void,
  check: (key: Int32Array, flow: number) => void,
): void {
  const rows = new Int32Array(BURST);
  for (let done = 0; done < count; done += BURST) {
    // In a scrambled order, so that rows and positions differ.
    for (let row = 0; row < BURST; row++) {
      rows[row] = (row * 5 + done) % BURST;
      next(keys.subarray(row * KEY_WORDS, (row + 1) * KEY_WORDS));
    }
    const left = space.lookup(rows, BURST);
    const missing = [...rows.keys()].filter((row) => flows[row] < 0);
    if (left !== missing.length || missing.some((row) => rows.indexOf(row) >= left)) {
      throw new Error(`rows without a flow: ${missing}; answered: ${left} of ${rows}`);
    }
    for (let row = 0; row < BURST; row++) check(keys.subarray(row * KEY_WORDS, (row + 1) * KEY_WORDS), flows[row]);
  }
}

/** The twin: rules by flow number, and by mask and masked key, so that "any that matches" is found in linear time. */
class Twin {
  readonly rules = new Map<number, Rule>();

  matches(keys: Int32Array): boolean {
    for (const rule of this.rules.values()) if (matchesRule(rule, keys)) return true;
    return false;
  }

  check(key: Int32Array, flow: number): void {
    if (flow >= 0) {
      const rule = this.rules.get(flow);
      if (rule === undefined || !matchesRule(rule, key))
        throw new Error(`seed ${seed}: flow ${flow} does not match [${key}]`);
    } else if (this.matches(key)) {
      throw new Error(`seed ${seed}: no flow was found for [${key}]`);
    }
  }
}

/** Installs a rule in both unless it is there; the number of the flow, or -1. */
function insertBoth(space: TupleSpace, twin: Twin, rule: Rule): number {
  if (space.find(rule.key, rule.mask) >= 0) return -1;
  const flow = space.insert(rule.key, rule.mask);
  if (twin.rules.has(flow)) throw new Error(`seed ${seed}: flow number ${flow} was given twice`);
  twin.rules.set(flow, rule);
  return flow;
}

describe(`a tuple space beside a linear search, seed ${seed}`, () => {
  it('agrees on 100,000 look-ups among 10,000 rules that come and go', () => {
    const random = createRandom(seed);
    const space = createTupleSpace(keyRows);
    const twin = new Twin();
    const masks = Array.from({ length: 120 }, () => randomMask(random));
    const rule = (): Rule => ({ key: randomKey(random), mask: masks[random.below(masks.length)] });
    for (let tries = 0; twin.rules.size < 10_000 && tries < 200_000; tries++) insertBoth(space, twin, rule());
    expect(twin.rules.size).toBe(10_000);
    expect(space.subtables).toBeGreaterThan(64);
    let found = 0;
    for (let round = 0; round < 20; round++) {
      lookupAll(
        space,
        5_024,
        (into) => randomKey(random, into),
        (key, flow) => {
          twin.check(key, flow);
          if (flow >= 0) found++;
        },
      );
      const numbers = [...twin.rules.keys()];
      for (let index = 0; index < 1000; index++) {
        const [flow] = numbers.splice(random.below(numbers.length), 1);
        space.remove(flow);
        twin.rules.delete(flow);
      }
      for (let tries = 0; twin.rules.size < 10_000 && tries < 200_000; tries++) insertBoth(space, twin, rule());
      expect(space.size).toBe(twin.rules.size);
      if (round % 3 === 0) space.sort();
    }
    expect(found).toBeGreaterThan(1000);
  });

  it('agrees where few keys match: small tables, one subtable to more than three ranks of them', () => {
    const random = createRandom(seed + 1);
    for (const maskCount of [1, 2, 3, 5, 31, 32, 33, 64, 65, 100]) {
      const space = createTupleSpace(keyRows);
      const twin = new Twin();
      const masks = Array.from({ length: maskCount }, (_, index) => {
        const mask = randomMask(random);
        mask[8] = index; // All differ.
        mask[9] = -1;
        return mask;
      });
      for (let index = 0; index < maskCount * 3; index++) {
        insertBoth(space, twin, { key: randomKey(random), mask: masks[index % maskCount] });
      }
      expect(space.subtables).toBe(maskCount);
      const rules = [...twin.rules.values()];
      lookupAll(
        space,
        640,
        (into) => {
          randomKey(random, into);
          // Half of the keys are a rule's with noise where its mask does not look.
          if (random.below(2) === 0) {
            const { key, mask } = rules[random.below(rules.length)];
            for (let word = 0; word < KEY_WORDS; word++)
              into[word] = (key[word] & mask[word]) | (into[word] & ~mask[word]);
            sealKey(into);
          }
        },
        (key, flow) => twin.check(key, flow),
      );
    }
  });

  it('agrees where masks differ in one word or in two, with flows added to tables that have been searched', () => {
    const random = createRandom(seed + 4);
    for (const words of [[9], [7, 9], [7, 8, 9]]) {
      const space = createTupleSpace(keyRows);
      const twin = new Twin();
      const masks = Array.from({ length: 24 }, (_, index) => {
        const mask = keyWith({ 0: -1, 2: -1, 5: -1 });
        for (const word of words) mask[word] = -1 << (index * word) % 24;
        mask[9] = -1 << index;
        return mask;
      });
      const key = (into: Int32Array): void => {
        randomKey(random, into);
        for (const word of [0, 2, 5]) into[word] = 1;
        for (const word of [7, 8, 9]) into[word] = random.word() & 0x30300030;
        sealKey(into);
      };
      for (let round = 0; round < 4; round++) {
        for (const mask of masks) {
          const rule = { key: new Int32Array(KEY_WORDS), mask };
          key(rule.key);
          insertBoth(space, twin, rule);
        }
        lookupAll(space, 6400, key, (its, flow) => twin.check(its, flow));
      }
      // Each flow's own key is found, whatever lies in the other subtables.
      const rules = [...twin.rules.values()];
      let next = 0;
      lookupAll(
        space,
        rules.length,
        (into) => into.set(rules[next++ % rules.length].key),
        (its, flow) => twin.check(its, flow),
      );
    }
  });

  it('compares keys when hashes are the same', () => {
    // The hash is a sum over words of the folded value times an odd factor, and folding twice is nothing.
    const fold = (value: number): number => value ^ (value >>> 16);
    const inverse = (factor: number): number => {
      let result = factor;
      for (let step = 0; step < 5; step++) result = Math.imul(result, 2 - Math.imul(factor, result));
      return result;
    };
    for (const [one, other] of [
      [8, 9],
      [8, 13],
      [30, 33],
      [9, 34],
    ]) {
      const mask = keyWith({ [one]: -1, [other]: -1 });
      // Two keys: (5, x) and (6, y) with y such that the sums are the same.
      const keyOf = (value: number, sum: number): Int32Array =>
        keyWith({
          [one]: value,
          [other]: fold(Math.imul(sum - Math.imul(fold(value), FACTORS[one]), inverse(FACTORS[other]))),
        });
      const [first, second, third] = [5, 6, 7].map((value) => keyOf(value, 0x12345678));
      const subtable = createSubtable(0, mask);
      expect(hashKey(subtable, first, 0)).toBe(0x12345678);
      expect(hashKey(subtable, second, 0)).toBe(0x12345678);
      const space = createTupleSpace(keyRows);
      const flow = space.insert(first, mask);
      expect(lookupOne(space, second)).toBe(-1);
      const later = space.insert(second, mask);
      expect([first, second, third].map((key) => lookupOne(space, key))).toEqual([flow, later, -1]);
      space.remove(flow);
      expect([first, second, third].map((key) => lookupOne(space, key))).toEqual([-1, later, -1]);
      // Another subtable has what fits.
      const fallback = space.insert(third, new Int32Array(KEY_WORDS));
      expect([first, third].map((key) => lookupOne(space, key))).toEqual([fallback, fallback]);
    }
  });

  it('agrees while one flow serves many packets, which it is asked for first', () => {
    const random = createRandom(seed + 2);
    const space = createTupleSpace(keyRows);
    const twin = new Twin();
    const mask = keyWith({ 0: -1, 2: -1, 14: -1 });
    const inPort = [1, 2, 3];
    const rules = inPort.map((port) => ({ key: keyWith({ 0: port, 2: 7, 14: 5, 8: 99 }), mask }));
    const flows = rules.map((rule) => insertBoth(space, twin, rule));
    for (let round = 0; round < 200; round++) {
      const mostly = random.below(3);
      lookupAll(
        space,
        BURST,
        (into) => {
          const port = 1 + (random.below(8) === 0 ? random.below(3) : mostly);
          into.set(keyWith({ 0: port, 2: random.below(16) === 0 ? 8 : 7, 14: 5, 7: random.word() }));
        },
        (key, flow) => twin.check(key, flow),
      );
      // The flow that was asked for first goes, and its number is given to another.
      if (round % 10 === 9) {
        for (const flow of flows.splice(0)) {
          space.remove(flow);
          twin.rules.delete(flow);
        }
        lookupAll(
          space,
          BURST,
          (into) => into.set(rules[mostly].key),
          (key, flow) => twin.check(key, flow),
        );
        rules.reverse();
        flows.push(...rules.map((rule) => insertBoth(space, twin, rule)));
      }
    }
  });
});

describe('insert, find and remove', () => {
  const mask = keyWith({ 0: -1, 8: 0x00ffffff });

  it('refuse a second flow with the same mask and masked key', () => {
    const space = createTupleSpace(keyRows);
    const flow = space.insert(keyWith({ 0: 1, 8: 0x01020304 }), mask);
    const same = keyWith({ 0: 1, 8: 0x7f020304 });
    expect(space.find(same, mask)).toBe(flow);
    expect(() => space.insert(same, mask)).toThrow(expect.objectContaining({ code: 'already-exists', value: flow }));
    expect(space.size).toBe(1);
    expect(space.insert(keyWith({ 0: 2, 8: 0x01020304 }), mask)).not.toBe(flow);
    // The same key under another mask is another flow.
    expect(space.find(same, keyWith({ 0: -1 }))).toBe(-1);
    space.insert(same, keyWith({ 0: -1 }));
    expect([space.size, space.subtables]).toEqual([3, 2]);
  });

  it('keep the key as installed, and a mask of their own', () => {
    const space = createTupleSpace(keyRows);
    const wide = keyWith({ 0: 1, 5: 0xdd86, 30: 0x20010db8, 37: -1, 48: 5, 83: 9 });
    const wideMask = keyWith({ 0: -1, 5: 0xffff, 30: -1 });
    const narrow = keyWith({ 0: 1, 8: 0x01020304, 10: 77, 12: 3, 15: 4 });
    const given = mask.slice();
    const flows = [space.insert(wide, wideMask), space.insert(narrow, given), space.insert(wide, mask)];
    given.fill(-1);
    const key = new Int32Array(KEY_WORDS);
    for (const [index, installed] of [wide, narrow, wide].entries()) {
      space.keyOf(flows[index], key);
      expect(key).toEqual(installed);
    }
    const withoutGroups = wideMask.slice();
    withoutGroups[GROUPS_WORD] = 0;
    expect(space.maskOf(flows[0])).toEqual(withoutGroups);
    expect(space.maskOf(flows[1])).toEqual(mask);
    expect(space.maskOf(flows[2])).toBe(space.maskOf(flows[1]));
  });

  it('do not match on word 11', () => {
    const space = createTupleSpace(keyRows);
    const everything = new Int32Array(KEY_WORDS).fill(-1);
    const flow = space.insert(keyWith({ 0: 1 }), everything);
    const other = keyWith({ 0: 1 });
    other[GROUPS_WORD] = 128;
    expect(lookupOne(space, other)).toBe(flow);
    expect(space.find(other, everything)).toBe(flow);
  });

  it('forget what was removed, and use its number again', () => {
    const space = createTupleSpace(keyRows);
    const keys = [1, 2, 3].map((port) => keyWith({ 0: port }));
    const flows = keys.map((key) => space.insert(key, mask));
    space.remove(flows[1]);
    expect(lookupOne(space, keys[1])).toBe(-1);
    expect(space.find(keys[1], mask)).toBe(-1);
    expect(space.has(flows[1])).toBe(false);
    const uses = [
      () => space.remove(flows[1]),
      () => space.maskOf(flows[1]),
      () => space.keyOf(99, keys[0]),
      () => space.remove(-1),
      () => space.remove(0.5),
    ];
    for (const use of uses) {
      expect(use).toThrow(expect.objectContaining({ code: 'not-found' }));
    }
    expect(space.insert(keyWith({ 0: 4 }), mask)).toBe(flows[1]);
    const visited: number[] = [];
    space.forEach((flow) => visited.push(flow));
    expect(visited).toEqual([...flows].sort((a, b) => a - b));
    for (const flow of flows) space.remove(flow);
    expect([space.size, space.subtables]).toEqual([0, 0]);
    expect(lookupOne(space, keys[0])).toBe(-1);
  });

  it('leave nothing after clear', () => {
    const space = createTupleSpace(keyRows);
    for (let port = 0; port < 1000; port++)
      space.insert(keyWith({ 0: port, 40: port + 1 }), keyWith({ 0: -1, 40: -1 }));
    expect(lookupOne(space, keyWith({ 0: 5, 40: 6 }))).toBeGreaterThanOrEqual(0);
    space.clear();
    expect([space.size, space.subtables, space.flowCapacity]).toEqual([0, 0, 256]);
    expect(lookupOne(space, keyWith({ 0: 5, 40: 6 }))).toBe(-1);
    expect(space.insert(keyWith({ 0: 5 }), mask)).toBe(0);
    expect(lookupOne(space, keyWith({ 0: 5, 40: 6 }))).toBe(0);
  });

  it('take a mask of no bits, which every packet matches', () => {
    const space = createTupleSpace(keyRows);
    const nothing = new Int32Array(KEY_WORDS);
    const flow = space.insert(keyWith({ 0: 9 }), nothing);
    expect(space.find(keyWith({ 0: 3, 62: 1 }), nothing)).toBe(flow);
    expect(lookupOne(space, keyWith({ 0: 3, 30: 8 }))).toBe(flow);
    space.insert(keyWith({ 0: 5 }), mask);
    expect(lookupOne(space, keyWith({ 0: 4 }))).toBe(flow);
    space.remove(flow);
    expect(lookupOne(space, keyWith({ 0: 4 }))).toBe(-1);
  });

  it('tell a wide key from one that is zero there, and match on zeros', () => {
    const space = createTupleSpace(keyRows);
    const address = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    const key = new Int32Array(KEY_WORDS);
    setField(key, 'ethType', 0x86dd);
    setBytes(key, 'ipv6Src', address);
    sealKey(key);
    const ipv6 = new Int32Array(KEY_WORDS);
    setExact(ipv6, 'ethType');
    setExact(ipv6, 'ipv6Src');
    const conntrack = new Int32Array(KEY_WORDS);
    setExact(conntrack, 'ctState');
    const untracked = space.insert(new Int32Array(KEY_WORDS), conntrack);
    const flow = space.insert(key, ipv6);
    expect(lookupOne(space, keyWith({ 62: 1, 5: key[5] }))).toBe(-1);
    expect(lookupOne(space, keyWith({ 0: 1 }))).toBe(untracked);
    const tracked = key.slice();
    tracked[62] = 33;
    sealKey(tracked);
    expect(lookupOne(space, tracked)).toBe(flow);
    // A second flow of the subtable wants no bits there, so that packets without the group can match from now on.
    space.remove(untracked);
    const unspecified = keyWith({ 5: key[5] });
    expect(lookupOne(space, unspecified)).toBe(-1);
    space.insert(keyWith({ 0: 77 }), mask);
    expect(lookupOne(space, unspecified)).toBe(-1);
    const zero = space.insert(unspecified, ipv6);
    expect(lookupOne(space, unspecified)).toBe(zero);
    expect(lookupOne(space, tracked)).toBe(flow);
  });
});

describe(`growth, seed ${seed}`, () => {
  it('to 200,000 flows and back keeps every flow, its key and its number', () => {
    const random = createRandom(seed + 3);
    const space = createTupleSpace(keyRows);
    const mask = keyWith({ 0: -1, 8: -1, 9: -1 });
    const count = 200_000;
    // Addresses whose last octets vary, in the top bytes of their words: the hash must not be their sum alone.
    const keyOf = (index: number): Int32Array =>
      keyWith({
        0: 1,
        8: ((index & 255) << 24) | 0x10a,
        9: (((index >>> 8) & 255) << 24) | ((index >>> 16) << 16) | 0x20a,
      });
    for (let index = 0; index < count; index++)
      if (space.insert(keyOf(index), mask) !== index) throw new Error(`${index}`);
    expect(space.size).toBe(count);
    expect(space.flowCapacity).toBeGreaterThanOrEqual(count);
    const sample = (check: (index: number, flow: number) => void): void => {
      lookupAll(
        space,
        20_000,
        (into) => into.set(keyOf(random.below(count))),
        (key, flow) => {
          const index = (key[8] >>> 24) | ((key[9] >>> 24) << 8) | (((key[9] >>> 16) & 255) << 16);
          check(index, flow);
        },
      );
    };
    sample((index, flow) => {
      if (flow !== index) throw new Error(`seed ${seed}: flow ${flow} for ${index}`);
    });
    for (let index = 0; index < count; index++) if (index % 16 !== 0) space.remove(index);
    sample((index, flow) => {
      if (flow !== (index % 16 === 0 ? index : -1)) throw new Error(`seed ${seed}: flow ${flow} for ${index}`);
    });
    expect(space.size).toBe(count / 16);
    const capacity = space.flowCapacity;
    for (let index = 0; index < count; index++) if (index % 16 !== 0) space.insert(keyOf(index), mask);
    expect(space.flowCapacity).toBe(capacity);
    expect(space.size).toBe(count);
  });
});
