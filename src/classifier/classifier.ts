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
import { createKnownKeys, type KeyRows, type KnownKeys } from '../flow/key-rows.js';
import { tupleHashOf } from '../flow/hash-key.js';
import { Group, GROUPS_WORD, KEY_WORDS } from '../flow/fields.js';
import { createExactMatchCache, type ExactMatchCache, type ExactMatchOptions } from './exact-match.js';
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
  /** The keys that need no look-up: extraction asks this memory first. */
  readonly known: KnownKeys;
  /**
   * Looks up the keys of the first `count` (at most `BURST`) rows that stand in `list`; their hashes depend on what mostly
   * differs between packets. Writes a flow number or -1 beside each row, moves the rows that have -1 to the front of `list`,
   * and answers how many these are. Words of groups that a key's word 11 does not name must be zero. Allocates nothing, save
   * in the first call after a mask came or went.
   */
  lookup(list: Int32Array, count: number): number;
  /** A copy of the counters. */
  counters(): ClassifierCounters;
}

/** An empty classifier for the keys of `rows`. @throws MegaflowError `bad-option` */
export function createClassifier(rows: KeyRows, options: ClassifierOptions = {}): Classifier {
  const { exactMatchEntries, ...rest } = options;
  const cache = exactMatchEntries === 0 ? undefined : createExactMatchCache({ ...rest, entries: exactMatchEntries });
  const space = createTupleSpace(rows);
  const { keys, hashes, flows } = rows;
  const keyGroups = rows.columns[GROUPS_WORD];
  const known = cache?.known ?? createKnownKeys(1);
  /** The rows that are looked for in the tuple space. */
  const tried = new Int32Array(BURST);
  // Hits of wide entries, tuple-space hits, misses. Cells, as a variable with a large number is allocated at each change.
  const counts = new Float64Array(3);

  function lookup(list: Int32Array, count: number): number {
    let groups = 0;
    for (let index = 0; index < count; index++) {
      const row = list[index];
      tried[index] = row;
      groups |= keyGroups[row * KEY_WORDS];
    }
    const searched = cache === undefined || groups <= Group.tunnel ? count : lookupWide(cache, list, count);
    counts[0] += count - searched;
    if (searched === 0) return 0;
    const left = space.lookup(list, searched);
    counts[1] += searched - left;
    counts[2] += left;
    if (cache !== undefined && !cache.passOver(searched - left)) {
      for (let index = 0; index < searched; index++) {
        const row = tried[index];
        if (flows[row] >= 0 && cache.isChosen()) {
          cache.insert(keys, row, hashes[row], flows[row], tupleHashOf(rows, row));
        }
      }
    }
    return left;
  }

  /** Looks in the cache for keys that extraction cannot ask for. Keeps the other rows, and answers how many these are. */
  function lookupWide(from: ExactMatchCache, list: Int32Array, count: number): number {
    let left = 0;
    for (let index = 0; index < count; index++) {
      const row = list[index];
      const isWide = keys[row * KEY_WORDS + GROUPS_WORD] > Group.tunnel;
      flows[row] = isWide ? from.lookup(keys, row, hashes[row]) : -1;
      if (flows[row] < 0) {
        list[left] = row;
        tried[left++] = row;
      }
    }
    return left;
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
    known,
    lookup,
    counters: () => ({ exactMatchHits: known.hits[0] + counts[0], tupleSpaceHits: counts[1], misses: counts[2] }),
  };
}
