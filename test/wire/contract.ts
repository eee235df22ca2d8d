// What every protocol of src/wire promises, as one suite: sound vectors are taken apart and put together again, each
// cut and each spoilt field is refused with its reason, and nothing outside `offset` to `end` is read or written.
// Failures of the random part name their seed; SEED=n in the environment repeats it.
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { MegaflowError } from '../../src/util/errors.js';
import { reasonName } from '../../src/util/reason.js';

export type Accessor = (bytes: Uint8Array, offset: number, end: number) => unknown;

type Setter = (bytes: Uint8Array, offset: number, value: number) => void;

export interface Vector {
  /** Where the bytes come from: an RFC, a recording, or how they were made by hand. */
  origin: string;
  hex: string;
  /** Bytes without which `check` refuses it; default all. */
  needs?: number;
  /** Lengths below that make something shorter, but sound, of it. */
  soundAt?: number[];
  value: object;
}

export interface Contract {
  module: {
    check(bytes: Uint8Array, offset?: number, end?: number): number;
    parse(bytes: Uint8Array, offset?: number, end?: number): object | undefined;
    write(bytes: Uint8Array, offset: number, value: never): number;
  };
  vectors: Vector[];
  /** Bytes of the first vector that are overwritten, and the reason that `check` must answer then. */
  spoilt: [what: string, at: number, hex: string, reason: number][];
  accessors: Record<string, Accessor>;
  /** By the name of the parsed field: a setter, what it is given, what is parsed then (default the same). */
  setters?: Record<string, [set: Setter, value: number, parsed?: unknown]>;
  /** Fields that `write` must refuse, with a value that does not fit. */
  unwritable: [field: string, value: unknown][];
}

/** Mulberry32: small, and good enough to make bytes. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export const seed = process.env.SEED === undefined ? Date.now() % 2 ** 32 : Number(process.env.SEED);

/** The bytes in the midst of others. */
export function embed(bytes: Uint8Array, filling: number, before: number): Uint8Array {
  const buffer = new Uint8Array(before + bytes.length + 64).fill(filling);
  buffer.set(bytes, before);
  return buffer;
}

/** Some bytes of a vector changed, sometimes cut. */
export function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const copy = bytes.slice(0, random(4) === 0 ? random(bytes.length + 1) : bytes.length);
  for (let count = random(4); count > 0 && copy.length > 0; count--) {
    // The first bytes hold the lengths: they are hit more often.
    const at = random(2) === 0 ? random(copy.length) : random(Math.min(copy.length, 24));
    copy[at] = random(3) === 0 ? copy[at] ^ (1 << random(8)) : random(256);
  }
  return copy;
}

export function testProtocol(name: string, contract: Contract): void {
  const { module, vectors, spoilt, accessors, setters = {}, unwritable } = contract;
  const write = module.write as (bytes: Uint8Array, offset: number, value: object) => number;
  const first = (): Uint8Array => fromHex(vectors[0].hex);

  /** Everything that can be asked of the bytes. Views become arrays of their own. */
  const ask = (bytes: Uint8Array, offset: number, end: number): unknown => {
    const reason = module.check(bytes, offset, end);
    if (reason !== 0) return { reason: reasonName(reason), value: module.parse(bytes, offset, end) };
    const answers: Record<string, unknown> = {};
    for (const [key, accessor] of Object.entries(accessors)) {
      const answer = accessor(bytes, offset, end);
      const isPlace = /(Offset|End)$/.test(key) && !/^fragment/.test(key);
      answers[key] = isPlace ? (answer as number) - offset : answer instanceof Uint8Array ? toHex(answer) : answer;
    }
    return { answers, value: module.parse(bytes, offset, end) };
  };

  describe(name, () => {
    for (const { origin, hex, needs, soundAt = [], value } of vectors) {
      const bytes = fromHex(hex);
      describe(origin, () => {
        it('is sound and taken apart', () => {
          expect(reasonName(module.check(bytes))).toBe('sound');
          expect(module.parse(bytes)).toEqual(value);
        });

        it('is put together, and nothing around it is touched', () => {
          const buffer = new Uint8Array(bytes.length + 32).fill(0xa5);
          const length = write(buffer, 16, value);
          expect(toHex(buffer, 16, 16 + length)).toBe(toHex(bytes, 0, length));
          buffer.fill(0xa5, 16, 16 + length);
          expect(buffer.every((byte) => byte === 0xa5)).toBe(true);
        });

        it('is refused at every length that cuts it', () => {
          const least = needs ?? bytes.length;
          for (let length = 0; length < bytes.length; length++) {
            const isSound = length >= least || soundAt.includes(length);
            expect([length, module.check(bytes, 0, length) === 0]).toEqual([length, isSound]);
            expect(module.parse(bytes, 0, length) !== undefined).toBe(isSound);
          }
        });

        it('needs room to be written', () => {
          const length = write(new Uint8Array(bytes.length), 0, value);
          expect(() => write(new Uint8Array(length - 1), 0, value)).toThrow(MegaflowError);
          expect(() => write(new Uint8Array(length), 1, value)).toThrow(MegaflowError);
          expect(() => write(new Uint8Array(length), -1, value)).toThrow(MegaflowError);
        });
      });
    }

    it('gives the first vector to its accessors', () => {
      const value = vectors[0].value as Record<string, unknown>;
      const bytes = first();
      const asked = Object.keys(accessors).filter((key) => /number|boolean/.test(typeof value[key]));
      for (const key of asked) expect([key, accessors[key](bytes, 0, bytes.length)]).toEqual([key, value[key]]);
    });

    it.each(spoilt)('refuses %s', (_, at, hex, reason) => {
      const bytes = first();
      bytes.set(fromHex(hex), at);
      expect(reasonName(module.check(bytes))).toBe(reasonName(reason));
      expect(module.parse(bytes)).toBeUndefined();
    });

    it.each(Object.entries(setters))('sets %s and nothing else', (key, [set, value, parsed]) => {
      const bytes = embed(first(), 0xa5, 8);
      const before = module.parse(first());
      set(bytes, 8, value);
      expect(module.parse(bytes, 8, bytes.length - 64)).toEqual({ ...before, [key]: parsed ?? value });
    });

    it.each(unwritable)('does not write %s = %s', (key, value) => {
      const object = { ...vectors[0].value, [key]: value };
      expect(() => write(new Uint8Array(4096), 0, object)).toThrow(MegaflowError);
    });

    it(`answers the same in the midst of anything, and puts together what it took apart (seed ${seed})`, () => {
      const random = randomFrom(seed);
      for (let round = 0; round < 2000; round++) {
        const bytes = mutate(fromHex(vectors[random(vectors.length)].hex), random);
        const before = random(8);
        const [zeros, ones] = [embed(bytes, 0, before), embed(bytes, 0xff, before + 1)];
        const answer = ask(zeros, before, before + bytes.length);
        const context = `${toHex(bytes)} (seed ${seed})`;
        expect(ask(ones, before + 1, before + 1 + bytes.length), context).toEqual(answer);
        const value = module.parse(bytes);
        if (value === undefined) continue;
        const buffer = new Uint8Array(bytes.length + 8).fill(0xa5);
        const length = write(buffer, 0, value);
        expect(toHex(buffer, 0, length), context).toBe(toHex(bytes, 0, length));
      }
    });
  });
}
