/**
 * The header that macvtap, TAP (IFF_VNET_HDR) and virtio put before a frame: struct virtio_net_hdr of the virtio
 * specification 1.1, section 5.1.6, in the byte order of the processor, here little-endian. It says that a checksum is
 * still to be completed, and that a frame is many segments in one.
 *
 *     byte  0   flags: 1 the checksum is partial, 2 it was verified
 *           1   0 no segments, 1 TCP/IPv4, 3 UDP fragments, 4 TCP/IPv6, 5 UDP datagrams; 128 with ECN
 *           2   length of all headers        6   where the checksum begins
 *           4   payload bytes of a segment   8   where it is stored, from there
 *          10   number of merged buffers: only where the header has 12 bytes
 *
 * `OffloadReader` does what is left to do: it completes checksums, and cuts what is too long into the frames that it
 * stands for. Refused, as `bad-offload`: UDP fragments (Linux has not made them since 4.14), and headers that
 * contradict the frame. What is merely too long is for the port to refuse.
 */
import { fold, sum16 } from '../util/checksum.js';
import { get16, get32, put16, put32 } from '../util/bytes.js';
import type { PacketPool } from '../packet/pool.js';
import { Reason } from '../util/reason.js';

export const VIRTIO_HEADER = 10;

const NEEDS_CHECKSUM = 1;
const Segments = { none: 0, tcpIpv4: 1, tcpIpv6: 4, udp: 5 } as const;
const ECN = 0x80;
const TCP_FIN_PSH = 0x09;
const TCP_CWR = 0x80;

const little16 = (bytes: Uint8Array, offset: number): number => bytes[offset] | (bytes[offset + 1] << 8);

/** Reads one frame with its header, and gives what it stands for, segment by segment. */
export class OffloadReader {
  #bytes: Uint8Array = new Uint8Array(0);
  /** Where the frame begins and ends, and the segments' payload. */
  #frame = 0;
  #end = 0;
  #payload = 0;
  #l3 = 0;
  #l4 = 0;
  #kind: number = Segments.none;
  #segmentBytes = 0;
  #isIpv4 = false;
  /** Payload bytes given so far; -1: there is nothing to give. */
  #given = -1;
  #index = 0;

  /** Whether `next` has more to give. */
  get hasMore(): boolean {
    return this.#given >= 0;
  }

  /** Longest frame that `next` is going to give, in bytes. */
  get longest(): number {
    if (this.#kind === Segments.none) return this.#end - this.#frame;
    return this.#payload - this.#frame + Math.min(this.#segmentBytes, this.#end - this.#payload);
  }

  /**
   * Takes the frame from `frame` to `end`, whose virtio header is at `header`; it is changed in place, and must stay as
   * it is until all is given. Answers 0 or why it is refused.
   */
  begin(bytes: Uint8Array, header: number, frame: number, end: number): Reason {
    this.#given = -1;
    this.#bytes = bytes;
    this.#frame = frame;
    this.#end = end;
    this.#index = 0;
    const kind = bytes[header + 1] & ~ECN;
    this.#kind = kind;
    if (kind === Segments.none) {
      if ((bytes[header] & NEEDS_CHECKSUM) !== 0) {
        const start = frame + little16(bytes, header + 6);
        const store = start + little16(bytes, header + 8);
        if (start > end || store + 2 > end) return Reason.badOffload;
        // The place holds the sum of the pseudo-header. 0 would say of UDP that there is none, and means the same in TCP.
        const sum = ~fold(sum16(bytes, start, end)) & 0xffff;
        put16(bytes, store, sum === 0 ? 0xffff : sum);
      }
      this.#given = 0;
      return Reason.sound;
    }
    const reason = this.#beginSegments(little16(bytes, header + 4), little16(bytes, header + 6));
    if (reason === Reason.sound) this.#given = 0;
    return reason;
  }

  /** Finds the headers of a frame of segments, whose checksum is always partial: `start` is where it begins. */
  #beginSegments(segmentBytes: number, start: number): Reason {
    const bytes = this.#bytes;
    const end = this.#end;
    let l3 = this.#frame + 12;
    while (l3 + 6 <= end && (get16(bytes, l3) === 0x8100 || get16(bytes, l3) === 0x88a8)) l3 += 4;
    if (l3 + 2 + 20 > end || segmentBytes === 0) return Reason.badOffload;
    const type = get16(bytes, l3);
    l3 += 2;
    const l4 = this.#frame + start;
    const isIpv4 = type === 0x0800;
    if (!isIpv4 && type !== 0x86dd) return Reason.badOffload;
    if (l4 < l3 + (isIpv4 ? 20 : 40) || l4 + 8 > end) return Reason.badOffload;
    if (this.#kind === Segments.udp) this.#payload = l4 + 8;
    else if (this.#kind === (isIpv4 ? Segments.tcpIpv4 : Segments.tcpIpv6)) {
      if (l4 + 20 > end) return Reason.badOffload;
      this.#payload = l4 + (bytes[l4 + 12] >>> 4) * 4;
      if (this.#payload < l4 + 20) return Reason.badOffload;
    } else return Reason.badOffload;
    if (this.#payload >= end) return Reason.badOffload;
    this.#l3 = l3;
    this.#l4 = l4;
    this.#isIpv4 = isIpv4;
    this.#segmentBytes = segmentBytes;
    return Reason.sound;
  }

  /** Forgets what is not given yet. */
  end(): void {
    this.#given = -1;
  }

  /** Writes the next frame into a slot that has room for `longest` bytes. */
  next(pool: PacketPool, handle: number): void {
    const bytes = this.#bytes;
    const target = pool.offset[handle];
    if (this.#kind === Segments.none) {
      const length = this.#end - this.#frame;
      pool.bytes.set(bytes.subarray(this.#frame, this.#end), target);
      pool.length[handle] = length;
      this.#given = -1;
      return;
    }
    const headers = this.#payload - this.#frame;
    const given = this.#given;
    const from = this.#payload + given;
    const length = Math.min(this.#segmentBytes, this.#end - from);
    const isLast = from + length === this.#end;
    pool.bytes.set(bytes.subarray(this.#frame, this.#payload), target);
    pool.bytes.set(bytes.subarray(from, from + length), target + headers);
    pool.length[handle] = headers + length;
    this.#writeHeaders(pool.bytes, target - this.#frame, target + headers + length, given, isLast);
    this.#given = isLast ? -1 : given + length;
    this.#index++;
  }

  /** Lengths, numbers and checksums of a segment that lies `shift` bytes behind the frame it was cut from. */
  #writeHeaders(bytes: Uint8Array, shift: number, end: number, given: number, isLast: boolean): void {
    const l3 = this.#l3 + shift;
    const l4 = this.#l4 + shift;
    let sum: number;
    if (this.#isIpv4) {
      put16(bytes, l3 + 2, end - l3);
      put16(bytes, l3 + 4, (get16(bytes, l3 + 4) + this.#index) & 0xffff);
      put16(bytes, l3 + 10, 0);
      put16(bytes, l3 + 10, ~fold(sum16(bytes, l3, l3 + (bytes[l3] & 15) * 4)) & 0xffff);
      sum = sum16(bytes, l3 + 12, l3 + 20);
    } else {
      put16(bytes, l3 + 4, end - l3 - 40);
      sum = sum16(bytes, l3 + 8, l3 + 40);
    }
    let store: number;
    if (this.#kind === Segments.udp) {
      put16(bytes, l4 + 4, end - l4);
      store = l4 + 6;
      sum += 17;
    } else {
      put32(bytes, l4 + 4, (get32(bytes, l4 + 4) + given) >>> 0);
      // FIN and PSH belong to the last segment, CWR to the first.
      if (!isLast) bytes[l4 + 13] &= ~TCP_FIN_PSH;
      if (given > 0) bytes[l4 + 13] &= ~TCP_CWR;
      store = l4 + 16;
      sum += 6;
    }
    put16(bytes, store, 0);
    const complete = ~fold(sum16(bytes, l4, end, sum + (end - l4))) & 0xffff;
    put16(bytes, store, complete === 0 ? 0xffff : complete);
  }
}
