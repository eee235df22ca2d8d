/**
 * Where frames live. A pool is one ArrayBuffer cut into slots; a packet is a *handle*, the number of its slot, and
 * what is known of it stands in columns: typed arrays indexed by handle. Nothing is allocated per packet, and a burst
 * is an Int32Array of handles.
 *
 *     slot   |<- headroom ->|<- frame, at most frameBytes ->|
 *            ^              ^ fresh frames start here, at 2 modulo 4, so that the IP header is aligned
 *
 * Ownership: whoever allocates a handle releases it. A port that receives gives its handles away; a port that is asked
 * to send borrows them for the length of the call and copies what it wants to keep.
 *
 * The slot size is kept off the powers of two: with 2048-byte slots the frames of a burst fall into the same few cache
 * sets. Little-endian hosts only: words of a key are read in the order of the wire.
 */
import { MegaflowError } from '../util/errors.js';

/** A packet: the index of its slot. */
export type PacketHandle = number;

/** The most handles that ports, extraction and execution take at once (Open vSwitch's NETDEV_MAX_BURST). */
export const BURST = 32;

/** Words of tunnel metadata a slot: the words 12 to 29 of a flow key, in the layout of `flow/fields.ts`. */
export const TUNNEL_WORDS = 18;

/**
 * What a packet carries beside its bytes, as bits of the column `extras`: extraction looks at one number instead of at
 * every rare column. The same bits say which groups of a flow key hold anything (`flow/fields.ts`).
 */
export const Extras = {
  /** Tunnel metadata over IPv4 with a 32-bit tunnel id: the first four tunnel words. */
  tunnel: 1,
  /** Tunnel metadata that needs all tunnel words. */
  tunnelWide: 2,
  /** `skbPriority`, `skbMark`, `dpHash` or `packetType` is not zero. */
  metadata: 64,
} as const;

/** Bytes that can be read from any masked address on. */
const MOST_HEADER_BYTES = 1024;
const MOST_BYTES = 2 ** 31;

export interface PoolOptions {
  /** Number of slots, 64 to 1,048,576. Default 1024. */
  slots?: number;
  /** Longest frame a fresh slot takes, 64 to 65,535 bytes. Default 2048. */
  frameBytes?: number;
  /** Room before a fresh frame for headers to come, 128 to 1024 bytes. Default 194. */
  headroom?: number;
  /** Take a SharedArrayBuffer, so that workers can see the frames. Default false. */
  shared?: boolean;
}

export class PacketPool {
  /** All slots: frames are read and written through these views of one buffer. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Int32Array;
  readonly halves: Uint16Array;

  /**
   * Any number `& addressMask` is where at least `MOST_HEADER_BYTES` can be read, frame or not: with the start of a frame masked, V8 leaves
   * out the checks on reading its headers (bench/NOTES.md), and a loop may load a word before it knows that it is past the end.
   */
  readonly addressMask: number;
  readonly slots: number;
  readonly slotBytes: number;
  readonly headroom: number;
  readonly frameBytes: number;

  // The columns. Offsets are absolute in `bytes`, lengths in bytes.
  readonly offset: Int32Array;
  readonly length: Int32Array;
  /** Datapath port the packet came in on. */
  readonly inPort: Int32Array;
  /** Open vSwitch's 5-tuple hash, 0 when it is not known yet; survives changes of the packet, and recirculation. */
  readonly hash: Int32Array;
  readonly recircId: Int32Array;
  /** `Extras` bits. */
  readonly extras: Int32Array;
  /** `TUNNEL_WORDS` words a slot, valid as far as `extras` says. */
  readonly tunnel: Int32Array;
  readonly skbPriority: Int32Array;
  readonly skbMark: Int32Array;
  readonly dpHash: Int32Array;
  /** Namespace × 65536 + type; 0 is Ethernet. */
  readonly packetType: Int32Array;

  /** Takes a slot, with an empty frame at the usual headroom and all metadata clear; -1 when the pool is empty. */
  readonly allocate: () => PacketHandle;
  /** The same for a burst: writes up to `room` handles to the start of `handles`, and answers how many there were. */
  readonly allocateBurst: (handles: Int32Array, room: number) => number;
  /** Makes a slot that the caller owns a fresh one: an empty frame at the usual headroom, all metadata clear. */
  readonly reset: (handle: PacketHandle) => void;
  /** Gives a slot back. Giving one back twice corrupts the pool: only the owner releases. */
  readonly release: (handle: PacketHandle) => void;
  /** Gives `count` handles back. */
  readonly releaseBurst: (handles: Int32Array, count: number) => void;

  readonly #free: FreeSlots;

  constructor(options: PoolOptions = {}) {
    const slots = checkRange('slots', options.slots ?? 1024, 64, 1 << 20);
    const frameBytes = checkRange('frameBytes', options.frameBytes ?? 2048, 64, 65535);
    // A frame starts at 2 modulo 4.
    const headroom = (checkRange('headroom', options.headroom ?? 194, 128, 1024) & ~3) + 2;
    if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) {
      throw new MegaflowError(
        'unsupported-platform',
        'this processor is big-endian',
        'big-endian',
        'a little-endian processor',
      );
    }
    let slotBytes = (headroom + frameBytes + 63) & ~63;
    if ((slotBytes & 1023) === 0) slotBytes += 64;
    const bytes = slots * slotBytes;
    if (bytes > MOST_BYTES)
      throw new MegaflowError(
        'out-of-range',
        `a pool cannot have ${bytes} bytes`,
        bytes,
        `at most ${MOST_BYTES} bytes`,
      );
    this.addressMask = 2 ** Math.ceil(Math.log2(bytes)) - 1;
    const size = this.addressMask + 1 + MOST_HEADER_BYTES;
    this.buffer = options.shared ? new SharedArrayBuffer(size) : new ArrayBuffer(size);
    this.bytes = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.words = new Int32Array(this.buffer);
    this.halves = new Uint16Array(this.buffer);
    this.slots = slots;
    this.slotBytes = slotBytes;
    this.headroom = headroom;
    this.frameBytes = slotBytes - headroom;

    this.offset = new Int32Array(slots);
    this.length = new Int32Array(slots);
    this.inPort = new Int32Array(slots);
    this.hash = new Int32Array(slots);
    this.recircId = new Int32Array(slots);
    this.extras = new Int32Array(slots);
    this.tunnel = new Int32Array(slots * TUNNEL_WORDS);
    this.skbPriority = new Int32Array(slots);
    this.skbMark = new Int32Array(slots);
    this.dpHash = new Int32Array(slots);
    this.packetType = new Int32Array(slots);

    this.#free = createFreeSlots(this);
    ({
      allocate: this.allocate,
      allocateBurst: this.allocateBurst,
      reset: this.reset,
      release: this.release,
      releaseBurst: this.releaseBurst,
    } = this.#free);
  }

  /** Handles that are not in use. */
  get available(): number {
    return this.#free.available();
  }

  /** Takes all metadata off that `extras` speaks of. Whoever clears `Extras.metadata` calls this: its columns are zero without it. */
  clearExtras(handle: PacketHandle): void {
    this.extras[handle] = 0;
    this.skbPriority[handle] = 0;
    this.skbMark[handle] = 0;
    this.dpHash[handle] = 0;
    this.packetType[handle] = 0;
  }

  /** A slot with a copy of `frame`; -1 when the pool is empty or the frame does not fit (see `fits`). */
  allocateCopy(frame: Uint8Array): PacketHandle {
    if (!this.fits(frame.length)) return -1;
    const handle = this.allocate();
    if (handle < 0) return -1;
    this.bytes.set(frame, this.offset[handle]);
    this.length[handle] = frame.length;
    return handle;
  }

  /** Whether a frame of that many bytes fits into a fresh slot. */
  fits(length: number): boolean {
    return length <= this.frameBytes;
  }

  /** A slot with the same bytes at the same place and the same metadata; -1 when the pool is empty. */
  clone(handle: PacketHandle): PacketHandle {
    const copy = this.#free.take();
    if (copy < 0) return -1;
    const { bytes, offset, length, tunnel } = this;
    const from = offset[handle];
    const to = from + (copy - handle) * this.slotBytes;
    bytes.copyWithin(to, from, from + length[handle]);
    offset[copy] = to;
    length[copy] = length[handle];
    this.inPort[copy] = this.inPort[handle];
    this.hash[copy] = this.hash[handle];
    this.recircId[copy] = this.recircId[handle];
    const extras = this.extras[handle];
    if ((extras | this.extras[copy]) !== 0) {
      this.extras[copy] = extras;
      const source = handle * TUNNEL_WORDS;
      tunnel.copyWithin(copy * TUNNEL_WORDS, source, source + TUNNEL_WORDS);
      this.skbPriority[copy] = this.skbPriority[handle];
      this.skbMark[copy] = this.skbMark[handle];
      this.dpHash[copy] = this.dpHash[handle];
      this.packetType[copy] = this.packetType[handle];
    }
    return copy;
  }

  /** Bytes that are free before the frame. */
  headroomOf(handle: PacketHandle): number {
    return this.offset[handle] - handle * this.slotBytes;
  }

  /** Bytes that are free after the frame. */
  tailroomOf(handle: PacketHandle): number {
    return (handle + 1) * this.slotBytes - this.offset[handle] - this.length[handle];
  }

  /** The frame, as a view into the pool: valid until the handle is released. Allocates the view. */
  frame(handle: PacketHandle): Uint8Array {
    const offset = this.offset[handle];
    return this.bytes.subarray(offset, offset + this.length[handle]);
  }

  /** The frame, copied. */
  copyFrame(handle: PacketHandle): Uint8Array {
    return this.frame(handle).slice();
  }
}

interface FreeSlots extends Pick<PacketPool, 'allocate' | 'allocateBurst' | 'reset' | 'release' | 'releaseBurst'> {
  available(): number;
  /** A slot as it was left, or -1. */
  take(): PacketHandle;
}

/** The list of free slots, last in, first out. A factory rather than methods: of one pool, the arrays are constants to V8. */
function createFreeSlots(pool: PacketPool): FreeSlots {
  const { slots, slotBytes, headroom, offset, length, hash, recircId, inPort, extras } = pool;
  const free = Int32Array.from({ length: slots }, (_, index) => slots - 1 - index);
  let count = slots;

  function reset(handle: PacketHandle): void {
    offset[handle] = handle * slotBytes + headroom;
    length[handle] = 0;
    hash[handle] = 0;
    recircId[handle] = 0;
    inPort[handle] = 0;
    if (extras[handle] !== 0) pool.clearExtras(handle);
  }

  function take(): PacketHandle {
    return count === 0 ? -1 : free[--count];
  }

  return {
    available: () => count,
    take,
    reset,
    allocate() {
      const handle = take();
      if (handle >= 0) reset(handle);
      return handle;
    },
    allocateBurst(handles, room) {
      const taken = Math.min(room, count);
      count -= taken;
      for (let index = 0; index < taken; index++) {
        const handle = free[count + index];
        handles[index] = handle;
        reset(handle);
      }
      return taken;
    },
    release(handle) {
      free[count++] = handle;
    },
    releaseBurst(handles, released) {
      for (let index = 0; index < released; index++) free[count + index] = handles[index];
      count += released;
    },
  };
}

function checkRange(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new MegaflowError(
      'out-of-range',
      `pool option ${name} cannot be ${value}`,
      value,
      `a whole number from ${least} to ${most}`,
    );
  }
  return value;
}
