/**
 * The classifier: from the key of a packet to the number of the megaflow that it matches. An exact-match cache stands
 * before a tuple space; this file puts the two together and counts. What a megaflow does, and what it has seen, is not
 * its business (see datapath/).
 *
 *     keys, hashes ──▶ exact match ── misses ──▶ tuple space ── misses ──▶ upcalls
 *                           ▲                         │
 *                           └──── one in a hundred ───┘
 */
import { BURST } from '../packet/pool.js';
import { createExactMatchCache, type ExactMatchOptions } from './exact-match.js';
import { createTupleSpace, type TupleSpace } from './tuple-space.js';

export interface ClassifierOptions extends Omit<ExactMatchOptions, 'entries'> {
  /** Entries of the exact-match cache, a power of two from 64 to 65,536; 0: no cache. Default 8192. */
  exactMatchEntries?: number | undefined;
}

/** How many look-ups ended where, since the classifier was made. */
export interface ClassifierCounters {
  exactMatchHits: number;
  tupleSpaceHits: number;
  misses: number;
}

export interface Classifier extends Omit<TupleSpace, 'lookup'> {
  /**
   * Looks up the keys of rows 0 to `count - 1` (at most `BURST`); that of row `r` begins at `keys[r * KEY_WORDS]`, and
   * `hashes[r]` is a hash of it that depends on what mostly differs between packets. Writes a flow number or -1 to
   * `flows[r]`, and answers how many rows have -1; these stand in `misses`. Words of groups that a key's word 11 does not
   * name must be zero. Allocates nothing, save in the first call after a mask came or went.
   */
  lookupBurst(keys: Int32Array, hashes: Int32Array, count: number, flows: Int32Array): number;
  /** Looks up one row and writes to `flows[row]`. Answers whether it has a flow. */
  lookupRow(keys: Int32Array, hashes: Int32Array, row: number, flows: Int32Array): boolean;
  /** The rows without a flow of the last `lookupBurst`; the next look-up writes over them. */
  readonly misses: Int32Array;
  /** A copy of the counters. */
  counters(): ClassifierCounters;
}

/** An empty classifier. @throws MegaflowError `bad-option` */
export function createClassifier(options: ClassifierOptions = {}): Classifier {
  const { exactMatchEntries, ...rest } = options;
  const cache = exactMatchEntries === 0 ? undefined : createExactMatchCache({ ...rest, entries: exactMatchEntries });
  const space = createTupleSpace();
  const misses = new Int32Array(BURST);
  const tried = new Int32Array(BURST);
  const singleRow = new Int32Array(1);
  // Exact-match hits, tuple-space hits, misses. Cells, as a variable with a large number is allocated at each change.
  const counts = new Float64Array(3);

  function lookupBurst(keys: Int32Array, hashes: Int32Array, count: number, flows: Int32Array): number {
    let searched = count;
    if (cache !== undefined) searched = cache.lookup(keys, hashes, count, flows, misses);
    else for (let row = 0; row < count; row++) misses[row] = row;
    counts[0] += count - searched;
    if (searched === 0) return 0;
    for (let index = 0; index < searched; index++) tried[index] = misses[index];
    const left = space.lookup(keys, misses, searched, flows);
    counts[1] += searched - left;
    counts[2] += left;
    if (cache !== undefined) {
      for (let index = 0; index < searched; index++) {
        const row = tried[index];
        if (flows[row] >= 0) cache.maybeInsert(keys, row, hashes[row], flows[row]);
      }
    }
    return left;
  }

  function lookupRow(keys: Int32Array, hashes: Int32Array, row: number, flows: Int32Array): boolean {
    if (cache?.lookupRow(keys, hashes, row, flows)) {
      counts[0]++;
      return true;
    }
    singleRow[0] = row;
    const isFound = space.lookup(keys, singleRow, 1, flows) === 0;
    counts[isFound ? 1 : 2]++;
    if (isFound) cache?.maybeInsert(keys, row, hashes[row], flows[row]);
    return isFound;
  }

  return {
    get size() {
      return space.size;
    },
    get subtables() {
      return space.subtables;
    },
    get flowCapacity() {
      return space.flowCapacity;
    },
    insert: space.insert,
    find: space.find,
    remove(flow) {
      space.remove(flow);
      cache?.forget(flow);
    },
    clear() {
      space.clear();
      cache?.clear();
    },
    has: space.has,
    forEach: space.forEach,
    keyOf: space.keyOf,
    maskOf: space.maskOf,
    sort: space.sort,
    lookupBurst,
    lookupRow,
    misses,
    counters: () => ({ exactMatchHits: counts[0], tupleSpaceHits: counts[1], misses: counts[2] }),
  };
}
