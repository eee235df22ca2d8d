/**
 * The classifier of OpenFlow tables: of the rules that match a flow it finds one of the highest priority, and writes
 * down which bits of the flow decided that, so that the megaflow made from the answer is as wide as is right. The
 * megaflows themselves are in tuple-space.ts, which is faster and knows neither priorities nor wildcards.
 *
 * It follows lib/classifier.c of Open vSwitch 3.1, since the bits it un-wildcards can be seen in every megaflow:
 *
 * - Rules with the same mask share a subtable, a hash table of masked keys. Subtables are visited in the order of their
 *   highest priority, until none can hold a better rule than the one found.
 * - Staged look-up: a subtable is searched in up to four steps (stages.ts), each adding fields to the hash. A look-up
 *   that fails at a step has not looked at the fields of later ones. An ARP packet is not asked for its
 *   TCP port.
 * - Prefix tries: what prefix lengths of an address exist in the whole table is known from a few leading bits; a
 *   subtable of another prefix length is skipped for the price of these bits.
 * - Ports trie: where only the last step fails and it had transport ports, the leading bits that none of the subtable's
 *   ports has are enough. Against a rule for port 8472 alone, port 53 is known to differ by its first three bits.
 *
 * Conjunctive matches (`conj_id`) are not here.
 */
import { fields, getField, type FieldName, type FlowWords } from '../flow/fields.js';
import { swap32 } from '../util/bytes.js';
import { MegaflowError } from '../util/errors.js';
import { hashAdd, hashFinish } from '../util/hash.js';
import { createPrefixTrie, prefixMask, type PrefixTrie } from './prefix-trie.js';
import { fieldStages, splitMask, type MaskPart } from './stages.js';

/** What a rule is to the classifier. Arrays are `KEY_WORDS` or `FLOW_WORDS` long and must not change while it is in. */
export interface StagedRule {
  /** Bits outside `mask` do not matter. */
  readonly key: FlowWords;
  readonly mask: FlowWords;
  /** An integer; the highest wins. Among equal ones any may win. */
  readonly priority: number;
  /** It is in, and so its fields are looked at, but it is not found: as if it came with a later version of the table. */
  readonly isHidden?: boolean;
}

export interface StagedClassifier<Rule extends StagedRule> {
  /** Adds a rule. One of the same key, mask and priority gives its place to it, and is answered. */
  insert(rule: Rule): Rule | undefined;
  /** Takes out this very rule; false if it is not in. */
  remove(rule: Rule): boolean;
  /** The rule of exactly this key (under the mask), mask and priority. */
  find(key: FlowWords, mask: FlowWords, priority: number): Rule | undefined;
  /**
   * The rule of the highest priority that matches. The bits of `flow` that decided this are set in `wildcards`, a mask;
   * other bits stay as they are. The Ethernet type is taken as decided already by the caller.
   */
  lookup(flow: FlowWords, wildcards: FlowWords | null): Rule | undefined;
  readonly size: number;
  /** By subtables, the highest priority first, and in a subtable as they came: the order of Open vSwitch's dumps. */
  [Symbol.iterator](): IterableIterator<Rule>;
}

/** The fields that can have a trie, and the Ethernet type without which they mean something else. */
const prefixFieldTypes: Partial<Record<FieldName, number>> = {
  ipv4Src: 0x0800,
  ipv4Dst: 0x0800,
  ipv6Src: 0x86dd,
  ipv6Dst: 0x86dd,
  tunSrc: 0,
  tunDst: 0,
  tunIpv6Src: 0,
  tunIpv6Dst: 0,
};

/** The prefix fields of Open vSwitch 3.1's OpenFlow tables. */
export const DEFAULT_PREFIX_FIELDS: readonly FieldName[] = ['ipv4Dst', 'ipv4Src'];

const PORTS_WORD = fields.tpSrc.at >> 2;

/** Rules of one masked key, the highest priority first. */
interface Entry<Rule> {
  readonly rules: Rule[];
  /** Of each rule, its key in `Subtable.rules`. */
  readonly orders: number[];
}

/** The trie of one field, and what it said about the flow in hand. */
interface FieldTrie {
  readonly stage: number;
  readonly ethType: number;
  readonly firstWord: number;
  /** 1 or 4. */
  readonly words: number;
  readonly trie: PrefixTrie;
  isDone: boolean;
  maskBits: number;
  readonly lengths: Int32Array;
}

interface TrieUse {
  readonly trie: FieldTrie;
  /** Length of the subtable's mask there. */
  readonly length: number;
}

interface Step {
  readonly words: Int32Array;
  readonly bits: Int32Array;
  /** Hashes of all masked keys up to this step, with the number of them; null for the last step. */
  readonly index: Map<number, number> | null;
  readonly tries: readonly TrieUse[];
}

interface Subtable<Rule> {
  readonly maskText: string;
  readonly steps: readonly Step[];
  readonly entries: Map<number, Entry<Rule>[]>;
  /** In the order of arrival. */
  readonly rules: Map<number, Rule>;
  readonly tries: readonly TrieUse[];
  /** Source port × 65536 + destination port, as a number. */
  readonly portsMask: number;
  /** Bits of `portsMask` down to its lowest one. */
  readonly portsLength: number;
  readonly ports: PrefixTrie;
  highest: number;
}

/** Length of the prefix that a mask has in some words; 0 if it is none. */
function prefixLength(mask: FlowWords, firstWord: number, words: number): number {
  let length = 0;
  let isOver = false;
  for (let word = firstWord; word < firstWord + words; word++) {
    const bits = swap32(mask[word]) | 0;
    if (isOver && bits !== 0) return 0;
    const ones = Math.clz32(~bits);
    if (bits !== prefixMask(ones)) return 0;
    length += ones;
    isOver ||= ones < 32;
  }
  return length;
}

function hashStep(hash: number, step: { words: Int32Array; bits: Int32Array }, flow: FlowWords): number {
  const { words, bits } = step;
  let mixed = hash;
  for (let index = 0; index < words.length; index++) mixed = hashAdd(mixed, flow[words[index]] & bits[index]);
  return mixed;
}

/** Whether two flows are equal in the bits of a subtable. */
function equalInSteps(steps: readonly Step[], a: FlowWords, b: FlowWords): boolean {
  for (const { words, bits } of steps) {
    for (let index = 0; index < words.length; index++) {
      if (((a[words[index]] ^ b[words[index]]) & bits[index]) !== 0) return false;
    }
  }
  return true;
}

/** Sets the bits of the first `count` steps in a mask. */
function foldSteps(steps: readonly Step[], count: number, wildcards: FlowWords): void {
  for (let number = 0; number < count; number++) {
    const { words, bits } = steps[number];
    for (let index = 0; index < words.length; index++) wildcards[words[index]] |= bits[index];
  }
}

/** The first `bits` bits of a field, as they lie in a mask, word by word; null words beyond. */
function prefixWord(bits: number, word: number): number {
  return swap32(prefixMask(Math.min(32, Math.max(0, bits - 32 * word)))) | 0;
}

const valueWords = new Int32Array(4);

/** The words of an address in the order of numbers; the array is shared. */
function addressWords(flow: FlowWords, firstWord: number, words: number): Int32Array {
  for (let word = 0; word < words; word++) valueWords[word] = swap32(flow[firstWord + word]);
  return valueWords;
}

/**
 * Whether a trie says that no rule of a subtable matches; then the bits that it needed are set in `wildcards`. It says
 * so only if that costs no more bits than the subtable's own mask, or bits that are set already: the trie is the whole
 * table's, and may know of prefixes that this flow will never meet.
 */
function isRuledOut(use: TrieUse, flow: FlowWords, wildcards: FlowWords): boolean {
  const { trie, length } = use;
  if (!trie.isDone) {
    trie.isDone = true;
    if (trie.ethType !== 0 && getField(flow, 'ethType') !== trie.ethType) {
      trie.lengths.fill(-1);
      trie.maskBits = 0;
    } else {
      trie.lengths.fill(0);
      const value = addressWords(flow, trie.firstWord, trie.words);
      trie.maskBits = trie.trie.lookup(value, trie.words * 32, trie.lengths);
    }
  }
  if ((trie.lengths[(length - 1) >>> 5] & (1 << ((length - 1) & 31))) !== 0) return false;
  if (trie.maskBits > length) {
    for (let word = 0; word < trie.words; word++) {
      if ((~wildcards[trie.firstWord + word] & prefixWord(trie.maskBits, word)) !== 0) return false;
    }
    return true;
  }
  for (let word = 0; word < trie.words; word++) wildcards[trie.firstWord + word] |= prefixWord(trie.maskBits, word);
  return true;
}

/** The first rule of a masked key, without a word about the bits that were looked at. */
function findEntry<Rule extends StagedRule>(
  subtable: Subtable<Rule>,
  flow: FlowWords,
  hash: number,
): Entry<Rule> | undefined {
  const bucket = subtable.entries.get(hash);
  if (bucket === undefined) return undefined;
  for (const entry of bucket) if (equalInSteps(subtable.steps, entry.rules[0].key, flow)) return entry;
  return undefined;
}

function hashKey(steps: readonly Step[], flow: FlowWords): number {
  let hash = 0;
  for (const step of steps) hash = hashStep(hash, step, flow);
  return hashFinish(hash, 0);
}

/** Searches one subtable, and sets in `wildcards` what it looked at. */
function searchSubtable<Rule extends StagedRule>(
  subtable: Subtable<Rule>,
  flow: FlowWords,
  wildcards: FlowWords,
): Rule | undefined {
  const { steps } = subtable;
  let hash = 0;
  for (let number = 0; number < steps.length; number++) {
    const step = steps[number];
    for (const use of step.tries) {
      if (isRuledOut(use, flow, wildcards)) {
        foldSteps(steps, number, wildcards);
        return undefined;
      }
    }
    hash = hashStep(hash, step, flow);
    if (step.index !== null && !step.index.has(hash)) {
      foldSteps(steps, number + 1, wildcards);
      return undefined;
    }
  }
  const rule = findVisible(findEntry(subtable, flow, hashFinish(hash, 0)));
  if (rule === undefined && subtable.portsLength > 0) {
    const before = wildcards[PORTS_WORD];
    valueWords[0] = swap32(flow[PORTS_WORD]) & subtable.portsMask;
    const bits = subtable.ports.lookup(valueWords, 32, null);
    foldSteps(steps, steps.length, wildcards);
    wildcards[PORTS_WORD] = before | swap32(subtable.portsMask & prefixMask(bits));
    return undefined;
  }
  foldSteps(steps, steps.length, wildcards);
  return rule;
}

function findVisible<Rule extends StagedRule>(entry: Entry<Rule> | undefined): Rule | undefined {
  return entry?.rules.find(({ isHidden }) => !isHidden);
}

function toText(parts: readonly MaskPart[]): string {
  return parts.map(({ words, bits }) => `${words.join()}:${bits.join()}`).join(';');
}

/** An empty classifier. `prefixFields`: the address fields that get a trie; throws `bad-option` for others. */
export function createStagedClassifier<Rule extends StagedRule>(
  options: { readonly prefixFields?: readonly FieldName[] } = {},
): StagedClassifier<Rule> {
  const fieldTries = (options.prefixFields ?? DEFAULT_PREFIX_FIELDS).map((name): FieldTrie => {
    const ethType = prefixFieldTypes[name];
    if (ethType === undefined) {
      throw new MegaflowError(
        'bad-option',
        `no prefix tracking for ${name}`,
        name,
        Object.keys(prefixFieldTypes).join(', '),
      );
    }
    const { at, length } = fields[name];
    return {
      stage: fieldStages[name],
      ethType,
      firstWord: at >> 2,
      words: length >> 2,
      trie: createPrefixTrie(),
      isDone: false,
      maskBits: 0,
      lengths: new Int32Array(length >> 2),
    };
  });
  const byMask = new Map<string, Subtable<Rule>>();
  /** By falling `highest`; among equals, who got there first. */
  const subtables: Subtable<Rule>[] = [];
  let size = 0;
  let arrivals = 0;

  function createSubtable(
    mask: FlowWords,
    parts: readonly MaskPart[],
    maskText: string,
    highest: number,
  ): Subtable<Rule> {
    const uses = fieldTries.map((trie): TrieUse => ({ trie, length: prefixLength(mask, trie.firstWord, trie.words) }));
    const tries = uses.filter(({ length }) => length > 0);
    const steps = parts.map(
      ({ stage, words, bits }, number): Step => ({
        words,
        bits,
        index: number < parts.length - 1 ? new Map() : null,
        tries: tries.filter(({ trie }) => trie.stage === stage),
      }),
    );
    const portsMask = swap32(mask[PORTS_WORD]) | 0;
    const portsLength = portsMask === 0 ? 0 : 1 + Math.clz32(portsMask & -portsMask);
    return {
      maskText,
      steps,
      entries: new Map(),
      rules: new Map(),
      tries,
      portsMask,
      portsLength,
      ports: createPrefixTrie(),
      highest,
    };
  }

  // Sorting is stable, as there: of two subtables with the same highest priority the one that was before stays before.
  const sortSubtables = (): void => {
    subtables.sort((a, b) => b.highest - a.highest);
  };

  /** Adds a masked key to, or takes it from, the indexes and tries of its subtable. */
  function countKey(subtable: Subtable<Rule>, key: FlowWords, change: 1 | -1): void {
    let hash = 0;
    for (const step of subtable.steps) {
      hash = hashStep(hash, step, key);
      if (step.index === null) continue;
      const count = (step.index.get(hash) ?? 0) + change;
      if (count === 0) step.index.delete(hash);
      else step.index.set(hash, count);
    }
    for (const { trie, length } of subtable.tries) {
      const value = addressWords(key, trie.firstWord, trie.words);
      if (change === 1) trie.trie.insert(value, length);
      else trie.trie.remove(value, length);
    }
    if (subtable.portsLength > 0) {
      valueWords[0] = swap32(key[PORTS_WORD]) & subtable.portsMask;
      if (change === 1) subtable.ports.insert(valueWords, subtable.portsLength);
      else subtable.ports.remove(valueWords, subtable.portsLength);
    }
  }

  function insert(rule: Rule): Rule | undefined {
    const parts = splitMask(rule.mask);
    const maskText = toText(parts);
    let subtable = byMask.get(maskText);
    if (subtable === undefined) {
      subtable = createSubtable(rule.mask, parts, maskText, rule.priority);
      byMask.set(maskText, subtable);
      subtables.push(subtable);
      sortSubtables();
    }
    const hash = hashKey(subtable.steps, rule.key);
    const entry = findEntry(subtable, rule.key, hash);
    if (entry === undefined) {
      const created: Entry<Rule> = { rules: [rule], orders: [arrivals] };
      const bucket = subtable.entries.get(hash);
      if (bucket === undefined) subtable.entries.set(hash, [created]);
      else bucket.push(created);
      countKey(subtable, rule.key, 1);
    } else {
      let place = 0;
      while (place < entry.rules.length && entry.rules[place].priority > rule.priority) place++;
      const old = entry.rules[place];
      if (old !== undefined && old.priority === rule.priority) {
        entry.rules[place] = rule;
        subtable.rules.set(entry.orders[place], rule);
        return old;
      }
      entry.rules.splice(place, 0, rule);
      entry.orders.splice(place, 0, arrivals);
    }
    subtable.rules.set(arrivals++, rule);
    size++;
    if (rule.priority > subtable.highest) {
      subtable.highest = rule.priority;
      sortSubtables();
    }
    return undefined;
  }

  function remove(rule: Rule): boolean {
    const subtable = byMask.get(toText(splitMask(rule.mask)));
    if (subtable === undefined) return false;
    const hash = hashKey(subtable.steps, rule.key);
    const entry = findEntry(subtable, rule.key, hash);
    const place = entry === undefined ? -1 : entry.rules.indexOf(rule);
    if (entry === undefined || place < 0) return false;
    subtable.rules.delete(entry.orders[place]);
    entry.rules.splice(place, 1);
    entry.orders.splice(place, 1);
    size--;
    if (entry.rules.length === 0) {
      const bucket = subtable.entries.get(hash)!;
      if (bucket.length === 1) subtable.entries.delete(hash);
      else bucket.splice(bucket.indexOf(entry), 1);
      countKey(subtable, rule.key, -1);
    }
    if (subtable.rules.size === 0) {
      byMask.delete(subtable.maskText);
      subtables.splice(subtables.indexOf(subtable), 1);
    } else if (rule.priority === subtable.highest) {
      let highest = -Infinity;
      for (const left of subtable.rules.values()) if (left.priority > highest) highest = left.priority;
      if (highest !== subtable.highest) {
        subtable.highest = highest;
        sortSubtables();
      }
    }
    return true;
  }

  function find(key: FlowWords, mask: FlowWords, priority: number): Rule | undefined {
    const subtable = byMask.get(toText(splitMask(mask)));
    if (subtable === undefined) return undefined;
    const entry = findEntry(subtable, key, hashKey(subtable.steps, key));
    return entry?.rules.find((rule) => rule.priority === priority);
  }

  function lookup(flow: FlowWords, wildcards: FlowWords | null): Rule | undefined {
    for (const trie of fieldTries) trie.isDone = false;
    let best: Rule | undefined;
    for (const subtable of subtables) {
      if (best !== undefined && best.priority >= subtable.highest) break;
      const rule =
        wildcards === null
          ? findVisible(findEntry(subtable, flow, hashKey(subtable.steps, flow)))
          : searchSubtable(subtable, flow, wildcards);
      if (rule !== undefined && (best === undefined || rule.priority > best.priority)) best = rule;
    }
    return best;
  }

  return {
    insert,
    remove,
    find,
    lookup,
    get size() {
      return size;
    },
    *[Symbol.iterator]() {
      for (const subtable of subtables) yield* subtable.rules.values();
    },
  };
}
