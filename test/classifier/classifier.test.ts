// Cache and tuple space together: the cache changes nothing but the counters, and no flow is answered after its removal.
import { describe, expect, it } from 'vitest';
import { createClassifier } from '../../src/classifier/classifier.js';
import { KEY_WORDS } from '../../src/flow/fields.js';
import { BURST } from '../../src/packet/pool.js';
import { createRandom } from './random.js';
import { hashRow, matchesRule, randomKey, randomMask, seed, type Rule } from './twin.js';

describe(`the classifier, seed ${seed}`, () => {
  it('finds with the cache what it finds without, while flows come and go and numbers are used again', () => {
    const random = createRandom(seed);
    // One mask for all at first, so that each key has one flow and the answers must be the same.
    const cached = createClassifier({ exactMatchEntries: 64, insertInverseProbability: 2 });
    const plain = createClassifier({ exactMatchEntries: 0 });
    const mask = randomMask(random).fill(-1, 0, 3);
    const pool = Array.from({ length: 200 }, () => randomKey(random));
    const keys = new Int32Array(BURST * KEY_WORDS);
    const hashes = new Int32Array(BURST);
    const answers = [new Int32Array(BURST), new Int32Array(BURST)];
    for (let round = 0; round < 3000; round++) {
      const key = pool[random.below(pool.length)];
      const known = cached.find(key, mask);
      expect(plain.find(key, mask)).toBe(known);
      if (known < 0) expect(plain.insert(key, mask)).toBe(cached.insert(key, mask));
      else if (random.below(2) === 0) for (const classifier of [cached, plain]) classifier.remove(known);
      for (let row = 0; row < BURST; row++) {
        keys.set(pool[random.below(pool.length)], row * KEY_WORDS);
        hashes[row] = hashRow(keys, row);
      }
      const left = cached.lookupBurst(keys, hashes, BURST, answers[0]);
      if (plain.lookupBurst(keys, hashes, BURST, answers[1]) !== left || `${answers[0]}` !== `${answers[1]}`) {
        throw new Error(`seed ${seed}, round ${round}: ${answers[0]} and ${answers[1]}`);
      }
      const missing = [...answers[0].keys()].filter((row) => answers[0][row] < 0);
      expect([...cached.misses.subarray(0, left)].sort((a, b) => a - b)).toEqual(missing);
      const row = random.below(BURST);
      const again = Int32Array.from({ length: BURST }, () => -5);
      expect(cached.lookupRow(keys, hashes, row, again)).toBe(answers[0][row] >= 0);
      expect(again[row]).toBe(answers[0][row]);
    }
    expect(cached.counters().exactMatchHits).toBeGreaterThan(1000);
    expect(plain.counters().exactMatchHits).toBe(0);
  });

  it('never answers a flow that does not match, with overlapping masks and a small cache', () => {
    const random = createRandom(seed + 1);
    const classifier = createClassifier({ exactMatchEntries: 64, insertInverseProbability: 1, seed: 5 });
    const rules = new Map<number, Rule>();
    const masks = Array.from({ length: 20 }, () => randomMask(random));
    const keys = new Int32Array(BURST * KEY_WORDS);
    const hashes = new Int32Array(BURST);
    const flows = new Int32Array(BURST);
    for (let round = 0; round < 2000; round++) {
      const rule = { key: randomKey(random), mask: masks[random.below(masks.length)] };
      const known = classifier.find(rule.key, rule.mask);
      if (known >= 0) {
        classifier.remove(known);
        rules.delete(known);
      } else {
        rules.set(classifier.insert(rule.key, rule.mask), rule);
      }
      for (let row = 0; row < BURST; row++) {
        randomKey(random, keys.subarray(row * KEY_WORDS, (row + 1) * KEY_WORDS));
        hashes[row] = hashRow(keys, row, 6);
      }
      classifier.lookupBurst(keys, hashes, BURST, flows);
      for (let row = 0; row < BURST; row++) {
        const rule = rules.get(flows[row]);
        if (flows[row] >= 0 && (rule === undefined || !matchesRule(rule, keys, row * KEY_WORDS))) {
          throw new Error(`seed ${seed}, round ${round}: flow ${flows[row]} for row ${row}`);
        }
      }
    }
    classifier.clear();
    expect(classifier.lookupBurst(keys, hashes, BURST, flows)).toBe(BURST);
  });

  it('counts where look-ups end', () => {
    const classifier = createClassifier({ insertInverseProbability: 1 });
    const keys = new Int32Array(2 * KEY_WORDS);
    keys[0] = 1;
    keys[KEY_WORDS] = 2;
    const hashes = Int32Array.of(3, 4);
    const flows = new Int32Array(2);
    const flow = classifier.insert(keys.subarray(0, KEY_WORDS), new Int32Array(KEY_WORDS).fill(-1));
    expect(classifier.lookupBurst(keys, hashes, 2, flows)).toBe(1);
    expect(classifier.misses[0]).toBe(1);
    expect(classifier.counters()).toEqual({ exactMatchHits: 0, tupleSpaceHits: 1, misses: 1 });
    expect(classifier.lookupBurst(keys, hashes, 2, flows)).toBe(1);
    expect(classifier.lookupRow(keys, hashes, 1, flows)).toBe(false);
    expect(classifier.lookupRow(keys, hashes, 0, flows)).toBe(true);
    expect([...flows]).toEqual([flow, -1]);
    expect(classifier.counters()).toEqual({ exactMatchHits: 2, tupleSpaceHits: 1, misses: 3 });
    expect(() => createClassifier({ exactMatchEntries: 1 })).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });
});
