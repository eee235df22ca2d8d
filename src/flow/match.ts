/**
 * A match: the key that a flow was installed with, and the mask that says which of its bits count. Its text, both ways,
 * is in `text-format.ts` and `text-parse.ts`; looking one up among many is the classifier's.
 */
import { GROUPS_WORD, KEY_WORDS, type FlowWords } from './fields.js';

/**
 * One Geneve option (RFC 8926 section 3.5) of a match or of `set(tunnel(...))`. Masks are all ones where nothing was
 * said.
 */
export interface GeneveOption {
  /** 16 bits. */
  readonly optionClass: number;
  readonly optionClassMask: number;
  /** 8 bits. */
  readonly type: number;
  readonly typeMask: number;
  /** A multiple of 4 bytes, up to 124. */
  readonly data: Uint8Array;
  /** As long as `data`. */
  readonly dataMask: Uint8Array;
  /** Mask of the length, which counts words of 4 bytes: 31 is exact. */
  readonly lengthMask: number;
}

/**
 * Key and mask are words of `fields.ts`, `KEY_WORDS` each. The key keeps its values as they were installed: what the
 * mask does not cover is not cleared.
 */
export interface FlowMatch {
  readonly key: FlowWords;
  readonly mask: FlowWords;
  /** Options of a Geneve tunnel, which the words do not hold. Absent: none. */
  readonly geneve?: readonly GeneveOption[];
}

/** A match that every packet meets. Allocates. */
export function createMatch(): { key: FlowWords; mask: FlowWords } {
  return { key: new Int32Array(KEY_WORDS), mask: new Int32Array(KEY_WORDS) };
}

/** Whether a packet's key meets the match. Geneve options are not looked at: a packet's key has none. */
export function matches(match: FlowMatch, key: FlowWords): boolean {
  for (let word = 0; word < KEY_WORDS; word++) {
    if (word !== GROUPS_WORD && ((match.key[word] ^ key[word]) & match.mask[word]) !== 0) return false;
  }
  return true;
}

/**
 * Whether two matches are met by the same packets because they ask the same: equal masks, and equal keys under them.
 */
export function sameMatch(first: FlowMatch, second: FlowMatch): boolean {
  for (let word = 0; word < KEY_WORDS; word++) {
    if (word !== GROUPS_WORD && first.mask[word] !== second.mask[word]) return false;
  }
  return matches(first, second.key) && geneveText(first) === geneveText(second);
}

function geneveText(match: FlowMatch): string {
  const options = match.geneve ?? [];
  return JSON.stringify(
    options.map((option) => [
      option.optionClassMask,
      option.optionClass & option.optionClassMask,
      option.typeMask,
      option.type & option.typeMask,
      option.lengthMask,
      Array.from(option.dataMask),
      Array.from(option.data, (byte, index) => byte & option.dataMask[index]),
    ]),
  );
}
