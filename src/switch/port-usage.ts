/**
 * Which port of a bridge has most entries in the MAC table. Ports stand in a binary heap by how many they have; which
 * of two ports with equally many stands higher follows from the order of all changes, and is Open vSwitch's
 * (lib/heap.c).
 */

/** A port and its entries, the least recently used first. */
export interface PortUse<P, E> {
  readonly port: P;
  readonly entries: Set<E>;
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

  /** The entries of the port that has most. */
  most(): Iterable<E> {
    return this.#heap[1]?.entries ?? [];
  }

  add(port: P, entry: E): void {
    let use = this.#byPort.get(port);
    if (!use) {
      use = { port, entries: new Set(), index: Math.max(1, this.#heap.length) };
      this.#byPort.set(port, use);
      this.#heap[use.index] = use;
    }
    use.entries.add(entry);
    this.#settle(use.index);
  }

  /** Makes an entry the most recently used one of its port. */
  touch(port: P, entry: E): void {
    const entries = this.#byPort.get(port)?.entries;
    if (entries?.delete(entry)) entries.add(entry);
  }

  remove(port: P, entry: E): void {
    const use = this.#byPort.get(port);
    if (!use?.entries.delete(entry)) return;
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

  /** Moves the port at `index` to where it belongs: up, or down if it does not go up. */
  #settle(index: number): void {
    const count = (at: number): number => this.#heap[at]?.entries.size ?? -1;
    let at = index;
    for (; at > 1 && count(at >> 1) < count(at); at >>= 1) this.#swap(at >> 1, at);
    if (at !== index) return;
    for (;;) {
      let most = at;
      for (const child of [2 * at, 2 * at + 1]) if (count(child) > count(most)) most = child;
      if (most === at) return;
      this.#swap(most, at);
      at = most;
    }
  }
}
