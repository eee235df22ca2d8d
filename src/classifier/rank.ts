/**
 * Up to 32 subtables made ready to be searched together by a burst: what tuple-space.ts runs through, laid out in the
 * order in which it does. Nothing here searches.
 *
 * Hashing each subtable's eight words or so would be most of a search. But masks are much alike, and the hash is a sum
 * over masked words. So the pairs (word, bits) are ordered by how many subtables have them, and for each packet
 * the sums of the first pair, of the first two, and so on are computed: the *ladder*. A subtable starts from the highest
 * rung whose pairs it has all of, and adds only its *rest*. What all of them have is the *ground* that the ladder stands on. Sixty-four masks that differ in one or two words take eight
 * rungs and one or two words each, and an odd mask among them costs only itself.
 *
 * Subtables are placed by the length of their rest: those with at most one word come first and are filtered by fours
 * (see `filterFour`), then those with two by pairs, and the others, and those that only packets with certain groups can
 * match, one by one.
 */
import { GROUPS_WORD } from '../flow/fields.js';
import { BURST } from '../packet/pool.js';
import { ROW_WORDS } from './flow-store.js';
import { FACTORS, type Subtable } from './subtable.js';

/** Subtables of a rank: a packet's candidates among them are one word of bits. */
export const RANK = 32;
/** Most rungs of a ladder, not counting the ground, which is zero. */
export const MOST_RUNGS = 24;
/** Pairs from one rung to the next: four are added in one pass over the packets (nine words 22 ns, one by one 43). */
export const STEP = 4;

/** Fields of a place in `program`, and how many words a place takes. */
export const Place = {
  /** Offset into the ladder's sums, whose rows are `BURST` long. */
  rung: 0,
  /** First two words of the rest, their bits (0 where there is none) and their factors. */
  word0: 1,
  bits0: 2,
  factor0: 3,
  word1: 4,
  bits1: 5,
  factor1: 6,
  /** First word of the filter among `filters`, and what shifts a hash to its bits there. */
  filter: 7,
  shift: 8,
  /** Groups without which a packet cannot match. */
  required: 9,
  /** The rest beyond two words: from where to where in `restWords`. */
  restStart: 10,
  restEnd: 11,
  words: 16,
} as const;

export interface Rank {
  readonly subtables: readonly Subtable[];
  /** Bits of the words that all subtables have in common, a row. */
  readonly ground: Int32Array;
  /** Pairs of the ladder above the ground, the lowest rung first, and their factors; a multiple of `STEP`, filled up with bits 0. */
  readonly ladderWords: Int32Array;
  readonly ladderBits: Int32Array;
  readonly ladderFactors: Int32Array;
  /** Subtables with a rest of at most one word, and of at most two: they have the first places. */
  readonly single: number;
  readonly double: number;
  /** `Place.words` a subtable. */
  readonly program: Int32Array;
  readonly restWords: Int32Array;
  readonly restBits: Int32Array;
  /** The masks' first `ROW_WORDS` words, with the groups that the mask looks at. */
  readonly masks: Int32Array;
  /** Look-ups that ended at each place since the rank was made. */
  readonly hits: Int32Array;
  // The rest is written by `fetchTables`.
  /** Whether a subtable has replaced its table and filter since. */
  isOutdated: boolean;
  filters: Int32Array;
  readonly tables: Int32Array[];
}

interface Pair {
  readonly word: number;
  readonly bits: number;
  subtables: number;
}

/** Lays out at most `RANK` subtables. */
export function createRank(members: readonly Subtable[]): Rank {
  const ladder = buildLadder(members);
  const climbers = members.map((subtable) => climb(subtable, ladder));
  climbers.sort((a, b) => a.subtable.required - b.subtable.required || a.rest.length - b.rest.length);
  const common = ladder.findIndex(({ word, subtables }) => word >= ROW_WORDS || subtables < members.length);
  const groundHeight = common < 0 ? ladder.length : common;
  const ground = new Int32Array(ROW_WORDS);
  for (const { word, bits } of ladder.slice(0, groundHeight)) ground[word] = bits;
  const { steps, rungOfHeight } = buildSteps(ladder, groundHeight, new Set(climbers.map(({ height }) => height)));
  const free = climbers.filter(({ subtable }) => subtable.required === 0);
  const beyond = climbers.flatMap(({ rest }) => rest.slice(2));
  const program = new Int32Array(climbers.length * Place.words);
  const masks = new Int32Array(climbers.length * ROW_WORDS);
  let restStart = 0;
  climbers.forEach(({ subtable, height, rest }, place) => {
    const at = place * Place.words;
    program[at + Place.rung] = rungOfHeight[height] * BURST;
    if (rest.length > 0) program.set([rest[0].word, rest[0].bits, FACTORS[rest[0].word]], at + Place.word0);
    if (rest.length > 1) program.set([rest[1].word, rest[1].bits, FACTORS[rest[1].word]], at + Place.word1);
    program[at + Place.required] = subtable.required;
    program[at + Place.restStart] = restStart;
    restStart += Math.max(rest.length - 2, 0);
    program[at + Place.restEnd] = restStart;
    masks.set(subtable.mask.subarray(0, ROW_WORDS), place * ROW_WORDS);
    masks[place * ROW_WORDS + GROUPS_WORD] = subtable.groups;
  });
  return {
    subtables: climbers.map(({ subtable }) => subtable),
    ground,
    ladderWords: Int32Array.from(steps, ({ word }) => word),
    ladderBits: Int32Array.from(steps, ({ bits }) => bits),
    ladderFactors: Int32Array.from(steps, ({ word }) => FACTORS[word]),
    single: free.filter(({ rest }) => rest.length <= 1).length,
    double: free.filter(({ rest }) => rest.length <= 2).length,
    program,
    restWords: Int32Array.from(beyond, ({ word }) => word),
    restBits: Int32Array.from(beyond, ({ bits }) => bits),
    masks,
    hits: new Int32Array(climbers.length),
    isOutdated: true,
    filters: new Int32Array(0),
    tables: [],
  };
}

/**
 * Takes over the subtables' tables and moves their filters into one array: an array more in the loop of `filter` costs
 * it a check of its map and three loads a packet. What is removed or added later goes through a view.
 */
export function fetchTables(rank: Rank): void {
  const { program } = rank;
  const filters = new Int32Array(rank.subtables.reduce((words, { filter }) => words + filter.length, 0));
  let start = 0;
  rank.subtables.forEach((subtable, place) => {
    const end = start + subtable.filter.length;
    filters.set(subtable.filter, start);
    subtable.filter = filters.subarray(start, end);
    program[place * Place.words + Place.filter] = start;
    program[place * Place.words + Place.shift] = subtable.filterShift;
    rank.tables[place] = subtable.table;
    start = end;
  });
  rank.filters = filters;
  rank.isOutdated = false;
}

/** The pairs that subtables have, those that most have first. */
function buildLadder(members: readonly Subtable[]): Pair[] {
  const pairs = new Map<string, Pair>();
  for (const { words, bits } of members) {
    words.forEach((word, index) => {
      const name = `${word}/${bits[index]}`;
      const pair = pairs.get(name);
      if (pair === undefined) pairs.set(name, { word, bits: bits[index], subtables: 1 });
      else pair.subtables++;
    });
  }
  return [...pairs.values()].sort((a, b) => b.subtables - a.subtables || a.word - b.word).slice(0, MOST_RUNGS);
}

/** How many pairs from the ladder's foot a subtable has all of, and its other pairs. */
function climb(subtable: Subtable, ladder: readonly Pair[]): { subtable: Subtable; height: number; rest: Pair[] } {
  const pairs = Array.from(subtable.words, (word, index) => ({ word, bits: subtable.bits[index], subtables: 1 }));
  const missing = ladder.findIndex((pair) => !pairs.some(({ word, bits }) => word === pair.word && bits === pair.bits));
  const height = missing < 0 ? ladder.length : missing;
  const shared = new Set(ladder.slice(0, height).map(({ word }) => word));
  return { subtable, height, rest: pairs.filter(({ word }) => !shared.has(word)) };
}

/** Cuts the ladder above the ground at the heights that are started from, and what lies between them into steps. */
function buildSteps(
  ladder: readonly Pair[],
  groundHeight: number,
  heights: ReadonlySet<number>,
): { steps: Pair[]; rungOfHeight: number[] } {
  const steps: Pair[] = [];
  const rungOfHeight: number[] = [];
  let from = groundHeight;
  for (const height of [...heights].sort((a, b) => a - b)) {
    steps.push(...ladder.slice(from, height));
    while (steps.length % STEP !== 0) steps.push({ word: 0, bits: 0, subtables: 0 });
    rungOfHeight[height] = steps.length / STEP;
    from = height;
  }
  return { steps, rungOfHeight };
}
