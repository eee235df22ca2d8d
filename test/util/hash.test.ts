// Open vSwitch's hash: against the formula in BigInt, and against what a recorded Open vSwitch chose by it.
import { describe, expect, it } from 'vitest';
import { hashAdd, hashFinish, hashInt } from '../../src/util/hash.js';
import { randomFrom, seed } from '../wire/contract.js';

const M = 0xffff_ffffn;
const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (32n - bits))) & M;
const unsigned = (value: number): bigint => BigInt(value >>> 0);

function naiveAdd(hash: bigint, data: bigint): bigint {
  let h = hash;
  if (data !== 0n) h ^= (rotate((data * 0xcc9e2d51n) & M, 15n) * 0x1b873593n) & M;
  return (rotate(h, 13n) * 5n + 0xe6546b64n) & M;
}

function naiveFinish(hash: bigint, final: bigint): bigint {
  let h = hash ^ final;
  h ^= h >> 16n;
  h = (h * 0x85ebca6bn) & M;
  h ^= h >> 13n;
  h = (h * 0xc2b2ae35n) & M;
  return h ^ (h >> 16n);
}

/** `32768 + ((hash * 28232) >> 32)`. */
const port = (hash: number): number => 32768 + Number((unsigned(hash) * 28232n) >> 32n);

describe('hash', () => {
  it('chooses the source ports that Open vSwitch 3.1.0 was seen to choose', () => {
    // Addresses as little-endian words: 1.1.1.1, 1.1.1.2; protocol ICMP; type 8 or 0 and code 0 as two wide ports.
    const icmp = (source: number, destination: number, type: number): number =>
      hashFinish([source, destination, 1, type << 8].reduce(hashAdd, 0), 42);
    expect(port(icmp(0x01010101, 0x02010101, 8))).toBe(56566);
    expect(port(icmp(0x02010101, 0x01010101, 0))).toBe(51737);
    expect(port(hashFinish(0, 42))).toBe(33705);
    expect(port(hashFinish([0, 0, 0].reduce(hashAdd, 0), 42))).toBe(52643);
  });

  it(`is its formula, in 32 bits (seed ${seed})`, () => {
    const random = randomFrom(seed);
    const word = (): number => (random(6) === 0 ? [0, -1, -0x8000_0000, 1][random(4)] : random(2 ** 32) | 0);
    for (let round = 0; round < 5000; round++) {
      const [hash, data] = [word(), word()];
      expect(hashAdd(hash, data)).toBe(Number(BigInt.asIntN(32, naiveAdd(unsigned(hash), unsigned(data)))));
      expect(hashFinish(hash, data)).toBe(Number(BigInt.asIntN(32, naiveFinish(unsigned(hash), unsigned(data)))));
      const whole = naiveFinish(naiveAdd(naiveAdd(unsigned(data), 0n), unsigned(hash)), 8n);
      expect(hashInt(data, hash)).toBe(Number(BigInt.asIntN(32, whole)));
    }
  });
});
