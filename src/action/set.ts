/**
 * Writing header fields of a packet (`set`), masked or not, with checksums kept right by incremental update (RFC 1624), VLAN
 * tags pushed and popped. Headers that are not there, or not sound, are left alone. Later fragments have no transport header, so
 * a change of address leaves their payload as it is.
 */
import { GROUP_WORDS, Group, VLAN_PRESENT, fields, getField, type FieldName, type FlowWords } from '../flow/fields.js';
import { TUNNEL_WORDS, type PacketPool } from '../packet/pool.js';
import { updateChecksum16 } from '../util/checksum.js';
import { MegaflowError } from '../util/errors.js';
import type { FieldSetting, SetAttribute } from './types.js';

/** Where the headers of a packet lie, absolute; -1: not there. */
interface Layout {
  l3: number;
  l4: number;
  /**
   * Where Open vSwitch looks for the checksum that covers the addresses: in IPv4 behind the header, also of a later fragment, which has
   * none there and is changed all the same; in IPv6 at `l4`, but nowhere when a fragment header says that there is no other fragment.
   */
  covered: number;
  /** End of the network packet, without Ethernet padding. */
  end: number;
  etherType: number;
  protocol: number;
  /** Whether a routing header has segments left: the destination is not the one that checksums cover then (RFC 8200 section 8.1). */
  routed: boolean;
}

const ANY_TUNNEL = Group.tunnel | Group.tunnelWide;
const TCP = 6;
const UDP = 17;
const SCTP = 132;
const ICMPV6 = 58;

/** Writes the fields of one attribute into `packet`. */
export type SetFields = (packet: number) => void;

export interface Setter {
  /** Makes the function that applies one `set`; throws `unsupported-action`. */
  createSet(attribute: SetAttribute, setting: FieldSetting): SetFields;
  /** Where the network packet ends, absolute: what follows up to the end of the frame is Ethernet padding. */
  networkEnd(packet: number): number;
  pushVlan(packet: number, tpid: number, tci: number): void;
  popVlan(packet: number): void;
}

export function createSetter(pool: PacketPool): Setter {
  const { bytes, view, offset, length, extras, tunnel, skbPriority, skbMark, packetType } = pool;
  const layout: Layout = { l3: -1, l4: -1, covered: -1, end: 0, etherType: 0, protocol: 0, routed: false };

  /** Whether a packet begins with an Ethernet header; what VXLAN-GPE carried may not. */
  function isEthernet(packet: number): boolean {
    return (extras[packet] & Group.metadata) === 0 || packetType[packet] === 0;
  }

  /** Finds the headers of `packet` in `layout`; false when there is no sound network header. */
  function locate(packet: number): boolean {
    const start = offset[packet];
    const end = start + length[packet];
    layout.l3 = start;
    if (isEthernet(packet)) locateNetwork(start, end);
    else layout.etherType = packetType[packet] & 0xffff;
    layout.l4 = -1;
    layout.covered = -1;
    layout.end = end;
    layout.routed = false;
    const { l3 } = layout;
    if (layout.etherType === 0x0800) {
      if (end - l3 < 20) return false;
      const header = (bytes[l3] & 15) * 4;
      const total = view.getUint16(l3 + 2);
      if (header < 20 || total < header || total > end - l3) return false;
      layout.protocol = bytes[l3 + 9];
      layout.end = l3 + total;
      layout.covered = l3 + header;
      if ((view.getUint16(l3 + 6) & 0x1fff) === 0) layout.l4 = layout.covered;
    } else if (layout.etherType === 0x86dd) {
      if (end - l3 < 40) return false;
      const payload = view.getUint16(l3 + 4);
      if (payload + 40 > end - l3) return false;
      layout.end = l3 + 40 + payload;
      locateIpv6Transport();
    } else if (layout.etherType === 0x0806 || layout.etherType === 0x8035) return end - l3 >= 28;
    return true;
  }

  /** Behind tags and a SNAP header. */
  function locateNetwork(start: number, end: number): void {
    let at = start + 12;
    while (end - at >= 6 && (view.getUint16(at) === 0x8100 || view.getUint16(at) === 0x88a8)) at += 4;
    layout.etherType = view.getUint16(at);
    layout.l3 = at + 2;
    if (
      layout.etherType >= 0x0600 ||
      end - at < 10 ||
      view.getUint32(at + 2) !== 0xaaaa0300 ||
      view.getUint16(at + 6) !== 0
    )
      return;
    layout.etherType = view.getUint16(at + 8);
    layout.l3 = at + 10;
  }

  function locateIpv6Transport(): void {
    let next = bytes[layout.l3 + 6];
    let at = layout.l3 + 40;
    let isAtomic = false;
    while (next === 0 || next === 43 || next === 60 || next === 51 || next === 44) {
      if (layout.end - at < 8) return;
      const size = next === 51 ? (bytes[at + 1] + 2) * 4 : next === 44 ? 8 : (bytes[at + 1] + 1) * 8;
      if (size > layout.end - at) return;
      if (next === 44 && (view.getUint16(at + 2) & 0xfff8) !== 0) return;
      if (next === 43 && bytes[at + 3] !== 0) layout.routed = true;
      isAtomic ||= next === 44 && (view.getUint16(at + 2) & 0xfff9) === 0;
      next = bytes[at];
      at += size;
    }
    layout.protocol = next;
    layout.l4 = at;
    if (!isAtomic) layout.covered = at;
  }

  /** Where the checksum of the transport header at `l4` lies, -1 for none (also a UDP checksum of zero). */
  function transportChecksum(l4: number): number {
    const { end, protocol } = layout;
    if (l4 < 0) return -1;
    if (protocol === TCP && end - l4 >= 20) return l4 + 16;
    if (protocol === UDP && end - l4 >= 8) return view.getUint16(l4 + 6) === 0 ? -1 : l4 + 6;
    if (protocol === ICMPV6 && layout.etherType === 0x86dd && end - l4 >= 8) return l4 + 2;
    return -1;
  }

  /** Writes one 16-bit word and brings the checksums at the two places up to date (-1: none). */
  function put16(at: number, value: number, first: number, second: number): void {
    const before = view.getUint16(at);
    if (before === value) return;
    view.setUint16(at, value);
    if (first >= 0) view.setUint16(first, updateChecksum16(view.getUint16(first), before, value));
    if (second >= 0) {
      const sum = updateChecksum16(view.getUint16(second), before, value);
      view.setUint16(second, sum === 0 && layout.protocol === UDP ? 0xffff : sum);
    }
  }

  /** Writes the bytes of a wire field at `at` (even distance from the header), masked, a 16-bit word at a time. */
  function putField({ value, mask }: FieldSetting, name: FieldName, at: number, first: number, second: number): void {
    const place = fields[name];
    for (let byte = 0; byte < place.length; byte += 2) {
      const m = word16(mask, place.at + byte);
      if (m !== 0)
        put16(at + byte, (view.getUint16(at + byte) & ~m) | (word16(value, place.at + byte) & m), first, second);
    }
  }

  /** Writes `bits` (masked) into the 16-bit word at `at`. */
  function putBits(at: number, value: number, mask: number, first: number): void {
    if (mask !== 0) put16(at, (view.getUint16(at) & ~mask & 0xffff) | (value & mask), first, -1);
  }

  const byName: Partial<Record<SetAttribute, (setting: FieldSetting) => SetFields>> = {
    eth: (setting) => (packet) => {
      if (!isEthernet(packet)) return;
      putField(setting, 'ethDst', offset[packet], -1, -1);
      putField(setting, 'ethSrc', offset[packet] + 6, -1, -1);
    },
    ipv4: (setting) => {
      const { value, mask } = setting;
      return (packet) => {
        if (!locate(packet) || layout.etherType !== 0x0800) return;
        const { l3 } = layout;
        const transport = transportChecksum(layout.covered);
        putField(setting, 'ipv4Src', l3 + 12, l3 + 10, transport);
        putField(setting, 'ipv4Dst', l3 + 16, l3 + 10, transport);
        putBits(l3, getField(value, 'ipTos'), getField(mask, 'ipTos'), l3 + 10);
        putBits(l3 + 8, getField(value, 'ipTtl') << 8, getField(mask, 'ipTtl') << 8, l3 + 10);
      };
    },
    ipv6: (setting) => {
      const { value, mask } = setting;
      const label = getField(value, 'ipv6Label');
      const labelMask = getField(mask, 'ipv6Label');
      return (packet) => {
        if (!locate(packet) || layout.etherType !== 0x86dd) return;
        const { l3 } = layout;
        const transport = transportChecksum(layout.covered);
        putField(setting, 'ipv6Src', l3 + 8, -1, transport);
        putField(setting, 'ipv6Dst', l3 + 24, -1, layout.routed ? -1 : transport);
        putBits(l3, getField(value, 'ipTos') << 4, getField(mask, 'ipTos') << 4, -1);
        putBits(l3, label >>> 16, labelMask >>> 16, -1);
        putBits(l3 + 2, label & 0xffff, labelMask & 0xffff, -1);
        putBits(l3 + 6, getField(value, 'ipTtl'), getField(mask, 'ipTtl'), -1);
      };
    },
    tcp: ports(TCP, 20),
    udp: ports(UDP, 8),
    sctp: ports(SCTP, 12),
    icmp: icmp(1),
    icmpv6: icmp(ICMPV6),
    arp: (setting) => {
      const { value, mask } = setting;
      return (packet) => {
        if (!locate(packet) || (layout.etherType !== 0x0806 && layout.etherType !== 0x8035)) return;
        const { l3 } = layout;
        const opcode = getField(mask, 'ipProto');
        if (opcode !== 0) putBits(l3 + 6, getField(value, 'ipProto'), opcode | 0xff00, -1);
        putField(setting, 'arpSha', l3 + 8, -1, -1);
        putField(setting, 'ipv4Src', l3 + 14, -1, -1);
        putField(setting, 'arpTha', l3 + 18, -1, -1);
        putField(setting, 'ipv4Dst', l3 + 24, -1, -1);
      };
    },
    nd: (setting) => (packet) => {
      if (!locate(packet) || layout.l4 < 0 || layout.protocol !== ICMPV6 || layout.end - layout.l4 < 24) return;
      const { l4 } = layout;
      const sum = transportChecksum(layout.l4);
      putField(setting, 'ndTarget', l4 + 8, -1, sum);
      for (let at = l4 + 24; layout.end - at >= 8 && bytes[at + 1] !== 0; at += bytes[at + 1] * 8) {
        if (bytes[at + 1] !== 1 || (bytes[at] !== 1 && bytes[at] !== 2)) continue;
        // Only the first link-layer address is written (observed with 3.1.0).
        putField(setting, bytes[at] === 1 ? 'arpSha' : 'arpTha', at + 2, -1, sum);
        return;
      }
    },
    tunnel: ({ value }) => {
      const [first, count] = GROUP_WORDS[0];
      const words = value.slice(first, first + TUNNEL_WORDS);
      const wide = words.subarray(count).some((word) => word !== 0);
      return (packet) => {
        tunnel.set(words, packet * TUNNEL_WORDS);
        extras[packet] = (extras[packet] & ~ANY_TUNNEL) | (wide ? ANY_TUNNEL : Group.tunnel);
      };
    },
    skb_priority: ({ value, mask }) =>
      metadata(skbPriority, getField(value, 'skbPriority'), getField(mask, 'skbPriority')),
    skb_mark: ({ value, mask }) => metadata(skbMark, getField(value, 'skbMark'), getField(mask, 'skbMark')),
  };

  function metadata(column: Int32Array, value: number, mask: number): SetFields {
    return (packet) => {
      column[packet] = (column[packet] & ~mask) | (value & mask);
      extras[packet] |= Group.metadata;
    };
  }

  function ports(protocol: number, least: number) {
    return (setting: FieldSetting): SetFields =>
      (packet) => {
        if (!locate(packet) || layout.l4 < 0 || layout.protocol !== protocol || layout.end - layout.l4 < least) return;
        const { l4 } = layout;
        if (protocol === SCTP) {
          // SCTP's CRC32c covers the ports: the old sum, if it was right, is replaced by the new one.
          const before = crc32c(bytes, l4, layout.end);
          putField(setting, 'tpSrc', l4, -1, -1);
          putField(setting, 'tpDst', l4 + 2, -1, -1);
          const after = crc32c(bytes, l4, layout.end);
          view.setInt32(l4 + 8, view.getInt32(l4 + 8, true) ^ before ^ after, true);
          return;
        }
        const sum = transportChecksum(layout.l4);
        putField(setting, 'tpSrc', l4, -1, sum);
        putField(setting, 'tpDst', l4 + 2, -1, sum);
      };
  }

  function icmp(protocol: number) {
    return ({ value, mask }: FieldSetting): SetFields => {
      const typeCode = ((getField(value, 'tpSrc') & 0xff) << 8) | (getField(value, 'tpDst') & 0xff);
      const typeCodeMask = ((getField(mask, 'tpSrc') & 0xff) << 8) | (getField(mask, 'tpDst') & 0xff);
      return (packet) => {
        if (!locate(packet) || layout.l4 < 0 || layout.protocol !== protocol || layout.end - layout.l4 < 8) return;
        putBits(layout.l4, typeCode, typeCodeMask, layout.l4 + 2);
      };
    };
  }

  return {
    createSet(attribute, setting) {
      const create = byName[attribute];
      if (!create)
        throw new MegaflowError(
          'unsupported-action',
          `set of ${attribute} is not executed`,
          attribute,
          Object.keys(byName).join(', '),
        );
      return create(setting);
    },

    networkEnd(packet) {
      return locate(packet) ? layout.end : offset[packet] + length[packet];
    },

    pushVlan(packet, tpid, tci) {
      const start = offset[packet] - 4;
      bytes.copyWithin(start, start + 4, start + 16);
      view.setUint16(start + 12, tpid);
      // CFI says that there is a tag; on the wire the bit (DEI) is sent as zero.
      view.setUint16(start + 14, tci & ~VLAN_PRESENT);
      offset[packet] = start;
      length[packet] += 4;
    },

    popVlan(packet) {
      const start = offset[packet];
      const type = view.getUint16(start + 12);
      if (length[packet] < 18 || (type !== 0x8100 && type !== 0x88a8)) return;
      bytes.copyWithin(start + 4, start, start + 12);
      offset[packet] = start + 4;
      length[packet] -= 4;
    },
  };
}

function word16(words: FlowWords, at: number): number {
  const low = (words[at >> 2] >>> ((at & 3) << 3)) & 0xff;
  const next = at + 1;
  return (low << 8) | ((words[next >> 2] >>> ((next & 3) << 3)) & 0xff);
}

/** CRC32c (RFC 9260 appendix A) of an SCTP packet with its checksum field taken as zero; little-endian, as it is stored. */
function crc32c(bytes: Uint8Array, offset: number, end: number): number {
  let crc = -1;
  for (let at = offset; at < end; at++) {
    crc ^= at >= offset + 8 && at < offset + 12 ? 0 : bytes[at];
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}
