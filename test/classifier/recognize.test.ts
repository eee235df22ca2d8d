// Extraction and the exact-match cache together: what is known is recognised, with the very hash, and nothing else is.
import { describe, expect, it } from 'vitest';
import { createExactMatchCache } from '../../src/classifier/exact-match.js';
import { createExtractor } from '../../src/flow/extract.js';
import { GROUPS_WORD, Group, KEY_WORDS } from '../../src/flow/fields.js';
import { tupleHashOf } from '../../src/flow/hash-key.js';
import { createKeyRows } from '../../src/flow/key-rows.js';
import { BURST, PacketPool } from '../../src/packet/pool.js';
import { writeTunnel } from '../../src/packet/tunnel.js';
import { randomFrame } from '../flow/random-frame.js';
import { createRandom } from './random.js';
import { seed } from './twin.js';

describe(`recognising packets, seed ${seed}`, () => {
  it('answers what the cache answers for the whole key, and sets the hash that extraction would', () => {
    const random = createRandom(seed);
    const pool = new PacketPool({ slots: 64 });
    const rows = createKeyRows();
    const cache = createExactMatchCache({ entries: 64 });
    const { recognize, extract, hashUnknown } = createExtractor(pool, rows, cache.known);
    const frames = Array.from({ length: 150 }, () => randomFrame((below) => random.below(below)));
    const burst = new Int32Array(BURST);
    const unknown = new Int32Array(BURST);
    let recognized = 0;
    for (let round = 0; round < 1500; round++) {
      const count = 1 + random.below(BURST);
      const first = BURST * random.below(7);
      for (let index = 0; index < count; index++) {
        const packet = pool.allocateCopy(frames[random.below(frames.length)]);
        pool.inPort[packet] = random.below(2);
        pool.recircId[packet] = random.below(8) === 0 ? 1 : 0;
        if (random.below(3) === 0) writeTunnel(pool, packet, { source: '1.2.3.4', id: random.below(2) });
        burst[index] = packet;
      }
      const given = Array.from({ length: count }, () => (random.below(8) === 0 ? 77 : 0));
      const setHashes = (): void => given.forEach((hash, index) => (pool.hash[burst[index]] = hash));

      // What is to come out: the cache asked with the key that is written when nothing is asked.
      setHashes();
      extract(burst, count, first);
      const isNarrow = (row: number): boolean => (rows.keys[row * KEY_WORDS + GROUPS_WORD] & ~Group.tunnel) === 0;
      const wanted = given.map((_, index) =>
        isNarrow(first + index) ? cache.lookup(rows.keys, first + index, rows.hashes[first + index]) : -1,
      );
      const hashes = given.map((_, index) => pool.hash[burst[index]]);
      const flags = [...rows.tcpFlags.subarray(first, first + count)];

      setHashes();
      const left = recognize(burst, count, first, unknown);
      const found = [...rows.flows.subarray(first, first + count)];
      expect(found).toEqual(wanted);
      expect([...unknown.subarray(0, left)]).toEqual(found.flatMap((flow, index) => (flow < 0 ? [first + index] : [])));
      hashUnknown(burst, count, first);
      expect(given.map((_, index) => pool.hash[burst[index]])).toEqual(hashes);
      expect([...rows.tcpFlags.subarray(first, first + count)]).toEqual(flags);
      recognized += count - left;

      for (const row of unknown.subarray(0, left)) {
        // Only packets without a hash of their own teach the cache, as its answer must be right for both kinds.
        const tupleHash = tupleHashOf(rows, row);
        if (tupleHash !== 0 && random.below(4) === 0) {
          cache.insert(rows.keys, row, rows.hashes[row], random.below(50), tupleHash);
        }
      }
      if (random.below(10) === 0) cache.forget(random.below(50));
      pool.releaseBurst(burst, count);
    }
    expect(recognized).toBeGreaterThan(1000);
    expect(cache.known.hits[0]).toBe(recognized);
  });

  it('asks the tuple space about a packet without a hash where only one with a hash of its own is known', () => {
    const pool = new PacketPool({ slots: 64 });
    const rows = createKeyRows();
    const cache = createExactMatchCache();
    const { recognize } = createExtractor(pool, rows, cache.known);
    const packet = pool.allocateCopy(new Uint8Array(60));
    const unknown = new Int32Array(BURST);
    pool.hash[packet] = 77;
    expect(recognize(Int32Array.of(packet), 1, 0, unknown)).toBe(1);
    expect(tupleHashOf(rows, 0)).toBe(0);
    cache.insert(rows.keys, 0, rows.hashes[0], 5, 0);
    expect(recognize(Int32Array.of(packet), 1, 0, unknown)).toBe(0);
    expect([rows.flows[0], pool.hash[packet]]).toEqual([5, 77]);
    pool.hash[packet] = 0;
    expect(recognize(Int32Array.of(packet), 1, 0, unknown)).toBe(1);
    expect(pool.hash[packet]).not.toBe(0);
  });
});
