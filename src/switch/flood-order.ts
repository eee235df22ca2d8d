/**
 * The order in which the actions FLOOD and ALL visit ports: that of the hash table in which Open vSwitch holds a bridge's ports by their
 * OpenFlow number (lib/hmap.c there). NORMAL floods in another order, that of addition.
 */
import { hashInt } from '../util/hash.js';

/** The ports in that order; `ports` in the order of addition. */
export function floodOrder<P extends { readonly ofPort: number }>(ports: readonly P[]): P[] {
  let mask = 0;
  let buckets: P[][] = [[]];
  let count = 0;
  const insert = (port: P): void => {
    // The newest is the first of its bucket.
    buckets[(hashInt(port.ofPort, 0) & mask) >>> 0].unshift(port);
  };
  for (const port of ports) {
    insert(port);
    count++;
    // A table with more than two ports a bucket grows: to the power of two that has more than half as many buckets as ports, at least 4.
    if (count >> 1 <= mask) continue;
    const before = buckets.flat();
    mask = 3;
    while (mask < count >> 1) mask = mask * 2 + 1;
    buckets = Array.from({ length: mask + 1 }, () => []);
    before.forEach(insert);
  }
  return buckets.flat();
}
