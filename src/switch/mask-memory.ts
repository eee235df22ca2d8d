/**
 * Masks that translations came to lately. A switch has few of them, so that nearly every translation can be handed one that is there
 * already: nothing is allocated, and nobody writes to it.
 */
import { KEY_WORDS, type FlowWords } from '../flow/fields.js';

/** Masks that are remembered, a power of two: one a hash, the later takes the place of the earlier. */
const PLACES = 256;

export class MaskMemory {
  readonly #masks: (FlowWords | undefined)[] = new Array<FlowWords | undefined>(PLACES).fill(undefined);

  /** A mask of `KEY_WORDS` words like the first words of `words`, not to be written to. */
  share(words: FlowWords): FlowWords {
    let hash = 0;
    for (let word = 0; word < KEY_WORDS; word++) hash = (Math.imul(hash, 31) + words[word]) | 0;
    const place = (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & (PLACES - 1);
    const known = this.#masks[place];
    if (known && isSame(known, words)) return known;
    return (this.#masks[place] = words.slice(0, KEY_WORDS));
  }
}

function isSame(mask: FlowWords, words: FlowWords): boolean {
  for (let word = 0; word < KEY_WORDS; word++) if (mask[word] !== words[word]) return false;
  return true;
}
