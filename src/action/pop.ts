/**
 * Taking a VXLAN header off packets (`tnl_pop`): validation as Open vSwitch's (lib/netdev-native-tnl.c, netdev_vxlan_pop_header),
 * and the tunnel metadata that the second look-up is made with. VXLAN-GPE frames are accepted on any port, as there; the
 * UDP length field is not looked at, and any TTL will do.
 */
import { Extras, TUNNEL_WORDS, type PacketPool } from '../packet/pool.js';
import { fold, sum16 } from '../util/checksum.js';
import { viewsOf } from '../util/columns.js';
import { Reason } from '../util/reason.js';

/** Bytes of UDP and VXLAN. */
const UDP_VXLAN = 16;
/** Tunnel flags (`TunnelFlags`): KEY, and CSUM. */
const KEY = 8;
const CHECKSUM = 4;

/** Ethernet types of VXLAN-GPE's next protocols 1 (IPv4), 2 (IPv6) and 4 (NSH). */
const GPE_TYPES: Readonly<Record<number, number>> = { 1: 0x0800, 2: 0x86dd, 4: 0x894f };

/** Bits that VXLAN-GPE uses in the first word: version, P, O, next protocol. */
const GPE_BITS = 0x350000ff;

/**
 * Pops `count` packets of `list` in place: the sound ones move to the front, with `port` as their way in, their tunnel
 * metadata set and no other; answers how many. The others are counted in `drops` by reason.
 */
export type Pop = (list: Int32Array, count: number, port: number, drops: Float64Array) => number;

export function createPop(pool: PacketPool): Pop {
  const { bytes, view, offset, length, inPort, hash, recircId, extras, tunnel, packetType, addressMask } = pool;
  const [v0, v4, v8, v12, v16, v20, v24, v28, v32] = viewsOf(pool.buffer, 9);

  /** All cases; answers a reason. */
  function popAny(packet: number): number {
    const start = offset[packet];
    const end = start + length[packet];
    let l3 = start + 14;
    // Tags are no part of a terminated packet as translation makes them, but flows may be put by hand.
    for (let type = view.getUint16(l3 - 2); (type === 0x8100 || type === 0x88a8) && end - l3 >= 4; l3 += 4)
      type = view.getUint16(l3 + 2);
    if (end - l3 < 20) return Reason.tunnelPopTruncated;
    const version = bytes[l3] >>> 4;
    const base = packet * TUNNEL_WORDS;
    let l4: number;
    let l4End: number;
    let pseudo: number;
    let wide = 0;
    if (version === 4) {
      const header = (bytes[l3] & 15) * 4;
      const total = view.getUint16(l3 + 2);
      if (header < 20 || total < header || total > end - l3) return Reason.tunnelPopTruncated;
      if (header > 20) return Reason.tunnelPopOptions;
      if (fold(sum16(bytes, l3, l3 + 20)) !== 0xffff) return Reason.tunnelPopIpChecksum;
      l4 = l3 + 20;
      l4End = l3 + total;
      pseudo = sum16(bytes, l3 + 12, l4, 17 + total - 20);
      tunnel[base] = view.getInt32(l3 + 12, true);
      tunnel[base + 1] = view.getInt32(l3 + 16, true);
      tunnel[base + 3] = (bytes[l3 + 1] << 16) | (bytes[l3 + 8] << 24);
    } else if (version === 6) {
      if (end - l3 < 40 || view.getUint16(l3 + 4) + 40 > end - l3) return Reason.tunnelPopTruncated;
      l4End = l3 + 40 + view.getUint16(l3 + 4);
      l4 = skipExtensionHeaders(l3, l4End);
      if (l4 < 0) return Reason.tunnelPopTruncated;
      pseudo = sum16(bytes, l3 + 8, l3 + 40, 17 + l4End - l4);
      tunnel[base] = tunnel[base + 1] = 0;
      tunnel[base + 3] = (((view.getUint16(l3) >>> 4) & 0xff) << 16) | (bytes[l3 + 7] << 24);
      for (let word = 0; word < 8; word++) tunnel[base + 6 + word] = view.getInt32(l3 + 8 + 4 * word, true);
      wide = Extras.tunnelWide;
    } else return Reason.tunnelPopVersion;
    if (l4End - l4 < UDP_VXLAN) return Reason.tunnelPopTruncated;

    let flags = KEY;
    if (view.getUint16(l4 + 6) !== 0) {
      // Open vSwitch sums to the end of the frame, Ethernet padding included; a pad of zeros changes nothing.
      if (fold(sum16(bytes, l4, end, pseudo)) !== 0xffff) return Reason.tunnelPopUdpChecksum;
      flags |= CHECKSUM;
    }
    let vxlanFlags = view.getInt32(l4 + 8);
    let innerType = 0;
    if (vxlanFlags & 0x04000000) {
      const next = vxlanFlags & 0xff;
      if (vxlanFlags & 0x01000000 || next < 1 || next > 4) return Reason.tunnelPopFlags;
      innerType = GPE_TYPES[next] ?? 0;
      vxlanFlags &= ~GPE_BITS;
    }
    const vni = view.getInt32(l4 + 12);
    if (vxlanFlags !== 0x08000000 || (vni & 0xff) !== 0) return Reason.tunnelPopFlags;

    const inner = l4 + UDP_VXLAN;
    if (end - inner < (innerType === 0 ? 14 : 1)) return Reason.runt;
    tunnel[base + 2] = vni >>> 8;
    tunnel[base + 3] |= flags;
    tunnel[base + 4] = 0;
    tunnel[base + 5] = view.getInt32(l4, true);
    if (wide !== 0) {
      tunnel.fill(0, base + 14, base + TUNNEL_WORDS);
    }
    offset[packet] = inner;
    length[packet] = end - inner;
    if ((extras[packet] & Extras.metadata) !== 0) pool.clearExtras(packet);
    extras[packet] = Extras.tunnel | wide | (innerType !== 0 ? Extras.metadata : 0);
    packetType[packet] = innerType === 0 ? 0 : 0x10000 | innerType;
    return Reason.sound;
  }

  function skipExtensionHeaders(l3: number, end: number): number {
    let next = bytes[l3 + 6];
    let at = l3 + 40;
    while (next === 0 || next === 43 || next === 60 || next === 51 || next === 44) {
      if (end - at < 8) return -1;
      const size = next === 51 ? (bytes[at + 1] + 2) * 4 : next === 44 ? 8 : (bytes[at + 1] + 1) * 8;
      if (size > end - at) return -1;
      next = bytes[at];
      at += size;
    }
    return at;
  }

  return function pop(list, count, port, drops) {
    let kept = 0;
    for (let index = 0; index < count; index++) {
      const packet = list[index];
      const start = offset[packet] & addressMask;
      const size = length[packet];
      const l3 = start + 14;
      const first = v0.getInt32(l3, true);
      const vni = v32.getInt32(l3);
      // The common case in words: IPv4 without options, UDP without checksum, an I flag and a VNI and nothing else.
      if (
        size >= 64 &&
        view.getUint16(start + 12) === 0x0800 &&
        (first & 0xff) === 0x45 &&
        v24.getInt32(l3, true) >>> 16 === 0 &&
        v28.getInt32(l3, true) === 8 &&
        (vni & 0xff) === 0
      ) {
        const second = v4.getInt32(l3, true);
        const third = v8.getInt32(l3, true);
        const source = v12.getInt32(l3, true);
        const destination = v16.getInt32(l3, true);
        let sum =
          (first & 0xffff) + (first >>> 16) + (second & 0xffff) + (second >>> 16) + (third & 0xffff) + (third >>> 16);
        sum += (source & 0xffff) + (source >>> 16) + (destination & 0xffff) + (destination >>> 16);
        sum = (sum & 0xffff) + (sum >>> 16);
        const total = ((first >>> 8) & 0xff00) | (first >>> 24);
        if ((sum & 0xffff) + (sum >>> 16) === 0xffff && total <= size - 14 && total >= 36) {
          const base = packet * TUNNEL_WORDS;
          tunnel[base] = source;
          tunnel[base + 1] = destination;
          tunnel[base + 2] = vni >>> 8;
          tunnel[base + 3] = KEY | ((first & 0xff00) << 8) | ((third & 0xff) << 24);
          tunnel[base + 5] = v20.getInt32(l3, true);
          offset[packet] = start + 50;
          length[packet] = size - 50;
          if ((extras[packet] & Extras.metadata) !== 0) pool.clearExtras(packet);
          extras[packet] = Extras.tunnel;
          hash[packet] = 0;
          recircId[packet] = 0;
          inPort[packet] = port;
          list[kept++] = packet;
          continue;
        }
      }
      const reason = popAny(packet);
      if (reason !== Reason.sound) {
        drops[reason]++;
        continue;
      }
      hash[packet] = 0;
      recircId[packet] = 0;
      inPort[packet] = port;
      list[kept++] = packet;
    }
    return kept;
  };
}
