/**
 * The loops of tuple-space search: a burst of keys against a rank of subtables, or against a single flow. What is
 * installed, and in which order ranks are searched, is tuple-space.ts's affair.
 *
 * A burst is searched in steps, each a loop without dependences between packets:
 *
 *     follow    if the first packet belongs to the flow that a packet of its port belonged to last, perhaps all do
 *     climb     for each packet, the sums of the masked words that the subtables share (the ladder, rank.ts)
 *     filter    for each subtable and packet, from a sum and a word or two: can the packet be in the subtable? One bit
 *               of the packet's candidates, written without a branch; subtables outside, packets inside, so that what
 *               belongs to the subtable is fetched once for 32 packets
 *     probe     for each packet, candidates in turn, until a hash table has an entry with the packet's hash
 *     verify    for each packet, whether that entry's key is the packet's
 *
 * Among 100 flows that are hit evenly, 1, 8, 32 and 64 subtables take 71, 100, 173 and 214 ns (bench/lookup.mjs, on a
 * machine where the prototype without generated code takes 80 with 8, 160 with 32 and 460 with 64); packets of one flow
 * take 19, by `follow`.
 *
 * Sums of indices are cut to 32 bits (`| 0`) so that V8 need not look whether they overflow.
 *
 * Arrays that grow are taken from their owners once a burst; those that do not are constants of the factory, whose
 * addresses and lengths V8 writes into the code as long as it is called once in a process.
 */
import { Group, KEY_WORDS } from '../flow/fields.js';
import { ROW_MASK, type KeyRows } from '../flow/key-rows.js';
import { BURST } from '../packet/pool.js';
import { ROW_WORDS, type FlowStore } from './flow-store.js';
import { MOST_RUNGS, Place, RANK, STEP, type Rank } from './rank.js';
import { columnsOf } from '../util/columns.js';
import { FACTORS, findFlow, firstPlace, hashWord, matchesFlow, type Subtable } from './subtable.js';

/**
 * Both take the keys of the first `count` rows (1 to `BURST`) that stand in `rows`, write the flow beside each row that
 * has one, move the other rows to the front of `rows`, and answer how many these are. Neither allocates.
 */
export interface Search {
  /** The rows that belong to `flow`, if the first of them does. */
  follow(subtable: Subtable, flow: number, rows: Int32Array, count: number): number;
  /** The rows that belong to any flow of the rank, which must not be outdated. */
  search(rank: Rank, rows: Int32Array, count: number): number;
}

export function createSearch(store: FlowStore, keyRows: KeyRows): Search {
  const { keys, flows, columns } = keyRows;
  const [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15] = columns;
  // Numbers that the loops use are constants of this function: a bundler makes variables of a module's constants, which
  // V8 reads and checks in every turn.
  const keyWords = KEY_WORDS;
  const rowWords = ROW_WORDS;
  const burst = BURST;
  const step = STEP;
  const rowMask = ROW_MASK;
  const lastPlace = RANK - 1;
  // So are the functions: V8 checks at each call of a module's function whether it is still the same one.
  const { clz32, imul } = Math;
  const placeIn = firstPlace;
  const factors = FACTORS;
  const { words: placeWords, rung, word0, bits0, factor0, word1, bits1, factor1 } = Place;
  const { filter: filterStart, shift, required, restStart, restEnd } = Place;

  // Of the burst in work: where its keys begin, the ladder's sums (row 0 is the ground's), the candidates.
  const offsets = new Int32Array(BURST);
  const sums = new Int32Array(BURST * (MOST_RUNGS + 1));
  const candidates = new Int32Array(BURST);
  const guesses = new Int32Array(BURST);
  const places = new Int32Array(BURST);
  const tableHashes = new Int32Array(BURST);
  const tablePlaces = new Int32Array(BURST);
  // Of the rank in work: the masks, and what they have in common.
  const masks = new Int32Array(RANK * ROW_WORDS);
  const [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15] = columnsOf(masks, ROW_WORDS);
  const ground = new Int32Array(ROW_WORDS);
  let current: Rank | undefined;
  /** What was read to have it near: written somewhere, or V8 would not read it. */
  const fetchedWords = new Int32Array(1);
  // The mask and the key of the flow that is followed.
  const mask = new Int32Array(ROW_WORDS);
  const value = new Int32Array(ROW_WORDS);

  /** What a masked word adds to a hash. */
  const mix = (word: number, factor: number): number => imul(word ^ (word >>> 16), factor);

  /** The flow of the first entry with a hash in a table, from a place on; -1 when there is none. */
  const flowIn = (table: Int32Array, place: number, hash: number): number => {
    let at = place;
    while (table[at] !== hash && table[at + 1] !== 0) at = (at + 2) & (table.length - 1);
    return table[at + 1] - 1;
  };

  /** The hash of a packet's key under the mask of the subtable at a place: its rung and its rest. */
  const hashAt = (rank: Rank, place: number, packet: number): number => {
    const { program } = rank;
    const at = place * placeWords;
    const offset = offsets[packet];
    const value = keys[offset + program[at + word0]] & program[at + bits0];
    const other = keys[offset + program[at + word1]] & program[at + bits1];
    let hash =
      (sums[program[at + rung] + packet] +
        imul(value ^ (value >>> 16), program[at + factor0]) +
        imul(other ^ (other >>> 16), program[at + factor1])) |
      0;
    const end = program[at + restEnd];
    for (let index = program[at + restStart]; index < end; index++) {
      const word = rank.restWords[index];
      hash = (hash + hashWord(word, keys[offset + word] & rank.restBits[index])) | 0;
    }
    return hash;
  };

  function search(rank: Rank, rows: Int32Array, count: number): number {
    if (rank !== current) {
      current = rank;
      masks.set(rank.masks);
      ground.set(rank.ground);
    }
    const groups = climb(rank, rows, count);
    filter(rank, count, groups);
    probe(rank, count);
    return verify(rank, rows, count);
  }

  /** If the first row belongs to a flow, finds all that do, and keeps the other rows. Answers how many these are. */
  function follow(subtable: Subtable, flow: number, list: Int32Array, count: number): number {
    if ((subtable.groups & ~Group.tunnel) !== 0) return count;
    if (!matchesFlow(subtable, store, keys, list[0] * keyWords, flow)) return count;
    // All words at once, as in `verify`: a loop over those of the mask takes three times as long.
    for (let word = 0; word < rowWords; word++) {
      mask[word] = subtable.mask[word];
      value[word] = store.rows[flow * rowWords + word];
    }
    const hasTunnel = subtable.groups !== 0;
    let left = 0;
    for (let index = 0; index < count; index++) {
      const row = list[index];
      const key = (row & rowMask) * keyWords;
      let difference =
        ((k0[key] ^ value[0]) & mask[0]) |
        ((k1[key] ^ value[1]) & mask[1]) |
        ((k2[key] ^ value[2]) & mask[2]) |
        ((k3[key] ^ value[3]) & mask[3]) |
        ((k4[key] ^ value[4]) & mask[4]) |
        ((k5[key] ^ value[5]) & mask[5]) |
        ((k6[key] ^ value[6]) & mask[6]) |
        ((k7[key] ^ value[7]) & mask[7]) |
        ((k8[key] ^ value[8]) & mask[8]) |
        ((k9[key] ^ value[9]) & mask[9]) |
        ((k10[key] ^ value[10]) & mask[10]);
      if (hasTunnel) {
        difference |=
          ((k12[key] ^ value[12]) & mask[12]) |
          ((k13[key] ^ value[13]) & mask[13]) |
          ((k14[key] ^ value[14]) & mask[14]) |
          ((k15[key] ^ value[15]) & mask[15]);
      }
      if (difference === 0) flows[row] = flow;
      else list[left++] = row;
    }
    subtable.hits += count - left;
    return left;
  }

  /** Computes the sums of the ground and of the ladder. Answers the groups that any of the keys has. */
  function climb(rank: Rank, rows: Int32Array, count: number): number {
    const { ladderWords, ladderBits, ladderFactors } = rank;
    const hasTunnel = (ground[12] | ground[13] | ground[14] | ground[15]) !== 0;
    let groups = 0;
    for (let packet = 0; packet < count; packet++) {
      const key = (rows[packet] & rowMask) * keyWords;
      offsets[packet] = key;
      groups |= k11[key];
      let sum = mix(k0[key] & ground[0], factors[0]);
      sum = (sum + mix(k1[key] & ground[1], factors[1])) | 0;
      sum = (sum + mix(k2[key] & ground[2], factors[2])) | 0;
      sum = (sum + mix(k3[key] & ground[3], factors[3])) | 0;
      sum = (sum + mix(k4[key] & ground[4], factors[4])) | 0;
      sum = (sum + mix(k5[key] & ground[5], factors[5])) | 0;
      sum = (sum + mix(k6[key] & ground[6], factors[6])) | 0;
      sum = (sum + mix(k7[key] & ground[7], factors[7])) | 0;
      sum = (sum + mix(k8[key] & ground[8], factors[8])) | 0;
      sum = (sum + mix(k9[key] & ground[9], factors[9])) | 0;
      sum = (sum + mix(k10[key] & ground[10], factors[10])) | 0;
      if (hasTunnel) {
        sum = (sum + mix(k12[key] & ground[12], factors[12])) | 0;
        sum = (sum + mix(k13[key] & ground[13], factors[13])) | 0;
        sum = (sum + mix(k14[key] & ground[14], factors[14])) | 0;
        sum = (sum + mix(k15[key] & ground[15], factors[15])) | 0;
      }
      sums[packet] = sum;
    }
    for (let pair = 0, sum = 0; pair < ladderWords.length; pair += step, sum += burst) {
      const wordA = ladderWords[pair],
        wordB = ladderWords[pair + 1];
      const wordC = ladderWords[pair + 2],
        wordD = ladderWords[pair + 3];
      const bitsA = ladderBits[pair],
        bitsB = ladderBits[pair + 1];
      const bitsC = ladderBits[pair + 2],
        bitsD = ladderBits[pair + 3];
      const factorA = ladderFactors[pair],
        factorB = ladderFactors[pair + 1];
      const factorC = ladderFactors[pair + 2],
        factorD = ladderFactors[pair + 3];
      for (let packet = 0; packet < count; packet++) {
        const offset = offsets[packet];
        const a = keys[(offset + wordA) | 0] & bitsA;
        const b = keys[(offset + wordB) | 0] & bitsB;
        const c = keys[(offset + wordC) | 0] & bitsC;
        const d = keys[(offset + wordD) | 0] & bitsD;
        const ab = (imul(a ^ (a >>> 16), factorA) + imul(b ^ (b >>> 16), factorB)) | 0;
        const cd = (imul(c ^ (c >>> 16), factorC) + imul(d ^ (d >>> 16), factorD)) | 0;
        sums[sum + burst + packet] = sums[sum + packet] + ((ab + cd) | 0);
      }
    }
    return groups;
  }

  /** Fills the packets' candidates: bit `p` says that the packet may be in the subtable at place `p`. */
  function filter(rank: Rank, count: number, groups: number): void {
    const places = rank.subtables.length;
    const { program, filters } = rank;
    if (places === 1) {
      // Nothing is gained by a filter before a single table.
      candidates.fill((program[required] & ~groups) === 0 ? 1 : 0, 0, count);
      return;
    }
    candidates.fill(0, 0, count);
    let place = 0;
    for (; place + 4 <= rank.single; place += 4) filterFour(program, filters, place, count);
    for (; place + 2 <= rank.double; place += 2) filterTwo(program, filters, place, count);
    for (; place < places; place++) {
      if ((program[place * placeWords + required] & ~groups) === 0) filterOne(rank, place, count);
    }
  }

  /** Four subtables with rests of at most one word, in one pass over the packets: a quarter faster than one by one. */
  function filterFour(program: Int32Array, filters: Int32Array, place: number, count: number): void {
    const a = place * placeWords,
      b = a + placeWords,
      c = b + placeWords,
      d = c + placeWords;
    const rungA = program[a + rung],
      rungB = program[b + rung],
      rungC = program[c + rung],
      rungD = program[d + rung];
    const wordA = program[a + word0],
      wordB = program[b + word0],
      wordC = program[c + word0],
      wordD = program[d + word0];
    const bitsA = program[a + bits0],
      bitsB = program[b + bits0],
      bitsC = program[c + bits0],
      bitsD = program[d + bits0];
    const factorA = program[a + factor0],
      factorB = program[b + factor0];
    const factorC = program[c + factor0],
      factorD = program[d + factor0];
    const startA = program[a + filterStart],
      startB = program[b + filterStart];
    const startC = program[c + filterStart],
      startD = program[d + filterStart];
    const shiftA = program[a + shift],
      shiftB = program[b + shift];
    const shiftC = program[c + shift],
      shiftD = program[d + shift];
    for (let packet = 0; packet < count; packet++) {
      const offset = offsets[packet];
      let value = keys[(offset + wordA) | 0] & bitsA;
      let bits = (sums[(rungA + packet) | 0] + imul(value ^ (value >>> 16), factorA)) >>> shiftA;
      let cell = filters[(startA + (bits >>> 10)) | 0];
      let found = (cell >>> bits) & (cell >>> (bits >>> 5)) & 1;

      value = keys[(offset + wordB) | 0] & bitsB;
      bits = (sums[(rungB + packet) | 0] + imul(value ^ (value >>> 16), factorB)) >>> shiftB;
      cell = filters[(startB + (bits >>> 10)) | 0];
      found |= ((cell >>> bits) & (cell >>> (bits >>> 5)) & 1) << 1;

      value = keys[(offset + wordC) | 0] & bitsC;
      bits = (sums[(rungC + packet) | 0] + imul(value ^ (value >>> 16), factorC)) >>> shiftC;
      cell = filters[(startC + (bits >>> 10)) | 0];
      found |= ((cell >>> bits) & (cell >>> (bits >>> 5)) & 1) << 2;

      value = keys[(offset + wordD) | 0] & bitsD;
      bits = (sums[(rungD + packet) | 0] + imul(value ^ (value >>> 16), factorD)) >>> shiftD;
      cell = filters[(startD + (bits >>> 10)) | 0];
      found |= ((cell >>> bits) & (cell >>> (bits >>> 5)) & 1) << 3;
      candidates[packet] |= found << place;
    }
  }

  /** Two subtables with rests of at most two words. */
  function filterTwo(program: Int32Array, filters: Int32Array, place: number, count: number): void {
    const a = place * placeWords,
      b = a + placeWords;
    const rungA = program[a + rung],
      rungB = program[b + rung];
    const wordA = program[a + word0],
      wordB = program[b + word0];
    const otherA = program[a + word1],
      otherB = program[b + word1];
    const bitsA = program[a + bits0],
      bitsB = program[b + bits0];
    const otherBitsA = program[a + bits1],
      otherBitsB = program[b + bits1];
    const factorA = program[a + factor0],
      factorB = program[b + factor0];
    const otherFactorA = program[a + factor1],
      otherFactorB = program[b + factor1];
    const startA = program[a + filterStart],
      startB = program[b + filterStart];
    const shiftA = program[a + shift],
      shiftB = program[b + shift];
    for (let packet = 0; packet < count; packet++) {
      const offset = offsets[packet];
      let value = keys[(offset + wordA) | 0] & bitsA;
      let other = keys[(offset + otherA) | 0] & otherBitsA;
      let sum = (imul(value ^ (value >>> 16), factorA) + imul(other ^ (other >>> 16), otherFactorA)) | 0;
      let bits = (sums[(rungA + packet) | 0] + sum) >>> shiftA;
      let cell = filters[(startA + (bits >>> 10)) | 0];
      let found = (cell >>> bits) & (cell >>> (bits >>> 5)) & 1;

      value = keys[(offset + wordB) | 0] & bitsB;
      other = keys[(offset + otherB) | 0] & otherBitsB;
      sum = (imul(value ^ (value >>> 16), factorB) + imul(other ^ (other >>> 16), otherFactorB)) | 0;
      bits = (sums[(rungB + packet) | 0] + sum) >>> shiftB;
      cell = filters[(startB + (bits >>> 10)) | 0];
      found |= ((cell >>> bits) & (cell >>> (bits >>> 5)) & 1) << 1;
      candidates[packet] |= found << place;
    }
  }

  /** One subtable, whatever its rest. */
  function filterOne(rank: Rank, place: number, count: number): void {
    const { program, filters } = rank;
    const start = program[place * placeWords + filterStart];
    const drop = program[place * placeWords + shift];
    for (let packet = 0; packet < count; packet++) {
      const bits = hashAt(rank, place, packet) >>> drop;
      const cell = filters[start + (bits >>> 10)];
      candidates[packet] |= ((cell >>> bits) & (cell >>> (bits >>> 5)) & 1) << place;
    }
  }

  /**
   * For each packet, the first of its candidates whose table has an entry with the packet's hash: a guess. Tables and
   * keys are larger than the nearer caches; so what the next loop is going to read for all packets is read here first,
   * without waiting for any of it (8 subtables of 10,000 flows, the whole path: 91 ns, else 106).
   */
  function probe(rank: Rank, count: number): void {
    const { tables } = rank;
    const stored = store.rows;
    let fetched = 0;
    for (let packet = 0; packet < count; packet++) {
      const bits = candidates[packet];
      if (bits === 0) continue;
      const place = 31 - clz32(bits & -bits);
      const hash = hashAt(rank, place, packet);
      const at = placeIn(hash, tables[place]);
      places[packet] = place;
      tableHashes[packet] = hash;
      tablePlaces[packet] = at;
      fetched ^= tables[place][at];
    }
    for (let packet = 0; packet < count; packet++) {
      let guess = -1;
      if (candidates[packet] !== 0) {
        guess = flowIn(tables[places[packet]], tablePlaces[packet], tableHashes[packet]);
        if (guess < 0) guess = probeOn(rank, packet);
        if (guess >= 0) fetched ^= stored[guess * rowWords];
      }
      guesses[packet] = guess;
    }
    fetchedWords[0] = fetched;
  }

  /** The way of a packet that its first candidate's filter let through in vain. */
  function probeOn(rank: Rank, packet: number): number {
    const first = candidates[packet];
    for (let bits = first & (first - 1); bits !== 0; bits &= bits - 1) {
      const place = 31 - clz32(bits & -bits);
      const table = rank.tables[place];
      const hash = hashAt(rank, place, packet);
      const guess = flowIn(table, placeIn(hash, table), hash);
      if (guess < 0) continue;
      places[packet] = place;
      return guess;
    }
    return -1;
  }

  /** Compares the guesses' keys, writes the flows that are found, keeps the other rows. Answers how many these are. */
  function verify(rank: Rank, rows: Int32Array, count: number): number {
    const { hits } = rank;
    const stored = store.rows;
    let left = 0;
    for (let packet = 0; packet < count; packet++) {
      const row = rows[packet];
      const guess = guesses[packet];
      if (guess < 0) {
        flows[row] = -1;
        rows[left++] = row;
        continue;
      }
      const place = places[packet];
      const key = (row & rowMask) * keyWords;
      const mask = (place & lastPlace) * rowWords;
      const flow = guess * rowWords;
      // All words at once rather than those of the mask in a loop, which is not faster; but the tunnel's are left out
      // where the mask has none (30 ns against 35).
      let difference =
        ((stored[flow] ^ k0[key]) & m0[mask]) |
        ((stored[flow + 1] ^ k1[key]) & m1[mask]) |
        ((stored[flow + 2] ^ k2[key]) & m2[mask]) |
        ((stored[flow + 3] ^ k3[key]) & m3[mask]) |
        ((stored[flow + 4] ^ k4[key]) & m4[mask]) |
        ((stored[flow + 5] ^ k5[key]) & m5[mask]) |
        ((stored[flow + 6] ^ k6[key]) & m6[mask]) |
        ((stored[flow + 7] ^ k7[key]) & m7[mask]) |
        ((stored[flow + 8] ^ k8[key]) & m8[mask]) |
        ((stored[flow + 9] ^ k9[key]) & m9[mask]) |
        ((stored[flow + 10] ^ k10[key]) & m10[mask]);
      const groups = m11[mask];
      if (groups !== 0) {
        difference |=
          ((stored[flow + 12] ^ k12[key]) & m12[mask]) |
          ((stored[flow + 13] ^ k13[key]) & m13[mask]) |
          ((stored[flow + 14] ^ k14[key]) & m14[mask]) |
          ((stored[flow + 15] ^ k15[key]) & m15[mask]);
      }
      if (difference === 0 && (groups & ~1) === 0) {
        flows[row] = guess;
        hits[place]++;
      } else {
        flows[row] = searchOn(rank, packet);
        if (flows[row] < 0) rows[left++] = row;
      }
    }
    return left;
  }

  /** The way of a packet whose guess is wrong (once in 2^32 times), or whose mask has words beyond a row. */
  function searchOn(rank: Rank, packet: number): number {
    for (let bits = candidates[packet]; bits !== 0; bits &= bits - 1) {
      const place = 31 - clz32(bits & -bits);
      const flow = findFlow(rank.subtables[place], store, keys, offsets[packet], hashAt(rank, place, packet));
      if (flow < 0) continue;
      rank.hits[place]++;
      return flow;
    }
    return -1;
  }

  return { follow, search };
}
