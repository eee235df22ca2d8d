/**
 * Where keys of packets are while a burst is looked up. Rows hold the keys that are looked up, a burst of rows for each level of
 * recirculation, with what is known of each packet beside them. The memory of known keys, which extraction asks before it writes a row at
 * all, is the exact-match cache's (classifier/): here is only its layout. Nothing is computed here.
 *
 * The loops over packets spend much of their time on this, and V8 leaves out what it can prove. An array that is always the same one is
 * part of the code, with its length: so arrays are handed to factories, not to calls. A sum that stays in 32 bits needs no check for an
 * overflow: so there is a power of two of rows, and a row is `n & ROW_MASK`. And a constant must be one of the function's own: bundlers make
 * variables of a module's constants, which are read and checked in each turn. bench/NOTES.md has the figures.
 */
import { BURST } from '../packet/pool.js';
import { columnsOf } from '../util/columns.js';
import { KEY_WORDS } from './fields.js';

/** Rows of a set: 8 bursts. */
export const ROWS = 8 * BURST;
/** Any number `& ROW_MASK` is a row. */
export const ROW_MASK = ROWS - 1;

export interface KeyRows {
  /** `columns[w][r * KEY_WORDS]` is word `w` of row `r`: the same words as `keys`. */
  readonly columns: readonly Int32Array[];
  /** Row `r` from word `r * KEY_WORDS`; all zero before extraction first writes to it. */
  readonly keys: Int32Array;
  /** Of each row a hash of what mostly tells packets apart. */
  readonly hashes: Int32Array;
  /** Of each row the flow that look-ups found, or -1. */
  readonly flows: Int32Array;
  /** Of each row the TCP flags, as in word 10 of a key. */
  readonly tcpFlags: Int32Array;
  /** Of each row that was written, the packet's Open vSwitch hash where extraction had to find it: not IPv4, none given. Else 0. */
  readonly tupleHashes: Int32Array;
}

export function createKeyRows(): KeyRows {
  const keys = new Int32Array(ROWS * KEY_WORDS);
  return {
    keys,
    columns: columnsOf(keys, KEY_WORDS),
    hashes: new Int32Array(ROWS),
    flows: new Int32Array(ROWS).fill(-1),
    tcpFlags: new Int32Array(ROWS),
    tupleHashes: new Int32Array(ROWS),
  };
}

/** Words of an entry of `KnownKeys`: one cache line. */
export const ENTRY_WORDS = 16;
/** Large buffers begin 16 bytes behind a page with glibc; so many words more, and entries are lines (46 ns, else 49). */
export const ALIGNING_WORDS = 12;

/**
 * Keys of packets that came lately, with their flows. An entry is a key's words 0 to 10 and 12 to 15, which is all that a packet without
 * IPv6, ND, a second tag and so on has. In the place of word 11 stands the number of the flow × 2, plus 1 where there is tunnel
 * metadata (-1: the entry is empty), so that other packets need not compare the words 12 to 15.
 *
 * A key has two places, given by two halves of its hash. Words 7 and 8 (ports and source address) of the first say whether to look there
 * or at the second; then the words are compared. The price: of two keys with the same hash and the same words 7 and 8, one hides the
 * other. That costs a search in the tuple space, and no wrong answer.
 */
export interface KnownKeys {
  /** Entry `e` from word `ALIGNING_WORDS + e * ENTRY_WORDS`. */
  readonly entries: Int32Array;
  /** `columns[w][e * ENTRY_WORDS]` is word `w` of entry `e`: the same words as `entries`. */
  readonly columns: readonly Int32Array[];
  /** Of each entry Open vSwitch's 5-tuple hash of its packets, 0 where it is not known: remembering takes 1 ns, computing 8. */
  readonly tupleHashes: Int32Array;
  /** A hash `& mask`, and the same of its upper half, are the entries where a key may be. */
  readonly mask: number;
  /** One cell: how many packets were known. */
  readonly hits: Float64Array;
}

/** An empty memory of so many keys, a power of two. */
export function createKnownKeys(count: number): KnownKeys {
  const entries = new Int32Array(ALIGNING_WORDS + count * ENTRY_WORDS);
  for (let entry = 0; entry < count; entry++) entries[ALIGNING_WORDS + entry * ENTRY_WORDS + 11] = -1;
  const columns = columnsOf(entries.subarray(ALIGNING_WORDS), ENTRY_WORDS);
  return { entries, columns, tupleHashes: new Int32Array(count), mask: count - 1, hits: new Float64Array(1) };
}
