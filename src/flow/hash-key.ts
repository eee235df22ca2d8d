/**
 * A hash of the conversation that a key belongs to, for choices that all of its packets must make alike: addresses, protocol and
 * ports of IP, MACs of the rest.
 */
import { hashAdd, hashFinish } from '../util/hash.js';
import type { FlowWords } from './fields.js';

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
