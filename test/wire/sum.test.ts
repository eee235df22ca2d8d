import { expect, it } from 'vitest';
import { fold, sum16 } from '../../src/util/checksum.js';
import { checksumRange, sumRange } from '../../src/wire/sum.js';
import { randomFrom, seed } from './contract.js';

it('has the sum of RFC 1071, section 3', () => {
  const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  expect(fold(sumRange(bytes, 0, 8))).toBe(0xddf2);
  expect(checksumRange(bytes, 0, 8)).toBe(0x220d);
});

it(`agrees with the sum by bytes at every alignment and length (seed ${seed})`, () => {
  const random = randomFrom(seed);
  const buffer = new Uint8Array(1000);
  for (let round = 0; round < 3000; round++) {
    for (let at = 0; at < buffer.length; at++) buffer[at] = round % 3 === 0 ? 0xff : random(256);
    const view = buffer.subarray(random(9));
    const offset = random(40);
    const end = offset + random(view.length - offset + 1);
    const initial = random(2 ** 20);
    expect([offset, end, fold(sumRange(view, offset, end, initial))]).toEqual([
      offset,
      end,
      fold(sum16(view, offset, end, initial)),
    ]);
  }
});

it('does not overflow with a megabyte of ones', () => {
  const bytes = new Uint8Array(1 << 20).fill(0xff);
  expect(fold(sumRange(bytes, 0, bytes.length))).toBe(0xffff);
});
