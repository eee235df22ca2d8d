/**
 * A bounded queue of frames between a port and the world outside: what is put in is copied, and nothing is allocated
 * once the queue exists. The frames lie in slots of a pool of the queue's own, whose free list is last in, first out: a
 * queue that is drained in time goes on using the same few slots, which stay in the processor's cache.
 *
 * It also holds what all ports share: how long a frame may be, and how a frame gets from one pool into another.
 */
import { PacketPool, type PacketHandle } from '../packet/pool.js';
import { copyTunnel, writeTunnel, type TunnelMetadata } from '../packet/tunnel.js';
import { MegaflowError } from '../util/errors.js';
import { Reason } from '../util/reason.js';
import type { PortCounters } from './port.js';

/** Bytes of an Ethernet header, and of one VLAN tag: what a frame may have beyond the MTU. */
export const ETHERNET_HEADER = 14;
export const VLAN_TAG = 4;

/** Whether a frame of `length` bytes at `offset` is within an MTU: one 802.1Q or 802.1ad tag does not count. */
export function fitsMtu(bytes: Uint8Array, offset: number, length: number, mtu: number): boolean {
  if (length <= mtu + ETHERNET_HEADER) return true;
  if (length > mtu + ETHERNET_HEADER + VLAN_TAG) return false;
  const type = (bytes[offset + 12] << 8) | bytes[offset + 13];
  return type === 0x8100 || type === 0x88a8;
}

/** Refuses an MTU or a number of frames that is not whole or out of range; answers it otherwise. */
export function checkOption(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new MegaflowError(
      'out-of-range',
      `${name} cannot be ${value}`,
      value,
      `a whole number from ${least} to ${most}`,
    );
  }
  return value;
}

/** Refuses an MTU below 68 (RFC 791) or above 65,517, with which a frame would outgrow a slot of the pool. */
export function checkMtu(mtu: number): number {
  return checkOption('mtu', mtu, 68, 65535 - ETHERNET_HEADER - VLAN_TAG);
}

/**
 * Throws an error once the work in hand is done: what a callback of the application throws must not stop a datapath in
 * the midst of a burst, and must not be lost either.
 */
export function raiseLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/**
 * Copies a frame into a slot with room for it: four or two bytes at a time where both places are aligned alike. A view
 * for `Uint8Array.set` would have to be allocated for each frame.
 */
function copyBytes(from: PacketPool, source: PacketHandle, to: PacketPool, target: PacketHandle): void {
  const length = from.length[source];
  const start = from.offset[source];
  const shift = to.offset[target] - start;
  const end = start + length;
  to.length[target] = length;
  let at = start;
  if ((shift & 3) === 0) {
    for (; at < end && (at & 3) !== 0; at++) to.bytes[at + shift] = from.bytes[at];
    const { words } = from;
    const out = to.words;
    for (; at + 4 <= end; at += 4) out[(at + shift) >> 2] = words[at >> 2];
  } else if ((shift & 1) === 0) {
    for (; at < end && (at & 1) !== 0; at++) to.bytes[at + shift] = from.bytes[at];
    const { halves } = from;
    const out = to.halves;
    for (; at + 2 <= end; at += 2) out[(at + shift) >> 1] = halves[at >> 1];
  }
  for (; at < end; at++) to.bytes[at + shift] = from.bytes[at];
}

export class FrameQueue {
  /** Holds the queued frames. A port that builds frames itself takes slots here, and puts them in with `append`. */
  readonly pool: PacketPool;
  /** The most frames that may wait. */
  readonly limit: number;
  readonly #ring: Int32Array;
  #first = 0;
  #count = 0;

  /**
   * Room for `limit` frames (1 to 65,536) of at least `frameBytes` each, and slots for `spare` more that do not wait
   * here.
   */
  constructor(limit: number, frameBytes: number, spare = 0) {
    this.limit = checkOption('queue', limit, 1, 65536);
    // A pool has 64 slots at least.
    this.pool = new PacketPool({ slots: Math.max(64, limit + spare), frameBytes, headroom: 128 });
    this.#ring = new Int32Array(limit);
  }

  /** Frames that wait. */
  get count(): number {
    return this.#count;
  }

  /** Puts a copy of a frame of another pool at the end, without its metadata; answers 0 or why it was not taken. */
  push(from: PacketPool, source: PacketHandle): Reason {
    const handle = this.reserve(from.length[source]);
    if (handle < 0) return -handle as Reason;
    copyBytes(from, source, this.pool, handle);
    this.append(handle);
    return Reason.sound;
  }

  /** The same, from bytes; `tunnel` as for `writeTunnel`, which may throw: nothing is queued then. */
  pushBytes(frame: Uint8Array, tunnel?: TunnelMetadata): Reason {
    const handle = this.reserve(frame.length);
    if (handle < 0) return -handle as Reason;
    try {
      if (tunnel !== undefined) writeTunnel(this.pool, handle, tunnel);
    } catch (error) {
      this.pool.release(handle);
      throw error;
    }
    this.pool.bytes.set(frame, this.pool.offset[handle]);
    this.append(handle);
    return Reason.sound;
  }

  /**
   * Takes a slot for a frame of `length` bytes, for the caller to fill and to `append` at once (or to release to
   * `pool`); answers its handle, or a `Reason` made negative.
   */
  reserve(length: number): number {
    if (!this.pool.fits(length)) return -Reason.frameTooLong;
    if (this.#count === this.limit) return -Reason.queueFull;
    const handle = this.pool.allocate();
    if (handle < 0) return -Reason.poolExhausted;
    this.pool.length[handle] = length;
    return handle;
  }

  /** Puts a slot from `reserve` at the end. */
  append(handle: PacketHandle): void {
    let at = this.#first + this.#count;
    if (at >= this.limit) at -= this.limit;
    this.#ring[at] = handle;
    this.#count++;
  }

  /**
   * Moves up to `room` frames, from the front, into a pool, and their handles to the start of `burst`; answers how
   * many. Frames that do not fit a slot, and those that found the pool empty, are counted as received drops and are
   * gone.
   */
  pull(to: PacketPool, burst: Int32Array, room: number, counters: PortCounters): number {
    let taken = 0;
    while (taken < room && this.#count > 0) {
      const source = this.shift();
      const length = this.pool.length[source];
      if (!to.fits(length)) {
        counters.rxDrops[Reason.frameTooLong]++;
      } else {
        const target = to.allocate();
        if (target < 0) {
          counters.rxDrops[Reason.poolExhausted]++;
        } else {
          copyBytes(this.pool, source, to, target);
          copyTunnel(this.pool, source, to, target);
          burst[taken++] = target;
          counters.rxPackets++;
          counters.rxBytes += length;
        }
      }
      this.pool.release(source);
    }
    return taken;
  }

  /** Takes the first frame out, for the caller to release to `pool`; -1 when there is none. */
  shift(): PacketHandle {
    if (this.#count === 0) return -1;
    const handle = this.#ring[this.#first];
    this.#first = this.#first + 1 === this.limit ? 0 : this.#first + 1;
    this.#count--;
    return handle;
  }

  /** Forgets all frames. */
  clear(): void {
    for (let handle = this.shift(); handle >= 0; handle = this.shift()) this.pool.release(handle);
  }
}
