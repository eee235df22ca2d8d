/**
 * Which port of a bridge has most entries in the MAC table. Ports stand in a binary heap by how many they have; which
 * of two ports with equally many stands higher follows from the order of all changes, and is Open vSwitch's
 * (lib/heap.c).
 */
import { Recency, type Place } from './recency.js';

/** A port and its entries, the least recently used first. */
interface PortUse<P, E> {
  readonly port: P;
  readonly entries: Recency<E>;
  /** Place in the heap. */
  index: number;
}

export class PortUsage<P, E> {
  readonly #byPort = new Map<P, PortUse<P, E>>();
  /** From index 1: the parent of `index` stands at half of it. */
  readonly #heap: PortUse<P, E>[] = [];

  /** The entries of a port. */
  entries(port: P): Iterable<E> {
    return this.#byPort.get(port)?.entries ?? [];
  }

  /** The least recently used entry of the port that has most. */
  oldestOfMost(): E | undefined {
    return this.#heap[1]?.entries.oldest?.entry;
  }

  add(port: P, place: Place<E>): void {
    let use = this.#byPort.get(port);
    if (!use) {
      use = { port, entries: new Recency(), index: Math.max(1, this.#heap.length) };
      this.#byPort.set(port, use);
      this.#heap[use.index] = use;
    }
    use.entries.add(place);
    this.#settle(use.index);
  }

  /** Makes an entry the most recently used one of its port. */
  touch(port: P, place: Place<E>): void {
    this.#byPort.get(port)?.entries.touch(place);
  }

  remove(port: P, place: Place<E>): void {
    const use = this.#byPort.get(port);
    if (!use) return;
    use.entries.remove(place);
    if (use.entries.size > 0) {
      this.#settle(use.index);
      return;
    }
    this.#byPort.delete(port);
    const last = this.#heap.pop()!;
    if (last === use) return;
    this.#put(last, use.index);
    this.#settle(use.index);
  }

  #put(use: PortUse<P, E>, index: number): void {
    this.#heap[index] = use;
    use.index = index;
  }

  #swap(a: number, b: number): void {
    const use = this.#heap[a];
    this.#put(this.#heap[b], a);
    this.#put(use, b);
  }

  /** Entries of the port at a place of the heap; -1 where there is none. */
  #count(at: number): number {
    return at < this.#heap.length ? this.#heap[at].entries.size : -1;
  }

  /** Moves the port at `index` to where it belongs: up, or down if it does not go up. */
  #settle(index: number): void {
    let at = index;
    for (; at > 1 && this.#count(at >> 1) < this.#count(at); at >>= 1) this.#swap(at >> 1, at);
    if (at !== index) return;
    for (;;) {
      let most = at;
      if (this.#count(2 * at) > this.#count(most)) most = 2 * at;
      if (this.#count(2 * at + 1) > this.#count(most)) most = 2 * at + 1;
      if (most === at) return;
      this.#swap(most, at);
      at = most;
    }
  }
}
