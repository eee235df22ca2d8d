// Random numbers from a seed, so that what a test invents can be invented again.

export interface Random {
  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number;
  /** 32 random bits as an int32. */
  word(): number;
  pick<T>(values: readonly T[]): T;
}

/** The generator mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  const word = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) | 0;
  };
  const below = (limit: number): number => (word() >>> 0) % limit;
  return { below, word, pick: (values) => values[below(values.length)] };
}
