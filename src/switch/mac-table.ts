/**
 * The MAC learning table of a bridge (Open vSwitch's lib/mac-learning.c): who was seen where, by MAC and VLAN, with ageing in whole
 * seconds, a limit, and an eviction that takes from the port that has most.
 */
import { formatMac } from '../util/address.js';
import type { Clock } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { PortUsage } from './port-usage.js';
import { Recency, createPlace, type Place } from './recency.js';

export interface MacEntry<P> {
  readonly mac: number;
  readonly vlan: number;
  port: P;
  /** Second on the clock at which it goes; `STATIC` for a static entry. */
  expiresSecond: number;
  /** Until when gratuitous ARP over a bond does not move it, in ms. */
  lockedUntilMs: number;
}

/** An entry with its places among all, and among those of its port. */
class Entry<P> implements MacEntry<P> {
  readonly mac: number;
  readonly vlan: number;
  port: P;
  expiresSecond: number;
  lockedUntilMs = 0;
  /** Another one in its VLAN whose MAC has the same low 32 bits. */
  next: Entry<P> | undefined = undefined;
  readonly place: Place<Entry<P>> = createPlace<Entry<P>>(this);
  readonly placeOfPort: Place<Entry<P>> = createPlace<Entry<P>>(this);

  constructor(mac: number, vlan: number, port: P, expiresSecond: number) {
    this.mac = mac;
    this.vlan = vlan;
    this.port = port;
    this.expiresSecond = expiresSecond;
  }
}

export interface MacTableStatistics {
  learned: number;
  expired: number;
  evicted: number;
  moved: number;
}

export const DEFAULT_MAC_TABLE_SIZE = 8192;
export const DEFAULT_AGING_SECONDS = 300;
/** When a static entry goes, as Open vSwitch has it: a change of the ageing time moves that as well, and the entry is one like others. */
export const STATIC = 0x7fff_ffff;
const GRATUITOUS_ARP_LOCK_MS = 5000;

/** `P` is a port of the bridge; ports are compared by identity. */
export class MacTable<P> {
  /** An entry came, went or moved since it was last cleared: what relied on the table must be translated again. */
  changed = false;
  readonly statistics: MacTableStatistics = { learned: 0, expired: 0, evicted: 0, moved: 0 };
  onLearn: ((entry: MacEntry<P>, moved: boolean) => void) | undefined;

  readonly #clock: Clock;
  #agingSeconds = DEFAULT_AGING_SECONDS;
  #staticCount = 0;
  #size = DEFAULT_MAC_TABLE_SIZE;
  #floodVlans: ReadonlySet<number> = new Set();
  // By the low 32 bits of the MAC: V8 finds integers in a map three times as fast as other numbers.
  readonly #byVlan = new Map<number, Map<number, Entry<P>>>();
  readonly #used = new Recency<Entry<P>>();
  readonly #usage = new PortUsage<P, Entry<P>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#used.size;
  }

  /** Static entries as 3.1 counts them: one that is evicted, or whose port leaves, stays counted. */
  get staticCount(): number {
    return this.#staticCount;
  }

  /** Most entries; clamped to 10 … 1000000. What is too much goes with the next `sweep`. */
  get size(): number {
    return this.#size;
  }

  set size(size: number) {
    this.#size = Math.min(1_000_000, Math.max(10, size));
  }

  /** Seconds that an unused entry stays; clamped to 15 … 3600. Changing it moves the expiry of the entries there are, also of static ones. */
  get agingSeconds(): number {
    return this.#agingSeconds;
  }

  set agingSeconds(seconds: number) {
    const clamped = Math.min(3600, Math.max(15, seconds));
    for (const entry of this.#used) entry.expiresSecond += clamped - this.#agingSeconds;
    this.#agingSeconds = clamped;
  }

  /** VLANs in which nothing is learned or looked up. Changing them forgets everything. */
  get floodVlans(): ReadonlySet<number> {
    return this.#floodVlans;
  }

  set floodVlans(vlans: ReadonlySet<number>) {
    if (vlans.size === this.#floodVlans.size && [...vlans].every((vlan) => this.#floodVlans.has(vlan))) return;
    this.#floodVlans = new Set(vlans);
    this.flush();
    this.changed = true;
  }

  /** The entry for a destination; none for multicast and in flood VLANs. */
  lookup(mac: number, vlan: number): MacEntry<P> | undefined {
    return this.#isKept(mac, vlan) ? this.#find(mac, vlan) : undefined;
  }

  #find(mac: number, vlan: number): Entry<P> | undefined {
    let entry = this.#byVlan.get(vlan)?.get(mac | 0);
    while (entry && entry.mac !== mac) entry = entry.next;
    return entry;
  }

  #isKept(mac: number, vlan: number): boolean {
    return !isMulticast(mac) && !(this.#floodVlans.size !== 0 && this.#floodVlans.has(vlan));
  }

  /** Learns a source; `gratuitousArp` as the switch tells it. */
  learn(mac: number, vlan: number, port: P, gratuitousArp: boolean): void {
    if (!this.#isKept(mac, vlan)) return;
    const found = this.#find(mac, vlan);
    if (found) {
      if (found.expiresSecond === STATIC) return;
      // Within the second nothing changes, unless it moves or gratuitous ARP locks it.
      if (this.ageSeconds(found) <= 0 && !gratuitousArp && found.port === port) return;
    }
    const entry = found ?? this.#insert(mac, vlan, port);
    if (found) this.#touch(found);
    if (gratuitousArp) entry.lockedUntilMs = this.#clock.now() + GRATUITOUS_ARP_LOCK_MS;
    if (!found) {
      this.statistics.learned++;
      this.changed = true;
      this.onLearn?.(entry, false);
    } else if (entry.port !== port) {
      this.#setPort(entry, port);
      this.statistics.moved++;
      this.changed = true;
      this.onLearn?.(entry, true);
    }
  }

  /** Adds a static entry, or makes one static; answers the entry that `lookup` would have found there. */
  addStatic(mac: number, vlan: number, port: P): { port: P; isStatic: boolean } | undefined {
    const found = this.#find(mac, vlan);
    const isStatic = found?.expiresSecond === STATIC;
    const before = this.lookup(mac, vlan) && { port: found!.port, isStatic };
    const entry = found ?? this.#insert(mac, vlan, port);
    if (!found || !isStatic || found.port !== port) this.changed = true;
    if (!isStatic) this.#staticCount++;
    if (found) this.#touch(found);
    if (entry.port !== port) this.#setPort(entry, port);
    entry.expiresSecond = STATIC;
    return before;
  }

  /** Removes a static entry; false when `lookup` finds none. */
  removeStatic(mac: number, vlan: number): boolean {
    const entry = this.#isKept(mac, vlan) ? this.#find(mac, vlan) : undefined;
    if (entry?.expiresSecond !== STATIC) return false;
    this.#staticCount--;
    this.#remove(entry);
    return true;
  }

  /** Removes all but static entries. */
  flush(): void {
    for (const entry of this.#used) if (entry.expiresSecond !== STATIC) this.#remove(entry);
  }

  /** Removes the entries of a port that leaves. */
  removePort(port: P): void {
    for (const entry of this.#usage.entries(port)) this.#remove(entry);
  }

  /** Removes what has aged, and what is beyond the size. To be called now and then. */
  sweep(): void {
    const second = this.#second();
    for (const entry of this.#used) {
      if (entry.expiresSecond === STATIC) continue;
      if (this.#used.size <= this.#size && second < entry.expiresSecond) break;
      this.#remove(entry);
      this.statistics.expired++;
    }
  }

  /** Seconds since the entry was refreshed. */
  ageSeconds(entry: MacEntry<P>): number {
    return this.#agingSeconds - (entry.expiresSecond - this.#second());
  }

  /** Least recently used first. */
  [Symbol.iterator](): Iterator<MacEntry<P>> {
    return this.#used[Symbol.iterator]();
  }

  #second(): number {
    return Math.floor(this.#clock.now() / 1000);
  }

  #insert(mac: number, vlan: number, port: P): Entry<P> {
    if (this.#used.size >= this.#size) this.#evict();
    const entry = new Entry(mac, vlan, port, this.#second() + this.#agingSeconds);
    let byMac = this.#byVlan.get(vlan);
    if (!byMac) this.#byVlan.set(vlan, (byMac = new Map()));
    entry.next = byMac.get(mac | 0);
    byMac.set(mac | 0, entry);
    this.#used.add(entry.place);
    this.#usage.add(port, entry.placeOfPort);
    return entry;
  }

  #touch(entry: Entry<P>): void {
    this.#used.touch(entry.place);
    this.#usage.touch(entry.port, entry.placeOfPort);
    if (entry.expiresSecond !== STATIC) entry.expiresSecond = this.#second() + this.#agingSeconds;
  }

  #setPort(entry: Entry<P>, port: P): void {
    this.#usage.remove(entry.port, entry.placeOfPort);
    entry.port = port;
    this.#usage.add(port, entry.placeOfPort);
  }

  #remove(entry: Entry<P>): void {
    const byMac = this.#byVlan.get(entry.vlan)!;
    const low = entry.mac | 0;
    let before = byMac.get(low);
    if (before !== entry) {
      while (before!.next !== entry) before = before!.next;
      before!.next = entry.next;
    } else if (entry.next) byMac.set(low, entry.next);
    else byMac.delete(low);
    this.#used.remove(entry.place);
    this.#usage.remove(entry.port, entry.placeOfPort);
    this.changed = true;
  }

  /** The least recently used entry of the port that has most: one port cannot push the others out. */
  #evict(): void {
    const oldest = this.#usage.oldestOfMost();
    if (!oldest) return;
    this.#remove(oldest);
    this.statistics.evicted++;
  }
}

/** Whether the group bit is set. */
export function isMulticast(mac: number): boolean {
  return (Math.floor(mac / 0x100_0000_0000) & 1) === 1;
}

/** Parses the `mac-table-size` or `mac-aging-time` of `other_config`; throws `bad-config`. */
export function parseCount(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^\d+$/.test(text)) throw new MegaflowError('bad-config', `${name} cannot be ${text}`, text, 'a whole number');
  return Number(text);
}

/** An entry as plain data. */
export function macEntryData<P>(
  table: MacTable<P>,
  entry: MacEntry<P>,
): { mac: string; vlan: number; ageSeconds: number | 'static' } {
  const isStatic = entry.expiresSecond === STATIC;
  return { mac: formatMac(entry.mac), vlan: entry.vlan, ageSeconds: isStatic ? 'static' : table.ageSeconds(entry) };
}
