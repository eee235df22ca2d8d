/**
 * The tunnel neighbour table (Open vSwitch's lib/tnl-neigh-cache.c): MAC addresses of next hops, by bridge and IP. It learns
 * from what translation snoops and from what people set; entries that nobody uses age.
 */
import { formatIp, formatMac } from '../util/address.js';
import { get32 } from '../util/bytes.js';
import type { Clock } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';

export interface Neighbour {
  /** Name of the bridge that the address was seen on. */
  readonly bridge: string;
  /** 4 or 16 bytes. */
  readonly ip: Uint8Array;
  /** 48-bit number. */
  readonly mac: number;
  /** Time on the clock at which it goes. */
  readonly expiresMs: number;
}

interface Entry extends Neighbour {
  expiresMs: number;
}

/** Default lifetime: 15 minutes. */
export const NEIGHBOUR_AGE_MS = 15 * 60 * 1000;

export class NeighbourTable {
  /** Changes when an entry comes, goes, or gets another MAC: flows that were translated before it must be looked at again. */
  sequence = 0;
  /** Hears of entries that are new or have a new MAC. */
  onChange: ((neighbour: Neighbour) => void) | undefined;

  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  /** The same by bridge and address, where numbers serve IPv4: a text takes a tenth of the time of an upcall. */
  readonly #index = new Map<string, Map<number | string, Entry>>();
  #ageMs = NEIGHBOUR_AGE_MS;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long an unused entry lives. Setting it shortens the life of the entries there are, and never lengthens it. */
  get ageMs(): number {
    return this.#ageMs;
  }

  set ageMs(ageMs: number) {
    if (!(ageMs >= 1000 && ageMs <= 3_600_000)) {
      throw new MegaflowError('out-of-range', `neighbours cannot age in ${ageMs} ms`, ageMs, '1000 to 3600000 ms');
    }
    this.#ageMs = ageMs;
    const latest = this.#clock.now() + ageMs;
    for (const entry of this.#entries.values()) entry.expiresMs = Math.min(entry.expiresMs, latest);
  }

  /** The MAC of `ip` on `bridge`, -1 when it is not known. Finding it makes the entry young. */
  lookup(bridge: string, ip: Uint8Array): number {
    const entry = this.#index.get(bridge)?.get(addressKey(ip));
    const nowMs = this.#clock.now();
    if (!entry || entry.expiresMs <= nowMs) return -1;
    entry.expiresMs = nowMs + this.#ageMs;
    return entry.mac;
  }

  /** Learns or refreshes an entry. */
  set(bridge: string, ip: Uint8Array, mac: number): void {
    const key = entryKey(bridge, ip);
    const nowMs = this.#clock.now();
    const entry = this.#entries.get(key);
    if (entry && entry.mac === mac) {
      entry.expiresMs = nowMs + this.#ageMs;
      return;
    }
    const fresh = { bridge, ip: ip.slice(), mac, expiresMs: nowMs + this.#ageMs };
    // A new MAC is a new entry, at the end.
    this.#entries.delete(key);
    this.#entries.set(key, fresh);
    let ofBridge = this.#index.get(bridge);
    if (!ofBridge) this.#index.set(bridge, (ofBridge = new Map()));
    ofBridge.set(addressKey(ip), fresh);
    this.sequence++;
    this.onChange?.(fresh);
  }

  /** Removes all entries. */
  flush(): void {
    if (this.#entries.size !== 0) this.sequence++;
    this.#entries.clear();
    this.#index.clear();
  }

  /** Removes what has aged; to be called now and then. */
  sweep(): void {
    const nowMs = this.#clock.now();
    for (const [key, entry] of this.#entries) {
      if (entry.expiresMs > nowMs) continue;
      this.#entries.delete(key);
      this.#index.get(entry.bridge)?.delete(addressKey(entry.ip));
      this.sequence++;
    }
  }

  entries(): Neighbour[] {
    return [...this.#entries.values()];
  }

  [Symbol.iterator](): Iterator<Neighbour> {
    return this.#entries.values();
  }
}

function addressKey(ip: Uint8Array): number | string {
  return ip.length === 4 ? get32(ip, 0) : formatIp(ip);
}

function entryKey(bridge: string, ip: Uint8Array): string {
  return `${bridge} ${formatIp(ip)}`;
}

/** An entry as plain data. */
export function neighbourData({ bridge, ip, mac }: Neighbour): { bridge: string; ip: string; mac: string } {
  return { bridge, ip: formatIp(ip), mac: formatMac(mac) };
}
