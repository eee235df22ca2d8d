/**
 * The part of extraction that most packets never see: inner tags, 802.3 frames, ARP, IPv6 with its extension headers, ND, MPLS,
 * NSH. The functions write the words of a row that `extract` reads back (6 to 10) and those of the groups, and answer `Group`
 * bits. What counts as sound is what Open vSwitch takes for sound (lib/flow.c there); nothing is refused.
 */
import { TUNNEL_WORDS, type PacketPool } from '../packet/pool.js';
import { hashAdd, hashFinish } from '../util/hash.js';
import { Group } from './fields.js';
import { hasPorts, hashTuple } from './hash-key.js';

// Ethernet types as they read little-endian.
const VLAN = 0x0081;
const SERVICE_VLAN = 0xa888;
const ARP = 0x0608;
const RARP = 0x3580;
const IPV6 = 0xdd86;
const MPLS = 0x4788;
const MPLS_MULTICAST = 0x4888;
const NSH = 0x4f89;
/** `ETH_TYPE_NONE` (0x05ff). */
const NONE = 0xff05;
const PRESENT = 0x10;

/** Label stack entries that are kept (Open vSwitch's FLOW_MAX_MPLS_LABELS). */
const MPLS_LABELS = 3;

/** Open vSwitch's 5-tuple hash of a packet that is neither IP nor ARP. */
const NO_ADDRESS_HASH = hashFinish(0, 42);
/** … and of an IPv6 packet whose header is wrong: addresses and protocol count as zero. */
const FAILED_IPV6_HASH = hashFinish([0, 0, 0, 0, 0, 0, 0, 0, 0].reduce(hashAdd, 0), 42);

export interface RareExtractor {
  /** Looks behind an inner tag and a SNAP header: the type there, bytes to skip × 2^16, and groups × 2^24. */
  peel(keys: Int32Array, row: number, type: number, at: number, end: number, tagged: boolean): number;
  /** Everything but IPv4, from the network header on. */
  network(packet: number, keys: Int32Array, row: number, type: number, l3: number, end: number): number;
  /** ICMPv6 (and ND) from `l4` to `end`; type and code go to word 7. */
  icmpv6(keys: Int32Array, row: number, l4: number, end: number): number;
  /** Wide tunnel words and metadata. */
  copyExtras(packet: number, keys: Int32Array, row: number): void;
}

export function createRareExtractor(pool: PacketPool, vlanLimit: number): RareExtractor {
  const { bytes, view, hash, extras, tunnel, skbPriority, skbMark, dpHash, packetType } = pool;
  /** Whether the IPv6 packet in hand has a whole TCP or UDP header. */
  let soundTransport = false;

  function peel(keys: Int32Array, row: number, type: number, at: number, end: number, tagged: boolean): number {
    let skip = 0;
    let groups = 0;
    if (tagged && vlanLimit > 1 && (type === VLAN || type === SERVICE_VLAN) && end - at >= 4) {
      keys[row + 48] = type | ((view.getUint16(at, true) | PRESENT) << 16);
      groups = Group.innerTag;
      type = view.getUint16(at + 2, true);
      skip = 4;
    }
    // Below 0x0600 it is a length; a SNAP header with OUI 0 may hold a type.
    if ((type & 0xff) < 6) {
      const llc = at + skip;
      const snap =
        end - llc >= 8 &&
        view.getInt32(llc, true) === 0x0003aaaa &&
        view.getUint16(llc + 4, true) === 0 &&
        bytes[llc + 6] >= 6;
      type = snap ? view.getUint16(llc + 6, true) : NONE;
      if (snap) skip += 8;
    }
    return type | (skip << 16) | (groups << 24);
  }

  function network(packet: number, keys: Int32Array, row: number, type: number, l3: number, end: number): number {
    keys[row + 6] = keys[row + 7] = keys[row + 8] = keys[row + 9] = keys[row + 10] = 0;
    if (type === IPV6) return ipv6(packet, keys, row, l3, end);
    if (type === ARP || type === RARP) return arp(packet, keys, row, type, l3, end);
    if (hash[packet] === 0) hash[packet] = NO_ADDRESS_HASH;
    if (type === MPLS || type === MPLS_MULTICAST) return mpls(keys, row, l3, end);
    if (type === NSH) return nsh(keys, row, l3, end);
    return 0;
  }

  function arp(packet: number, keys: Int32Array, row: number, type: number, at: number, end: number): number {
    let groups = 0;
    // Ethernet and IPv4, with their address lengths.
    if (end - at >= 28 && view.getInt32(at, true) === 0x00080100 && view.getUint16(at + 4, true) === 0x0406) {
      const opcode = view.getUint16(at + 6, false);
      keys[row + 6] = opcode <= 255 ? opcode << 8 : 0;
      keys[row + 8] = view.getInt32(at + 14, true);
      keys[row + 9] = view.getInt32(at + 24, true);
      keys.fill(0, row + 39, row + 48);
      keys[row + 43] = view.getInt32(at + 8, true);
      keys[row + 44] = view.getUint16(at + 12, true) | (view.getUint16(at + 18, true) << 16);
      keys[row + 45] = view.getInt32(at + 20, true);
      groups = Group.nd;
    }
    if (hash[packet] === 0) {
      // The hash takes the opcode for a protocol number: those that have ports add a word of zeros.
      const opcode = (keys[row + 6] >>> 8) & 0xff;
      hash[packet] = type === ARP ? hashTuple(keys[row + 8], keys[row + 9], opcode, 0) : NO_ADDRESS_HASH;
    }
    return groups;
  }

  function ipv6(packet: number, keys: Int32Array, row: number, l3: number, end: number): number {
    const payload = end - l3 >= 40 ? view.getUint16(l3 + 4, false) : -1;
    if (payload < 0 || payload + 40 > end - l3) {
      // Addresses and protocol are hashed as the zeros that they are in the key (observed with 3.1.0).
      if (hash[packet] === 0) hash[packet] = FAILED_IPV6_HASH;
      return 0;
    }
    for (let word = 0; word < 8; word++) keys[row + 30 + word] = view.getInt32(l3 + 8 + 4 * word, true);
    keys[row + 38] = 0;
    soundTransport = false;
    const groups = Group.ipv6 | ipv6Payload(keys, row, l3, l3 + 40 + payload);
    if (hash[packet] === 0)
      hash[packet] = hashIpv6(keys, row, soundTransport ? bytes[l3 + 6] : (keys[row + 6] >>> 8) & 0xff);
    return groups;
  }

  /** Extension headers and what they lead to. Where they are broken, only the addresses are known. */
  function ipv6Payload(keys: Int32Array, row: number, l3: number, end: number): number {
    let next = bytes[l3 + 6];
    let at = l3 + 40;
    let fragment = 0;
    for (;;) {
      if (next === 0 || next === 43 || next === 60 || next === 51) {
        if (end - at < 8) return 0;
        const size = next === 51 ? (bytes[at + 1] + 2) * 4 : (bytes[at + 1] + 1) * 8;
        if (size > end - at) return 0;
        next = bytes[at];
        at += size;
      } else if (next === 44) {
        if (end - at < 8) return 0;
        const offsetFlags = view.getUint16(at + 2, false);
        next = bytes[at];
        at += 8;
        // An atomic fragment (offset 0, no more to come) is none, unless reserved bits are set (observed with 3.1.0).
        if (offsetFlags !== 0) {
          fragment = 1;
          if ((offsetFlags & 0xfff8) !== 0) {
            fragment = 3;
            next = 44;
            break;
          }
        }
      } else break;
    }
    const first = view.getUint16(l3, false);
    keys[row + 6] = bytes[l3 + 7] | (next << 8) | ((first & 0x0ff0) << 12) | (fragment << 24);
    keys[row + 38] = view.getInt32(l3, false) & 0xfffff;
    return fragment === 3 ? 0 : transport(keys, row, next, at, end);
  }

  function transport(keys: Int32Array, row: number, protocol: number, l4: number, end: number): number {
    const room = end - l4;
    if (protocol === 6) {
      const header = room >= 20 ? (bytes[l4 + 12] & 0xf0) >>> 2 : 0;
      if (header >= 20 && header <= room) {
        keys[row + 7] = view.getInt32(l4, true);
        keys[row + 10] = view.getUint16(l4 + 12, true) & 0xff0f;
        soundTransport = true;
      }
    } else if ((protocol === 17 && room >= 8) || (protocol === 132 && room >= 12)) {
      keys[row + 7] = view.getInt32(l4, true);
      soundTransport = protocol === 17;
    } else if ((protocol === 1 || protocol === 2) && room >= 8)
      keys[row + 7] = (bytes[l4] << 8) | (bytes[l4 + 1] << 24);
    else if (protocol === 58) return icmpv6(keys, row, l4, end);
    return 0;
  }

  function icmpv6(keys: Int32Array, row: number, l4: number, end: number): number {
    keys[row + 7] = keys[row + 10] = 0;
    if (end - l4 < 8) return 0;
    const type = bytes[l4];
    keys[row + 7] = (type << 8) | (bytes[l4 + 1] << 24);
    if ((type !== 135 && type !== 136) || bytes[l4 + 1] !== 0) return 0;
    keys.fill(0, row + 39, row + 48);
    keys[row + 46] = view.getInt32(l4 + 4, true);
    if (end - l4 < 24) return Group.nd;
    for (let word = 0; word < 4; word++) keys[row + 39 + word] = view.getInt32(l4 + 8 + 4 * word, true);
    let seen = 0;
    for (let at = l4 + 24; end - at >= 8; ) {
      const type = bytes[at];
      const size = bytes[at + 1] * 8;
      if (size === 0 || size > end - at) break;
      if ((type === 1 || type === 2) && size === 8) {
        // A link-layer address of zero counts as none; a second one makes the whole of it invalid.
        if (seen & type) {
          keys.fill(0, row + 39, row + 46);
          break;
        }
        if (keys[row + 47] === 0) {
          keys[row + 47] = type;
          // Open vSwitch keeps it where TCP has its flags, and counts it as such.
          keys[row + 10] = type << 8;
        }
        const high = view.getUint16(at + 2, true);
        const low = view.getInt32(at + 4, true);
        if (high !== 0 || low !== 0) seen |= type;
        if (type === 1) {
          keys[row + 43] = high | (low << 16);
          keys[row + 44] = (keys[row + 44] & ~0xffff) | (low >>> 16);
        } else {
          keys[row + 44] = (keys[row + 44] & 0xffff) | (high << 16);
          keys[row + 45] = low;
        }
      }
      at += size;
    }
    return Group.nd;
  }

  function mpls(keys: Int32Array, row: number, at: number, end: number): number {
    keys.fill(0, row + 49, row + 58);
    for (let label = 0; label < MPLS_LABELS && end - at >= 4; label++, at += 4) {
      keys[row + 49 + label] = view.getInt32(at, true);
      if (bytes[at + 2] & 1) break;
    }
    return Group.labels;
  }

  function nsh(keys: Int32Array, row: number, at: number, end: number): number {
    if (end - at < 8) return 0;
    const control = view.getUint16(at, false);
    const size = (control & 0x3f) * 4;
    const mdtype = bytes[at + 2];
    if (control >>> 14 !== 0 || size > end - at || (mdtype === 1 && size !== 24)) return 0;
    keys.fill(0, row + 49, row + 58);
    keys[row + 52] = ((control >>> 12) & 3) | (((control >>> 6) & 0x3f) << 8) | (mdtype << 16) | (bytes[at + 3] << 24);
    keys[row + 53] = view.getInt32(at + 4, true);
    if (mdtype === 1)
      for (let word = 0; word < 4; word++) keys[row + 54 + word] = view.getInt32(at + 8 + 4 * word, true);
    return Group.labels;
  }

  function copyExtras(packet: number, keys: Int32Array, row: number): void {
    if (extras[packet] & Group.tunnelWide) {
      const from = packet * TUNNEL_WORDS;
      for (let word = 0; word < TUNNEL_WORDS; word++) keys[row + 12 + word] = tunnel[from + word];
    }
    if (extras[packet] & Group.metadata) {
      keys[row + 58] = packetType[packet];
      keys[row + 59] = skbPriority[packet];
      keys[row + 60] = skbMark[packet];
      keys[row + 61] = dpHash[packet];
    }
  }

  return { peel, network, icmpv6, copyExtras };
}

/**
 * Open vSwitch's 5-tuple hash of the IPv6 packet whose key stands at `row`. `protocol` is that of the key or, for TCP and UDP
 * with whole headers, the next-header byte of the base header (0, say, when a hop-by-hop header follows).
 */
function hashIpv6(keys: Int32Array, row: number, protocol: number): number {
  let h = 0;
  for (let word = 30; word < 38; word++) h = hashAdd(h, keys[row + word]);
  h = hashAdd(h, protocol);
  if (hasPorts((keys[row + 6] >>> 8) & 0xff)) h = hashAdd(h, keys[row + 7]);
  return hashFinish(h, 42);
}
