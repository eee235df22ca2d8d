// The Internet checksum against a sum kept by BigInt, and its incremental update against a sum from scratch.
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../src/util/bytes.js';
import { checksum, fold, sum16, updateChecksum16, updateChecksum32 } from '../../src/util/checksum.js';
import { randomFrom, seed } from '../wire/contract.js';

/** One's complement sum of 16-bit words as of RFC 1071 section 1, with the carry added back at each step. */
function naiveSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += bytes[at] * 256 + (bytes[at + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

describe('checksum', () => {
  it('sums the example of RFC 1071 section 3', () => {
    const bytes = fromHex('0001f203f4f5f6f7');
    expect(sum16(bytes, 0, 8)).toBe(0x2ddf0);
    expect(fold(0x2ddf0)).toBe(0xddf2);
    expect(checksum(bytes, 0, 8)).toBe(0x220d);
  });

  it('is zero over a header that contains it (recorded: rx-1, first frame)', () => {
    const header = fromHex('450000600000400040111277' + '0a0a0a020a0a0a01');
    expect(checksum(header, 0, 20)).toBe(0);
    header.fill(0, 10, 12);
    expect(checksum(header, 0, 20)).toBe(0x1277);
  });

  it('pads an odd byte with zero, and heeds offset, end and what was summed before', () => {
    const bytes = fromHex('ffffff' + '123456' + 'ffff');
    expect(sum16(bytes, 3, 6)).toBe(0x1234 + 0x5600);
    expect(sum16(bytes, 3, 6, 7)).toBe(0x1234 + 0x5600 + 7);
    expect(sum16(bytes, 3, 3)).toBe(0);
    expect(checksum(bytes, 3, 6, 0x1_0000)).toBe(~(0x1234 + 0x5600 + 1) & 0xffff);
  });

  it.each([0, 1, 0xffff, 0x1_0000, 0x1_ffff, 0xffff_ffff, 0x1_0000_0000, 0x1_ffff_ffff, 0xffff_ffff_ffff, 2 ** 53 - 1])(
    'folds %d as one carry after the other does',
    (sum) => {
      let left = BigInt(sum);
      while (left > 0xffffn) left = (left & 0xffffn) + (left >> 16n);
      expect(fold(sum)).toBe(Number(left));
    },
  );

  it(`agrees with a naive sum and with sums in parts (seed ${seed})`, () => {
    const random = randomFrom(seed);
    for (let round = 0; round < 2000; round++) {
      const bytes = new Uint8Array(random(120)).map(() => (random(3) === 0 ? 0xff : random(256)));
      const before = random(3);
      const embedded = new Uint8Array(before + bytes.length + 2).fill(0xa5);
      embedded.set(bytes, before);
      const expected = naiveSum(bytes);
      expect(fold(sum16(embedded, before, before + bytes.length))).toBe(expected);
      const cut = random(bytes.length + 1) & ~1;
      expect(fold(sum16(bytes, cut, bytes.length, sum16(bytes, 0, cut)))).toBe(expected);
    }
  });
});

describe('incremental update', () => {
  it('does the example of RFC 1624 section 4, which equation 2 gets wrong', () => {
    // m = 0x5555 becomes 0x3285 under the checksum 0xdd2f: 0x0000, not 0xffff.
    expect(updateChecksum16(0xdd2f, 0x5555, 0x3285)).toBe(0);
  });

  it(`gives what a sum from scratch gives (seed ${seed})`, () => {
    const random = randomFrom(seed);
    for (let round = 0; round < 5000; round++) {
      const bytes = new Uint8Array(20).map(() => (random(4) === 0 ? 0xff : random(4) === 0 ? 0 : random(256)));
      // A checksum of 0xffff comes only of words that are all zero, where the two forms of zero are the same.
      bytes[18] = 1;
      const view = new DataView(bytes.buffer);
      const old = checksum(bytes, 0, 20);
      const at = random(8) * 2;
      const long = random(2) === 1;
      const before = long ? view.getUint32(at) : view.getUint16(at);
      const after = random(3) === 0 ? (random(2) === 0 ? 0 : -1) : random(2 ** 32);
      if (long) view.setUint32(at, after);
      else view.setUint16(at, after);
      const updated = long ? updateChecksum32(old, before, after) : updateChecksum16(old, before, after & 0xffff);
      expect([round, updated]).toEqual([round, checksum(bytes, 0, 20)]);
      if (long) expect(updateChecksum32(old, before | 0, after | 0)).toBe(updated);
    }
  });
});
