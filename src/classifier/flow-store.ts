/**
 * Where the keys of installed megaflows live: dense flow numbers, and a row of 16 words a flow. It does not search; that
 * is tuple-space.ts.
 *
 * A row holds the words 0 to 15 of the key as it was installed. Word 11, which says in a key which groups follow and can
 * be computed from them, holds the number of the flow's subtable instead (-1: the flow number is free), so that one
 * cache line answers a look-up. What a key holds beyond word 15 (IPv6, ND, a second tag: few flows) stands in a row of
 * its own in a second array, and `wideOf` says which; wide row 0 is all zeros and serves every other flow.
 */
import { Group, GROUPS_WORD, KEY_WORDS, sealKey } from '../flow/fields.js';

/** Words of a row: those of a key that serve the common packet. */
export const ROW_WORDS = 16;
/** Words of a wide row: the rest of the key. */
export const WIDE_WORDS = KEY_WORDS - ROW_WORDS;

/** The arrays are replaced as they grow: take them anew for each burst. */
export interface FlowStore {
  /** Row of flow `f` from `f * ROW_WORDS`. */
  rows: Int32Array;
  /** Wide row of flow `f` from `wideOf[f] * WIDE_WORDS`. */
  wide: Int32Array;
  wideOf: Int32Array;
  /** Flows that are stored. */
  size: number;
  /** Every flow number that was ever given out is below it. */
  capacity: number;
  /** Stores a copy of a key under a free number, and the number of its subtable. Allocates only when it grows. */
  add(key: Int32Array, subtable: number): number;
  /** Frees a number; it is the next to be given out again. */
  remove(flow: number): void;
  /** Frees all, and the memory. */
  clear(): void;
  /** Whether the number stands for a flow. */
  has(flow: number): boolean;
  subtableOf(flow: number): number;
  /** Writes the key as it was installed into `KEY_WORDS` words. */
  read(flow: number, into: Int32Array): void;
}

/** An empty store. It begins with 16 KB. */
export function createFlowStore(): FlowStore {
  const firstCapacity = 256;
  // Free rows form a list through their first word, and so do free wide rows; 0 or less ends it.
  let firstFree = -1;
  let used = 0;
  let firstFreeWide = 0;
  let usedWide = 1;

  const store: FlowStore = {
    rows: new Int32Array(firstCapacity * ROW_WORDS),
    wide: new Int32Array(WIDE_WORDS),
    wideOf: new Int32Array(firstCapacity),
    size: 0,
    capacity: firstCapacity,
    add,
    remove,
    clear,
    has: (flow) =>
      Number.isInteger(flow) && flow >= 0 && flow < used && store.rows[flow * ROW_WORDS + GROUPS_WORD] >= 0,
    subtableOf: (flow) => store.rows[flow * ROW_WORDS + GROUPS_WORD],
    read,
  };

  function add(key: Int32Array, subtable: number): number {
    let flow = firstFree;
    if (flow >= 0) {
      firstFree = store.rows[flow * ROW_WORDS];
    } else {
      if (used === store.capacity) grow();
      flow = used++;
    }
    const { rows } = store;
    const row = flow * ROW_WORDS;
    for (let word = 0; word < ROW_WORDS; word++) rows[row + word] = key[word];
    rows[row + GROUPS_WORD] = subtable;
    store.wideOf[flow] = (key[GROUPS_WORD] & ~Group.tunnel) !== 0 ? addWide(key) : 0;
    store.size++;
    return flow;
  }

  function addWide(key: Int32Array): number {
    let index = firstFreeWide;
    if (index > 0) {
      firstFreeWide = store.wide[index * WIDE_WORDS];
    } else {
      index = usedWide++;
      if (usedWide * WIDE_WORDS > store.wide.length) store.wide = enlarged(store.wide, store.wide.length * 2);
    }
    for (let word = 0; word < WIDE_WORDS; word++) store.wide[index * WIDE_WORDS + word] = key[ROW_WORDS + word];
    return index;
  }

  function remove(flow: number): void {
    const row = flow * ROW_WORDS;
    store.rows[row + GROUPS_WORD] = -1;
    store.rows[row] = firstFree;
    firstFree = flow;
    const index = store.wideOf[flow];
    if (index > 0) {
      store.wide[index * WIDE_WORDS] = firstFreeWide;
      firstFreeWide = index;
    }
    store.size--;
  }

  function clear(): void {
    store.rows = new Int32Array(firstCapacity * ROW_WORDS);
    store.wide = new Int32Array(WIDE_WORDS);
    store.wideOf = new Int32Array(firstCapacity);
    store.size = 0;
    store.capacity = firstCapacity;
    firstFree = -1;
    used = 0;
    firstFreeWide = 0;
    usedWide = 1;
  }

  function grow(): void {
    store.capacity *= 2;
    store.rows = enlarged(store.rows, store.capacity * ROW_WORDS);
    store.wideOf = enlarged(store.wideOf, store.capacity);
  }

  function read(flow: number, into: Int32Array): void {
    const row = flow * ROW_WORDS;
    const wideRow = store.wideOf[flow] * WIDE_WORDS;
    for (let word = 0; word < ROW_WORDS; word++) into[word] = store.rows[row + word];
    for (let word = 0; word < WIDE_WORDS; word++) into[ROW_WORDS + word] = store.wide[wideRow + word];
    sealKey(into);
  }

  return store;
}

function enlarged(array: Int32Array, length: number): Int32Array {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}
