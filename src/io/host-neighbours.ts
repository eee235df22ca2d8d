/**
 * The neighbours of an `IpHost`: addresses on its link and the MACs they answered with, for ARP and ND alike. An entry
 * is asked for, is then good for `ageMs`, and is asked for again when it is used after that; it serves on meanwhile, so
 * that ageing loses nothing. Who does not answer `PROBES` times is forgotten, with the packets that wait for it.
 *
 * An answer that nobody waited for makes no entry, and changes a known one only (as `arp_accept=0` in Linux).
 */
import type { PacketHandle } from '../packet/pool.js';
import type { Clock, Timer } from '../util/clock.js';
import { Reason } from '../util/reason.js';
import { keyOf, type Address, type AddressKey } from './host-address.js';

/** How often one is asked, and how long each time. */
const PROBES = 3;
const PROBE_INTERVAL_MS = 1000;
/** Packets that wait for one neighbour; the oldest gives way. */
const WAITING_PER_NEIGHBOUR = 8;
/** Packets that wait for any: a host has that many slots to spare. */
export const WAITING_LIMIT = 64;
/** Neighbours; the one that was learned first gives way. */
const NEIGHBOUR_LIMIT = 1024;

interface Neighbour {
  readonly address: Address;
  readonly key: AddressKey;
  /** -1 while nobody has answered. */
  mac: number;
  goodUntil: number;
  probes: number;
  timer: Timer | undefined;
  readonly waiting: PacketHandle[];
}

export interface NeighbourOptions {
  readonly clock: Clock;
  readonly ageMs: number;
  /** Asks for an address: by ARP or ND; `mac` is the one it had, or -1. */
  probe(address: Address, mac: number): void;
  /** Sends a packet that waited. */
  send(handle: PacketHandle, mac: number): void;
  /** Gives up a packet that waited. */
  drop(handle: PacketHandle, reason: Reason): void;
}

/** A neighbour, for people. `mac` is -1 while it is being asked for. */
export interface NeighbourEntry {
  readonly address: Address;
  readonly mac: number;
}

export interface NeighbourTable {
  /** The MAC of an address, or -1; then it is being asked for, and `wait` may be called. */
  lookup(address: Address): number;
  /** Leaves a packet with an address for which `lookup` has just answered -1. */
  wait(address: Address, handle: PacketHandle): void;
  /**
   * Somebody said that an address has a MAC; `solicited` makes an entry where there is none, `override` changes one.
   */
  learn(address: Address, mac: number, how: { create: boolean; override: boolean }): void;
  entries(): NeighbourEntry[];
  /** Forgets everything, and drops what waits. */
  clear(): void;
}

export function createNeighbourTable(options: NeighbourOptions): NeighbourTable {
  const { clock, ageMs, probe, send, drop } = options;
  const table = new Map<AddressKey, Neighbour>();
  let waiting = 0;

  const forget = (neighbour: Neighbour): void => {
    neighbour.timer?.cancel();
    neighbour.timer = undefined;
    table.delete(neighbour.key);
    waiting -= neighbour.waiting.length;
    for (const handle of neighbour.waiting.splice(0)) drop(handle, Reason.unresolved);
  };

  const insert = (address: Address): Neighbour => {
    if (table.size >= NEIGHBOUR_LIMIT) for (const oldest of [...table.values()].slice(0, 1)) forget(oldest);
    const own = address.slice();
    const neighbour: Neighbour = {
      address: own,
      key: keyOf(own),
      mac: -1,
      goodUntil: 0,
      probes: 0,
      timer: undefined,
      waiting: [],
    };
    table.set(neighbour.key, neighbour);
    return neighbour;
  };

  const ask = (neighbour: Neighbour): void => {
    if (neighbour.probes === PROBES) {
      forget(neighbour);
      return;
    }
    neighbour.probes++;
    neighbour.timer = clock.after(PROBE_INTERVAL_MS, () => ask(neighbour));
    probe(neighbour.address, neighbour.mac);
  };

  return {
    lookup(address) {
      const neighbour = table.get(keyOf(address)) ?? insert(address);
      if (neighbour.timer === undefined && (neighbour.mac < 0 || clock.now() >= neighbour.goodUntil)) {
        neighbour.probes = 0;
        ask(neighbour);
      }
      return neighbour.mac;
    },
    wait(address, handle) {
      const neighbour = table.get(keyOf(address));
      if (neighbour === undefined || waiting === WAITING_LIMIT) {
        drop(handle, Reason.unresolved);
        return;
      }
      if (neighbour.waiting.length === WAITING_PER_NEIGHBOUR)
        drop(neighbour.waiting.shift() as PacketHandle, Reason.unresolved);
      else waiting++;
      neighbour.waiting.push(handle);
    },
    learn(address, mac, { create, override }) {
      const known = table.get(keyOf(address));
      if (known === undefined && !create) return;
      const neighbour = known ?? insert(address);
      if (!override && neighbour.mac >= 0 && neighbour.mac !== mac) return;
      neighbour.timer?.cancel();
      neighbour.timer = undefined;
      neighbour.mac = mac;
      neighbour.goodUntil = clock.now() + ageMs;
      waiting -= neighbour.waiting.length;
      for (const handle of neighbour.waiting.splice(0)) send(handle, mac);
    },
    entries() {
      return [...table.values()].map(({ address, mac }) => ({ address: address.slice(), mac }));
    },
    clear() {
      for (const neighbour of [...table.values()]) forget(neighbour);
    },
  };
}
