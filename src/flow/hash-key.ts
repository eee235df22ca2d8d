/**
 * Hashes of the conversation that a key belongs to: Open vSwitch's own, and one for choices that all of its packets must make
 * alike.
 */
import { hashAdd, hashFinish } from '../util/hash.js';
import { KEY_WORDS, type FlowWords } from './fields.js';
import type { KeyRows } from './key-rows.js';

/** Whether Open vSwitch's 5-tuple hash takes ports, or what stands in their place, of packets of a protocol. */
export function hasPorts(protocol: number): boolean {
  return protocol === 17 || protocol === 6 || protocol === 1 || protocol === 132 || protocol === 58;
}

/** Open vSwitch's 5-tuple hash of IPv4 packets (`miniflow_hash_5tuple`), of words as a key holds them. */
export type TupleHash = (ipSource: number, ipDestination: number, protocol: number, ports: number) => number;

/** A function of the caller's own: V8 checks at each call of a module's function whether it is still the same one. */
export function createTupleHash(): TupleHash {
  const add = hashAdd;
  const finish = hashFinish;
  const ported = hasPorts;
  return (ipSource, ipDestination, protocol, ports) => {
    const tuple = add(add(add(0, ipSource), ipDestination), protocol);
    return finish(ported(protocol) ? add(tuple, ports) : tuple, 42);
  };
}

/** The same for those in no hurry. */
export const hashTuple = createTupleHash();

/** The hash that packets with the key in a row have if none was given to them; 0 where the key does not tell it. */
export function tupleHashOf({ keys, tupleHashes }: KeyRows, row: number): number {
  const key = row * KEY_WORDS;
  if ((keys[key + 5] & 0xffff) !== 0x0008) return tupleHashes[row];
  return hashTuple(keys[key + 8], keys[key + 9], (keys[key + 6] >>> 8) & 0xff, keys[key + 7]);
}

/** A hash of addresses, protocol and ports of IP, of the MACs of the rest. */
export function hashKey(key: FlowWords): number {
  const type = key[5] & 0xffff;
  let h = 0;
  if (type === 0x0008 || type === 0xdd86) {
    h = hashAdd(hashAdd(h, key[8]), key[9]);
    for (let word = 30; word < 38; word++) h = hashAdd(h, key[word]);
    h = hashAdd(hashAdd(h, (key[6] >>> 8) & 0xff), key[7]);
  } else h = hashAdd(hashAdd(hashAdd(h, key[2]), key[3]), key[4]);
  return hashFinish(h, 42);
}
