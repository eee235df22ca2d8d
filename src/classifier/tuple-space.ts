/**
 * Tuple-space search: the megaflow that a key matches, among megaflows with many masks. One subtable holds the flows of
 * one mask; a key is looked for in each of them. No two installed megaflows that a packet matches ask for different
 * actions, so the first that is found will do. No priorities, no packets, no actions here.
 *
 * A burst is searched in three steps, each a loop without dependences between packets:
 *
 *     climb     for each packet, the sums of the masked words that the subtables share (the ladder, rank.ts)
 *     filter    for each subtable and packet, from a sum and a word or two: can the packet be in the subtable? One bit
 *               of the packet's candidates, written without a branch; subtables outside, packets inside, so that what
 *               belongs to the subtable stands in registers and stack for 32 packets
 *     resolve   for each packet, candidates in turn: hash table, then the stored key, until one is found
 *
 * Most of the work is `filter`: METRIC ns a subtable and packet, against about 8 for a hash table's own probe with its
 * mispredicted branches. Subtables are taken in ranks of at most 32; packets that are found in the first rank are not
 * looked for in the second, and `sort()` puts the subtables with most hits there.
 *
 * Typed arrays that grow are taken from their owners once a burst, so nothing is looked up by name in the loops.
 */
import { Group, GROUPS_WORD, KEY_WORDS } from '../flow/fields.js';
import { BURST } from '../packet/pool.js';
import { MegaflowError } from '../util/errors.js';
import { createFlowStore, ROW_WORDS } from './flow-store.js';
import { createRank, fetchTables, MOST_RUNGS, Place, RANK, STEP, type Rank } from './rank.js';
import {
  addFlow,
  createSubtable,
  equalMasks,
  findFlow,
  firstPlace,
  hashKey,
  hashMask,
  hashWord,
  matchesFlow,
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
   * are `KEY_WORDS` words and are copied; the key is kept as it is, with the bits outside the mask.
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
   * Looks up `count` (at most `BURST`) keys; that of row `r` begins at `keys[r * KEY_WORDS]`. Writes a flow number or -1
   * to `flows[r]` for each row `r` of `rows`, moves the rows that match nothing to the front of `rows`, and answers how
   * many these are. Words of groups that a key's word 11 does not name must be zero. Allocates nothing, save in the
   * first call after a mask came or went.
   */
  lookup(keys: Int32Array, rows: Int32Array, count: number, flows: Int32Array): number;
  /** Puts the subtables that are hit most before the others; to be called about once a second. Halves the counts. */
  sort(): void;
}

/** An empty tuple space. */
export function createTupleSpace(): TupleSpace {
  // Numbers that the loops use are constants of this function: a bundler makes variables of a module's, and V8 then reads
  // and checks them in every turn (resolve: RATIO).
  const keyWords = KEY_WORDS;
  const rowWords = ROW_WORDS;
  const groupsWord = GROUPS_WORD;
  const burst = BURST;
  const step = STEP;
  const hintMask = HINTS - 1;
  const { words: placeWords, rung, word0, bits0, factor0, word1, bits1, factor1, filter: filterStart, shift, required, restStart, restEnd } = Place;

  const store = createFlowStore();
  const subtables: Subtable[] = [];
  const freeNumbers: number[] = [];
  const byMaskHash = new Map<number, Subtable[]>();
  let subtableCount = 0;

  // The ranks, and where each subtable stands in them; made anew by the first look-up after `areArranged` was cleared.
  let ranks: Rank[] = [];
  let rankOf: Rank[] = [];
  let areArranged = true;

  // Of the burst in work: where its keys begin, the ladder's sums (row 0 is the ground, zero), the candidates.
  const offsets = new Int32Array(BURST);
  const sums = new Int32Array(BURST * (MOST_RUNGS + 1));
  const candidates = new Int32Array(BURST);
  const guesses = new Int32Array(BURST);
  const places = new Int32Array(BURST);
  const differences = new Int32Array(BURST);
  const hintWords = new Int32Array(ROW_WORDS);
  const hintBits = new Int32Array(ROW_WORDS);
  const hintValues = new Int32Array(ROW_WORDS);
  // By a hash of port and recirculation id, the flow of the first packet of the burst before.
  const hints = new Int32Array(HINTS).fill(-1);

  function lookup(keys: Int32Array, rows: Int32Array, count: number, flows: Int32Array): number {
    if (count === 0) return 0;
    if (!areArranged) arrange();
    const first = rows[0];
    const hint = (keys[first * keyWords] ^ keys[first * keyWords + 1]) & hintMask;
    for (let index = 0; index < count; index++) flows[rows[index]] = -1;
    let left = follow(hints[hint], keys, rows, count, flows);
    for (let index = 0; index < ranks.length && left > 0; index++) {
      const rank = ranks[index];
      if (rank.isOutdated) fetchTables(rank);
      const groups = climb(rank, keys, rows, left);
      filter(rank, keys, left, groups);
      probe(rank, keys, left);
      left = verify(rank, keys, rows, left, flows);
    }
    hints[hint] = flows[first];
    return left;
  }

  /** If the first row belongs to `flow`, finds all that do, and keeps the other rows. Answers how many these are. */
  function follow(flow: number, keys: Int32Array, rows: Int32Array, count: number, flows: Int32Array): number {
    if (flow < 0) return count;
    const stored = store.rows;
    const row = flow * rowWords;
    if (stored[row + groupsWord] < 0) return count;
    const subtable = subtables[stored[row + groupsWord]];
    if ((subtable.groups & ~Group.tunnel) !== 0 || !matchesFlow(subtable, store, keys, rows[0] * keyWords, flow)) return count;
    const { words, bits } = subtable;
    // Four words a pass, as in `climb`, the last pass filled up with words of no bits.
    for (let index = 0; index < words.length || (index & 3) !== 0; index++) {
      const isThere = index < words.length;
      hintWords[index] = isThere ? words[index] : 0;
      hintBits[index] = isThere ? bits[index] : 0;
      hintValues[index] = isThere ? stored[row + words[index]] : 0;
    }
    for (let packet = 0; packet < count; packet++) {
      offsets[packet] = rows[packet] * keyWords;
      differences[packet] = 0;
    }
    for (let index = 0; index < words.length; index += 4) {
      const wordA = hintWords[index], wordB = hintWords[index + 1], wordC = hintWords[index + 2], wordD = hintWords[index + 3];
      const bitsA = hintBits[index], bitsB = hintBits[index + 1], bitsC = hintBits[index + 2], bitsD = hintBits[index + 3];
      const valueA = hintValues[index], valueB = hintValues[index + 1], valueC = hintValues[index + 2], valueD = hintValues[index + 3];
      for (let packet = 0; packet < count; packet++) {
        const offset = offsets[packet];
        differences[packet] |= ((keys[offset + wordA] ^ valueA) & bitsA) | ((keys[offset + wordB] ^ valueB) & bitsB)
          | ((keys[offset + wordC] ^ valueC) & bitsC) | ((keys[offset + wordD] ^ valueD) & bitsD);
      }
    }
    let left = 0;
    for (let packet = 0; packet < count; packet++) {
      const its = rows[packet];
      const isOther = differences[packet] !== 0;
      flows[its] = isOther ? -1 : flow;
      rows[left] = its;
      left += isOther ? 1 : 0;
    }
    subtable.hits += count - left;
    return left;
  }

  /** Computes the ladder's sums. Answers the groups that any of the keys has. */
  function climb(rank: Rank, keys: Int32Array, rows: Int32Array, count: number): number {
    const { ladderWords, ladderBits, ladderFactors } = rank;
    let groups = 0;
    for (let packet = 0; packet < count; packet++) {
      const offset = rows[packet] * keyWords;
      offsets[packet] = offset;
      groups |= keys[offset + groupsWord];
    }
    for (let pair = 0, sum = 0; pair < ladderWords.length; pair += step, sum += burst) {
      const wordA = ladderWords[pair], wordB = ladderWords[pair + 1], wordC = ladderWords[pair + 2], wordD = ladderWords[pair + 3];
      const bitsA = ladderBits[pair], bitsB = ladderBits[pair + 1], bitsC = ladderBits[pair + 2], bitsD = ladderBits[pair + 3];
      const factorA = ladderFactors[pair], factorB = ladderFactors[pair + 1];
      const factorC = ladderFactors[pair + 2], factorD = ladderFactors[pair + 3];
      for (let packet = 0; packet < count; packet++) {
        const offset = offsets[packet];
        const a = keys[offset + wordA] & bitsA;
        const b = keys[offset + wordB] & bitsB;
        const c = keys[offset + wordC] & bitsC;
        const d = keys[offset + wordD] & bitsD;
        const ab = (Math.imul(a ^ (a >>> 16), factorA) + Math.imul(b ^ (b >>> 16), factorB)) | 0;
        const cd = (Math.imul(c ^ (c >>> 16), factorC) + Math.imul(d ^ (d >>> 16), factorD)) | 0;
        sums[sum + burst + packet] = sums[sum + packet] + ((ab + cd) | 0);
      }
    }
    return groups;
  }

  /** Fills the packets' candidates: bit `p` says that the packet may be in the subtable at place `p`. */
  function filter(rank: Rank, keys: Int32Array, count: number, groups: number): void {
    const places = rank.subtables.length;
    // A single subtable is its own filter: probing it costs what filtering does.
    candidates.fill(places === 1 ? 1 : 0, 0, count);
    if (places === 1) return;
    const { program, filters } = rank;
    let place = 0;
    for (; place + 4 <= rank.single; place += 4) filterFour(program, filters, place, keys, count);
    for (; place + 2 <= rank.double; place += 2) filterTwo(program, filters, place, keys, count);
    for (; place < places; place++) {
      if ((program[place * placeWords + required] & ~groups) === 0) filterOne(rank, place, keys, count);
    }
  }

  /** Four subtables with rests of at most one word, in one pass over the packets: a quarter faster than one by one. */
  function filterFour(program: Int32Array, filters: Int32Array, place: number, keys: Int32Array, count: number): void {
    const a = place * placeWords, b = a + placeWords, c = b + placeWords, d = c + placeWords;
    const rungA = program[a + rung], rungB = program[b + rung], rungC = program[c + rung], rungD = program[d + rung];
    const wordA = program[a + word0], wordB = program[b + word0], wordC = program[c + word0], wordD = program[d + word0];
    const bitsA = program[a + bits0], bitsB = program[b + bits0], bitsC = program[c + bits0], bitsD = program[d + bits0];
    const factorA = program[a + factor0], factorB = program[b + factor0];
    const factorC = program[c + factor0], factorD = program[d + factor0];
    const startA = program[a + filterStart], startB = program[b + filterStart], startC = program[c + filterStart], startD = program[d + filterStart];
    const shiftA = program[a + shift], shiftB = program[b + shift], shiftC = program[c + shift], shiftD = program[d + shift];
    for (let packet = 0; packet < count; packet++) {
      const offset = offsets[packet];
      let value = keys[offset + wordA] & bitsA;
      let bits = (sums[rungA + packet] + Math.imul(value ^ (value >>> 16), factorA)) >>> shiftA;
      let cell = filters[startA + (bits >>> 10)];
      let found = (cell >>> bits) & (cell >>> (bits >>> 5)) & 1;

      value = keys[offset + wordB] & bitsB;
      bits = (sums[rungB + packet] + Math.imul(value ^ (value >>> 16), factorB)) >>> shiftB;
      cell = filters[startB + (bits >>> 10)];
      found |= ((cell >>> bits) & (cell >>> (bits >>> 5)) & 1) << 1;

      value = keys[offset + wordC] & bitsC;
      bits = (sums[rungC + packet] + Math.imul(value ^ (value >>> 16), factorC)) >>> shiftC;
      cell = filters[startC + (bits >>> 10)];
      found |= ((cell >>> bits) & (cell >>> (bits >>> 5)) & 1) << 2;

      value = keys[offset + wordD] & bitsD;
      bits = (sums[rungD + packet] + Math.imul(value ^ (value >>> 16), factorD)) >>> shiftD;
      cell = filters[startD + (bits >>> 10)];
      found |= ((cell >>> bits) & (cell >>> (bits >>> 5)) & 1) << 3;
      candidates[packet] |= found << place;
    }
  }

  /** Two subtables with rests of at most two words. */
  function filterTwo(program: Int32Array, filters: Int32Array, place: number, keys: Int32Array, count: number): void {
    const a = place * placeWords, b = a + placeWords;
    const rungA = program[a + rung], rungB = program[b + rung];
    const wordA = program[a + word0], wordB = program[b + word0], otherA = program[a + word1], otherB = program[b + word1];
    const bitsA = program[a + bits0], bitsB = program[b + bits0];
    const otherBitsA = program[a + bits1], otherBitsB = program[b + bits1];
    const factorA = program[a + factor0], factorB = program[b + factor0];
    const otherFactorA = program[a + factor1], otherFactorB = program[b + factor1];
    const startA = program[a + filterStart], startB = program[b + filterStart];
    const shiftA = program[a + shift], shiftB = program[b + shift];
    for (let packet = 0; packet < count; packet++) {
      const offset = offsets[packet];
      let value = keys[offset + wordA] & bitsA;
      let other = keys[offset + otherA] & otherBitsA;
      let sum = (Math.imul(value ^ (value >>> 16), factorA) + Math.imul(other ^ (other >>> 16), otherFactorA)) | 0;
      let bits = (sums[rungA + packet] + sum) >>> shiftA;
      let cell = filters[startA + (bits >>> 10)];
      let found = (cell >>> bits) & (cell >>> (bits >>> 5)) & 1;

      value = keys[offset + wordB] & bitsB;
      other = keys[offset + otherB] & otherBitsB;
      sum = (Math.imul(value ^ (value >>> 16), factorB) + Math.imul(other ^ (other >>> 16), otherFactorB)) | 0;
      bits = (sums[rungB + packet] + sum) >>> shiftB;
      cell = filters[startB + (bits >>> 10)];
      found |= ((cell >>> bits) & (cell >>> (bits >>> 5)) & 1) << 1;
      candidates[packet] |= found << place;
    }
  }

  /** One subtable, whatever its rest. */
  function filterOne(rank: Rank, place: number, keys: Int32Array, count: number): void {
    const { program, filters } = rank;
    const start = program[place * placeWords + filterStart];
    const drop = program[place * placeWords + shift];
    for (let packet = 0; packet < count; packet++) {
      const bits = hashAt(rank, place, keys, packet) >>> drop;
      const cell = filters[start + (bits >>> 10)];
      candidates[packet] |= ((cell >>> bits) & (cell >>> (bits >>> 5)) & 1) << place;
    }
  }

  /** The hash of a packet's key under the mask of the subtable at a place: its rung and its rest. */
  function hashAt(rank: Rank, place: number, keys: Int32Array, packet: number): number {
    const { program } = rank;
    const at = place * placeWords;
    const offset = offsets[packet];
    const value = keys[offset + program[at + word0]] & program[at + bits0];
    const other = keys[offset + program[at + word1]] & program[at + bits1];
    let hash = (sums[program[at + rung] + packet]
      + Math.imul(value ^ (value >>> 16), program[at + factor0])
      + Math.imul(other ^ (other >>> 16), program[at + factor1])) | 0;
    const end = program[at + restEnd];
    for (let index = program[at + restStart]; index < end; index++) {
      const word = rank.restWords[index];
      hash = (hash + hashWord(word, keys[offset + word] & rank.restBits[index])) | 0;
    }
    return hash;
  }

  /** For each packet, the first of its candidates whose table has an entry with the packet's hash: a guess at its flow. */
  function probe(rank: Rank, keys: Int32Array, count: number): void {
    const { tables } = rank;
    for (let packet = 0; packet < count; packet++) {
      let guess = -1;
      let place = 0;
      for (let bits = candidates[packet]; bits !== 0 && guess < 0; bits &= bits - 1) {
        place = 31 - Math.clz32(bits & -bits);
        const hash = hashAt(rank, place, keys, packet);
        const table = tables[place];
        const last = table.length - 1;
        let at = firstPlace(hash, table);
        while (table[at] !== hash && table[at + 1] !== 0) at = (at + 2) & last;
        guess = table[at + 1] - 1;
      }
      guesses[packet] = guess;
      places[packet] = place;
    }
  }

  /** Compares the guesses' keys, writes the flows that are found, keeps the other rows. Answers how many these are. */
  function verify(rank: Rank, keys: Int32Array, rows: Int32Array, count: number, flows: Int32Array): number {
    const { masks, hits } = rank;
    const stored = store.rows;
    let left = 0;
    for (let packet = 0; packet < count; packet++) {
      const row = rows[packet];
      const guess = guesses[packet];
      if (guess < 0) {
        rows[left++] = row;
        continue;
      }
      const place = places[packet];
      const key = offsets[packet];
      const mask = place * rowWords;
      const flow = guess * rowWords;
      // Fifteen words at once, without branches: 7 ns, and in a loop over the words of the mask 14.
      let difference = ((stored[flow] ^ keys[key]) & masks[mask])
        | ((stored[flow + 1] ^ keys[key + 1]) & masks[mask + 1])
        | ((stored[flow + 2] ^ keys[key + 2]) & masks[mask + 2])
        | ((stored[flow + 3] ^ keys[key + 3]) & masks[mask + 3])
        | ((stored[flow + 4] ^ keys[key + 4]) & masks[mask + 4])
        | ((stored[flow + 5] ^ keys[key + 5]) & masks[mask + 5])
        | ((stored[flow + 6] ^ keys[key + 6]) & masks[mask + 6])
        | ((stored[flow + 7] ^ keys[key + 7]) & masks[mask + 7])
        | ((stored[flow + 8] ^ keys[key + 8]) & masks[mask + 8])
        | ((stored[flow + 9] ^ keys[key + 9]) & masks[mask + 9])
        | ((stored[flow + 10] ^ keys[key + 10]) & masks[mask + 10]);
      const groups = masks[mask + groupsWord];
      if (groups !== 0) {
        difference |= ((stored[flow + 12] ^ keys[key + 12]) & masks[mask + 12])
          | ((stored[flow + 13] ^ keys[key + 13]) & masks[mask + 13])
          | ((stored[flow + 14] ^ keys[key + 14]) & masks[mask + 14])
          | ((stored[flow + 15] ^ keys[key + 15]) & masks[mask + 15]);
      }
      if (difference === 0 && (groups & ~1) === 0) {
        flows[row] = guess;
        hits[place]++;
      } else {
        flows[row] = search(rank, keys, packet);
        if (flows[row] < 0) rows[left++] = row;
      }
    }
    return left;
  }

  /** The way of a packet whose guess is wrong, which happens once in 2^32 times, or whose mask has words beyond a row. */
  function search(rank: Rank, keys: Int32Array, packet: number): number {
    for (let bits = candidates[packet]; bits !== 0; bits &= bits - 1) {
      const place = 31 - Math.clz32(bits & -bits);
      const flow = findFlow(rank.subtables[place], store, keys, offsets[packet], hashAt(rank, place, keys, packet));
      if (flow < 0) continue;
      rank.hits[place]++;
      return flow;
    }
    return -1;
  }

  function insert(key: Int32Array, mask: Int32Array): number {
    const maskHash = hashMask(mask);
    const subtable = subtableWith(mask, maskHash) ?? addSubtable(mask, maskHash);
    const hash = hashKey(subtable, key, 0);
    const known = findFlow(subtable, store, key, 0, hash);
    if (known >= 0) throw new MegaflowError('already-exists', `flow ${known} has this key and mask`, known, 'a new masked key');
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

  const removedKey = new Int32Array(KEY_WORDS);

  function remove(flow: number): void {
    const subtable = subtableOf(flow);
    store.read(flow, removedKey);
    if (removeFlow(subtable, hashKey(subtable, removedKey, 0), flow)) outdate(subtable);
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
    if (!store.has(flow)) throw new MegaflowError('not-found', `there is no flow ${flow}`, flow, 'the number of a flow');
    return subtables[store.subtableOf(flow)];
  }

  function subtableWith(mask: Int32Array, maskHash: number): Subtable | undefined {
    return byMaskHash.get(maskHash)?.find((subtable) => equalMasks(subtable.mask, mask));
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

  /** How many subtables, the most hit first, are searched before the others: those with 15 of 16 hits, if they are few. */
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
