/**
 * Putting a VXLAN header before packets (`tnl_push`). The header is built when the megaflow is installed; what depends on
 * the packet is filled in here: lengths, the UDP source port (from the hash of the inner packet) and, where asked for,
 * checksums. The inner frame is carried as it is, padding included; nothing is fragmented, and the IPv4 id stays 0
 * (Open vSwitch, lib/netdev-native-tnl.c; RFC 7348 section 5).
 */
import type { PacketPool } from '../packet/pool.js';
import { fold, sum16 } from '../util/checksum.js';
import { columnsOf } from '../util/columns.js';
import { MegaflowError } from '../util/errors.js';
import type { TunnelHeader } from './types.js';

/** `enum ovs_vport_type`. */
export const VXLAN_TYPE = 4;

/** First UDP source port, and how many there are (Open vSwitch's default range, 32768 to 61000). */
export const SOURCE_PORT_FIRST = 32768;
export const SOURCE_PORT_COUNT = 61000 - 32768;

const ETHERNET_BYTES = 14;

/** A header ready to be pushed. */
export interface PushTemplate {
  readonly bytes: Uint8Array;
  /** The header as little-endian words (zero-padded), for starts that are aligned. */
  readonly words: Int32Array;
  readonly ipv6: boolean;
  /** Folded sum of the constant part of the IPv4 header. */
  readonly ipSum: number;
  /** Whether a UDP checksum is computed. */
  readonly checksum: boolean;
}

/** Prepares a header; throws `unsupported-action` for anything but VXLAN over UDP in IPv4 or IPv6. */
export function createPushTemplate(header: TunnelHeader): PushTemplate {
  const { bytes, type } = header;
  const etherType = (bytes[12] << 8) | bytes[13];
  const ipv6 = etherType === 0x86dd;
  const l4 = ETHERNET_BYTES + (ipv6 ? 40 : 20);
  if (type !== VXLAN_TYPE || (!ipv6 && etherType !== 0x0800) || bytes.length !== l4 + 16) {
    throw new MegaflowError('unsupported-action', `tnl_push of type ${type} is not executed`, type, 'VXLAN (type 4)');
  }
  const template = bytes.slice();
  // What is filled in for each packet is zero here, whatever was given: source port, UDP length, IPv4 length and checksum.
  template[l4] = template[l4 + 1] = template[l4 + 4] = template[l4 + 5] = 0;
  let ipSum = 0;
  if (!ipv6) {
    template[16] = template[17] = template[24] = template[25] = 0;
    ipSum = fold(sum16(template, ETHERNET_BYTES, l4));
  }
  const words = new Int32Array(Math.ceil(template.length / 4));
  new Uint8Array(words.buffer).set(template);
  return { bytes: template, words, ipv6, ipSum, checksum: bytes[l4 + 6] !== 0 || bytes[l4 + 7] !== 0 };
}

/** The UDP source port for a hash: the hash scaled to the range, all 32 bits of it counting. */
export function sourcePort(hash: number): number {
  // floor(hash × 28232 / 2^32) in pieces that stay below 2^31.
  return (
    SOURCE_PORT_FIRST + (((hash >>> 16) * SOURCE_PORT_COUNT + (((hash & 0xffff) * SOURCE_PORT_COUNT) >>> 16)) >>> 16)
  );
}

/**
 * Pushes `template` before `count` packets, which must have the headroom and an IP length that fits. Metadata become those of
 * a packet that came in on `outPort`.
 */
export type Push = (list: Int32Array, count: number, template: PushTemplate, outPort: number) => void;

export function createPush(pool: PacketPool): Push {
  const { bytes, view, halves, offset, length, hash, inPort, extras, recircId } = pool;

  const [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11] = columnsOf(pool.words, 12);

  function pushAny(packet: number, template: PushTemplate): void {
    const size = template.bytes.length;
    const start = offset[packet] - size;
    const total = length[packet] + size;
    offset[packet] = start;
    length[packet] = total;
    bytes.set(template.bytes, start);
    const l4 = start + (template.ipv6 ? 54 : 34);
    const udpLength = total - (l4 - start);
    view.setUint16(l4, sourcePort(hash[packet]));
    view.setUint16(l4 + 4, udpLength);
    if (template.ipv6) view.setUint16(start + 18, udpLength);
    else {
      view.setUint16(start + 16, total - ETHERNET_BYTES);
      view.setUint16(start + 24, ~fold(template.ipSum + total - ETHERNET_BYTES) & 0xffff);
    }
    if (!template.checksum) return;
    view.setUint16(l4 + 6, 0);
    const addresses = template.ipv6 ? start + 22 : start + 26;
    const sum = sum16(bytes, l4, start + total, sum16(bytes, addresses, l4, 17 + udpLength));
    // A checksum that comes out as zero is sent as all ones: zero means none (RFC 768).
    view.setUint16(l4 + 6, ~fold(sum) & 0xffff || 0xffff);
  }

  /**
   * VXLAN over IPv4 without UDP checksum, on packets that start at 2 modulo 4: 50 bytes are 12 and a half aligned words. The
   * words live in locals for the length of a burst: 9 ns a packet against 17 with `bytes.set` (shared measurement, bench/NOTES.md).
   */
  function pushIpv4(list: Int32Array, count: number, template: PushTemplate): void {
    const t = template.words;
    const w0 = t[0];
    const w1 = t[1];
    const w2 = t[2];
    const w3 = t[3];
    const w4 = t[4];
    const w5 = t[5];
    const w6 = t[6];
    const w7 = t[7];
    const w8 = t[8];
    const w9 = t[9];
    const w10 = t[10];
    const w11 = t[11];
    const w12 = t[12];
    const { ipSum } = template;
    for (let index = 0; index < count; index++) {
      const packet = list[index];
      const start = offset[packet] - 50;
      if ((start & 3) !== 0) {
        pushAny(packet, template);
        continue;
      }
      const total = length[packet] + 50;
      offset[packet] = start;
      length[packet] = total;
      const at = start >> 2;
      const ipLength = total - 14;
      let sum = ipSum + ipLength;
      sum = (sum & 0xffff) + (sum >>> 16);
      sum = ~(sum + (sum >>> 16)) & 0xffff;
      const port = sourcePort(hash[packet]);
      const udpLength = ipLength - 20;
      c0[at] = w0;
      c1[at] = w1;
      c2[at] = w2;
      c3[at] = w3;
      c4[at] = w4 | ((ipLength >>> 8) & 0xff) | ((ipLength & 0xff) << 8);
      c5[at] = w5;
      c6[at] = w6 | (sum >>> 8) | ((sum & 0xff) << 8);
      c7[at] = w7;
      c8[at] = w8 | ((port >>> 8) << 16) | (port << 24);
      c9[at] = w9 | (((udpLength >>> 8) & 0xff) << 16) | (udpLength << 24);
      c10[at] = w10;
      c11[at] = w11;
      halves[(start >> 1) + 24] = w12;
    }
  }

  return function push(list, count, template, outPort) {
    if (!template.ipv6 && !template.checksum) pushIpv4(list, count, template);
    else for (let index = 0; index < count; index++) pushAny(list[index], template);
    for (let index = 0; index < count; index++) {
      const packet = list[index];
      inPort[packet] = outPort;
      recircId[packet] = 0;
      if (extras[packet] !== 0) pool.clearExtras(packet);
    }
  };
}
