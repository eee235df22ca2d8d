// Integers in byte arrays, against DataView, and hexadecimal text.
import { describe, expect, it } from 'vitest';
import {
  copyBytes,
  formatByte,
  fromHex,
  get16,
  get24,
  get32,
  get48,
  put16,
  put24,
  put32,
  put48,
  swap16,
  swap32,
  toHex,
} from '../../src/util/bytes.js';
import { MegaflowError } from '../../src/util/errors.js';
import { randomFrom, seed } from '../wire/contract.js';

describe('integers', () => {
  it(`are read and written big-endian, unsigned, and touch nothing else (seed ${seed})`, () => {
    const random = randomFrom(seed);
    for (let round = 0; round < 500; round++) {
      const bytes = new Uint8Array(16).map(() => random(256));
      const view = new DataView(bytes.buffer);
      const at = random(10);
      expect(get16(bytes, at)).toBe(view.getUint16(at));
      expect(get24(bytes, at)).toBe(view.getUint32(at) >>> 8);
      expect(get32(bytes, at)).toBe(view.getUint32(at));
      expect(get48(bytes, at)).toBe(parseInt(toHex(bytes, at, at + 6), 16));
      for (const [put, get, length] of [
        [put16, get16, 2],
        [put24, get24, 3],
        [put32, get32, 4],
        [put48, get48, 6],
      ] as const) {
        const copy = new Uint8Array(16).fill(0xa5);
        put(copy, at, get(bytes, at));
        expect(toHex(copy, at, at + length)).toBe(toHex(bytes, at, at + length));
        copy.fill(0xa5, at, at + length);
        expect(toHex(copy)).toBe('a5'.repeat(16));
      }
    }
  });

  it('changes places of bytes', () => {
    expect(swap16(0x1234)).toBe(0x3412);
    expect(swap16(0xff00)).toBe(0x00ff);
    expect(swap32(0x12345678)).toBe(0x78563412);
    expect(swap32(-2)).toBe(0xfeffffff);
    expect(swap32(0x000000ff)).toBe(0xff000000);
  });
});

describe('hexadecimal text', () => {
  it('is read in either case, with blanks, and printed in lower case', () => {
    expect(toHex(fromHex('00 fF\n1a\tB2'))).toBe('00ff1ab2');
    expect(fromHex('')).toEqual(new Uint8Array(0));
    expect(toHex(fromHex('0011223344'), 1, 3)).toBe('1122');
  });

  it.each(['0', 'abc', '0x12', 'zz', '12-34'])('refuses %j', (text) => {
    expect(() => fromHex(text)).toThrow(MegaflowError);
    expect(() => fromHex(text)).toThrow(expect.objectContaining({ code: 'bad-argument', value: text }));
  });
});

describe('copyBytes', () => {
  it.each([0, 1, 31, 32, 33, 200])('copies %i bytes, of a Buffer too, and leaves what it copied alone', (length) => {
    for (const bytes of [
      Uint8Array.from({ length: 300 }, (_, at) => at),
      Buffer.from(Array.from({ length: 300 }, (_, at) => at)),
    ]) {
      const copy = copyBytes(bytes, 7, 7 + length);
      expect(copy.constructor).toBe(Uint8Array);
      expect(toHex(copy)).toBe(toHex(bytes, 7, 7 + length));
      copy.fill(0xee);
      expect(bytes[7]).toBe(7);
    }
  });

  it('has nothing where the end is before the start', () => {
    expect(copyBytes(new Uint8Array(4), 3, 1)).toHaveLength(0);
  });
});

it('formatByte has two digits', () => {
  expect([0, 9, 10, 255].map(formatByte)).toEqual(['00', '09', '0a', 'ff']);
});
