// One subtable: that its hash spreads what addresses differ in, and that churn leaves nothing behind.
import { describe, expect, it } from 'vitest';
import { createFlowStore } from '../../src/classifier/flow-store.js';
import { addFlow, createSubtable, findFlow, hashKey, removeFlow } from '../../src/classifier/subtable.js';
import { KEY_WORDS } from '../../src/flow/fields.js';

const mask = new Int32Array(KEY_WORDS);
mask[8] = -1;
mask[9] = -1;

function keyOf(source: number, destination: number): Int32Array {
  const key = new Int32Array(KEY_WORDS);
  key[8] = source;
  key[9] = destination;
  return key;
}

function bitsSet(words: Int32Array): number {
  return words.reduce((sum, word) => {
    let count = 0;
    for (let rest = word; rest !== 0; rest &= rest - 1) count++;
    return sum + count;
  }, 0);
}

describe('a subtable', () => {
  it('gives pairs of hosts of two /24 networks different hashes', () => {
    const subtable = createSubtable(0, mask);
    const hashes = new Set<number>();
    // Read as little-endian words, the last octets are the top bytes.
    for (let source = 0; source < 256; source++) {
      for (let destination = 0; destination < 256; destination++) {
        hashes.add(hashKey(subtable, keyOf((source << 24) | 0x00020a, (destination << 24) | 0x01020a), 0));
      }
    }
    // 65,536 random words of 32 bits would have half a pair of equals; a sum without folding has 256 values.
    expect(hashes.size).toBeGreaterThan(65_000);
  });

  it('is as small and its filter as empty after churn as before, and shrinks when it empties', () => {
    const subtable = createSubtable(0, mask);
    const store = createFlowStore();
    const live: { key: Int32Array; flow: number }[] = [];
    const add = (id: number): void => {
      const key = keyOf(id, Math.imul(id, 0x9e3779b1));
      const flow = store.add(key, 0);
      live.push({ key, flow });
      addFlow(subtable, key, hashKey(subtable, key, 0), flow);
    };
    const removeFirst = (): void => {
      const { key, flow } = live.shift()!;
      removeFlow(subtable, hashKey(subtable, key, 0), flow);
      store.remove(flow);
    };
    for (let id = 0; id < 1000; id++) add(id);
    const length = subtable.table.length;
    expect(length).toBe(2 * 2048);
    for (let id = 1000; id < 50_000; id++) {
      removeFirst();
      add(id);
    }
    expect(subtable.table.length).toBe(length);
    expect(store.capacity).toBe(1024);
    // Two bits for each of 1000 flows and of those that were removed lately, a quarter of the table at most.
    expect(bitsSet(subtable.filter)).toBeLessThanOrEqual(2 * (1000 + length / 8 + 1));
    for (const { key, flow } of live) expect(findFlow(subtable, store, key, 0, hashKey(subtable, key, 0))).toBe(flow);
    while (live.length > 3) removeFirst();
    expect(subtable.table.length).toBeLessThan(length / 8);
    for (const { key, flow } of live) expect(findFlow(subtable, store, key, 0, hashKey(subtable, key, 0))).toBe(flow);
  });
});
