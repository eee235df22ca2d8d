/**
 * Tuple-space search: the megaflow that a key matches, among megaflows with many masks. One subtable holds the flows of
 * one mask; a key is looked for in each of them. No two installed megaflows that a packet matches ask for different
 * actions, so the first that is found will do. No priorities, no packets, no actions here.
 *
 * The search itself is in search.ts, what it runs through in rank.ts, one subtable in subtable.ts, the keys in
 * flow-store.ts. Subtables are taken in ranks of at most 32; packets that are found in the first rank are not looked for
 * in the second, and `sort()` puts the subtables with most hits there. Ranks are laid out by the first look-up after a
 * mask came or went.
 */
import { KEY_WORDS } from '../flow/fields.js';
import type { KeyRows } from '../flow/key-rows.js';
import { MegaflowError } from '../util/errors.js';
import { createFlowStore } from './flow-store.js';
import { createRank, fetchTables, RANK, type Rank } from './rank.js';
import { createSearch } from './search.js';
import {
  addFlow,
  createSubtable,
  findFlow,
  hasMask,
  hashFlow,
  hashKey,
  hashMask,
  removeFlow,
  type Subtable,
} from './subtable.js';

/** Flows that are kept in mind, a power of two. */
const HINTS = 16;

export interface TupleSpace {
  /** Number of flows. */
  readonly size: number;
  /** Number of masks. */
  readonly subtables: number;
  /** Every flow number is below it: the size for columns of the caller's own. It only grows, until `clear()`. */
  readonly flowCapacity: number;
  /**
   * Installs a megaflow and answers its number, small and dense; numbers of removed flows are used again. Key and mask
   * are `KEY_WORDS` words and are copied; the key is kept as it is, with the bits outside the mask. Its word 11 must
   * name its groups (`sealKey`).
   * @throws MegaflowError `already-exists`: a flow has the same mask and, under it, the same key.
   */
  insert(key: Int32Array, mask: Int32Array): number;
  /** The flow with this mask and, under it, this key; -1 if there is none. Allocates nothing. */
  find(key: Int32Array, mask: Int32Array): number;
  /** @throws MegaflowError `not-found` for a number that is not in use. */
  remove(flow: number): void;
  clear(): void;
  has(flow: number): boolean;
  /** Calls `visit` with the number of each flow, ascending. Flows may be removed meanwhile. */
  forEach(visit: (flow: number) => void): void;
  /** Writes the key as it was installed. @throws MegaflowError `not-found` */
  keyOf(flow: number, into: Int32Array): void;
  /** The mask, shared by all flows that have it: not to be written to. @throws MegaflowError `not-found` */
  maskOf(flow: number): Int32Array;
  /**
   * Looks up the keys of the first `count` (at most `BURST`) rows that stand in `list`. Writes a flow number or -1 beside
   * each row, moves the rows that match nothing to the front of `list`, and answers how many these are. Words of groups
   * that a key's word 11 does not name must be zero. Allocates nothing, save in the first call after a mask came or went.
   */
  lookup(list: Int32Array, count: number): number;
  /** Puts the subtables that are hit most before the others; to be called about once a second. Halves the counts. */
  sort(): void;
}

/** An empty tuple space for the keys of `rows`. */
export function createTupleSpace(rows: KeyRows): TupleSpace {
  const { keys, flows } = rows;
  const store = createFlowStore();
  const subtables: Subtable[] = [];
  const freeNumbers: number[] = [];
  const byMaskHash = new Map<number, Subtable[]>();
  let subtableCount = 0;

  // The ranks, and where each subtable stands in them; made anew by the first look-up after `areArranged` was cleared.
  let ranks: Rank[] = [];
  let rankOf: Rank[] = [];
  let areArranged = true;

  const { follow, search } = createSearch(store, rows);
  // By a hash of port and recirculation id, the flow of the first packet of the burst before.
  const hints = new Int32Array(HINTS).fill(-1);

  function lookup(list: Int32Array, count: number): number {
    if (count === 0) return 0;
    if (!areArranged) arrange();
    if (ranks.length === 0) {
      for (let index = 0; index < count; index++) flows[list[index]] = -1;
      return count;
    }
    const first = list[0];
    const hint = (keys[first * KEY_WORDS] ^ keys[first * KEY_WORDS + 1]) & (HINTS - 1);
    let left = count;
    const flow = hints[hint];
    if (flow >= 0 && store.has(flow)) left = follow(subtables[store.subtableOf(flow)], flow, list, count);
    for (let index = 0; index < ranks.length && left > 0; index++) {
      const rank = ranks[index];
      if (rank.isOutdated) fetchTables(rank);
      left = search(rank, list, left);
    }
    hints[hint] = flows[first];
    return left;
  }

  function insert(key: Int32Array, mask: Int32Array): number {
    const maskHash = hashMask(mask);
    const subtable = subtableWith(mask, maskHash) ?? addSubtable(mask, maskHash);
    const hash = hashKey(subtable, key, 0);
    const known = findFlow(subtable, store, key, 0, hash);
    if (known >= 0) {
      throw new MegaflowError('already-exists', `flow ${known} has this key and mask`, known, 'a new masked key');
    }
    const flow = store.add(key, subtable.number);
    const { required } = subtable;
    if (addFlow(subtable, key, hash, flow)) outdate(subtable);
    if (subtable.required !== required) areArranged = false;
    return flow;
  }

  function find(key: Int32Array, mask: Int32Array): number {
    const subtable = subtableWith(mask, hashMask(mask));
    return subtable === undefined ? -1 : findFlow(subtable, store, key, 0, hashKey(subtable, key, 0));
  }

  function remove(flow: number): void {
    const subtable = subtableOf(flow);
    if (removeFlow(subtable, hashFlow(subtable, store, flow), flow)) outdate(subtable);
    store.remove(flow);
    if (subtable.count === 0) removeSubtable(subtable);
  }

  function clear(): void {
    store.clear();
    subtables.length = 0;
    freeNumbers.length = 0;
    byMaskHash.clear();
    subtableCount = 0;
    areArranged = false;
    hints.fill(-1);
  }

  function forEach(visit: (flow: number) => void): void {
    for (let flow = 0; flow < store.capacity; flow++) if (store.has(flow)) visit(flow);
  }

  function subtableOf(flow: number): Subtable {
    if (!store.has(flow))
      throw new MegaflowError('not-found', `there is no flow ${flow}`, flow, 'the number of a flow');
    return subtables[store.subtableOf(flow)];
  }

  function subtableWith(mask: Int32Array, maskHash: number): Subtable | undefined {
    return byMaskHash.get(maskHash)?.find((subtable) => hasMask(subtable, mask, maskHash));
  }

  function addSubtable(mask: Int32Array, maskHash: number): Subtable {
    const subtable = createSubtable(freeNumbers.pop() ?? subtables.length, mask);
    subtables[subtable.number] = subtable;
    const bucket = byMaskHash.get(maskHash);
    if (bucket === undefined) byMaskHash.set(maskHash, [subtable]);
    else bucket.push(subtable);
    subtableCount++;
    areArranged = false;
    return subtable;
  }

  function removeSubtable(subtable: Subtable): void {
    freeNumbers.push(subtable.number);
    const bucket = byMaskHash.get(subtable.maskHash) ?? [];
    bucket.splice(bucket.indexOf(subtable), 1);
    if (bucket.length === 0) byMaskHash.delete(subtable.maskHash);
    subtableCount--;
    areArranged = false;
  }

  /** After a subtable's table and filter have been replaced. */
  function outdate(subtable: Subtable): void {
    if (areArranged) rankOf[subtable.number].isOutdated = true;
  }

  /** Lays out the ranks anew. */
  function arrange(): void {
    collectHits();
    const members = [...byMaskHash.values()].flat().sort((a, b) => b.hits - a.hits || a.number - b.number);
    ranks = [];
    rankOf = [];
    for (let start = 0, end = firstRankLength(members); start < members.length; start = end, end = start + RANK) {
      const rank = createRank(members.slice(start, end));
      ranks.push(rank);
      for (const subtable of rank.subtables) rankOf[subtable.number] = rank;
    }
    areArranged = true;
  }

  /** How many subtables, the most hit first, are searched before the others: those with 15 of 16 hits, if few. */
  function firstRankLength(members: readonly Subtable[]): number {
    const hits = members.reduce((sum, subtable) => sum + subtable.hits, 0);
    let length = 0;
    for (let covered = 0; covered * 16 < hits * 15; length++) covered += members[length].hits;
    return length > 0 && length * 2 <= members.length ? Math.min(length, RANK) : RANK;
  }

  function collectHits(): void {
    for (const rank of ranks) {
      rank.subtables.forEach((subtable, place) => {
        subtable.hits += rank.hits[place];
      });
      rank.hits.fill(0);
    }
  }

  function sort(): void {
    collectHits();
    areArranged = false;
    if (subtableCount > 0) arrange();
    for (const subtable of subtables) subtable.hits = Math.floor(subtable.hits / 2);
  }

  return {
    get size() {
      return store.size;
    },
    get subtables() {
      return subtableCount;
    },
    get flowCapacity() {
      return store.capacity;
    },
    insert,
    find,
    remove,
    clear,
    has: store.has,
    forEach,
    keyOf(flow, into) {
      subtableOf(flow);
      store.read(flow, into);
    },
    maskOf: (flow) => subtableOf(flow).mask,
    lookup,
    sort,
  };
}
