/**
 * From frames to flow keys: Open vSwitch's rules (`miniflow_extract`), which refuse nothing. Parsing stops at the first
 * thing that is wrong and leaves the rest zero; the packet is looked up and forwarded all the same.
 *
 * A burst goes through one loop. Ethernet, one tag, IPv4 with TCP, UDP, SCTP or ICMP and simple tunnel metadata are handled
 * in it; what is rarer is a call away in `extract-rare.ts`. Each packet's key goes to a row of `KEY_WORDS` words whose
 * word 11 remembers which groups of rare words the row holds, so that they are cleared only when they were used.
 *
 * Frames are at least 14 bytes long here: shorter ones are dropped before (Reason.runt).
 */
import { Extras, TUNNEL_WORDS, type PacketPool } from '../packet/pool.js';
import { hashAdd, hashFinish } from '../util/hash.js';
import { FAILED_IPV4_HASH, createRareExtractor } from './extract-rare.js';
import { GROUPS_WORD, GROUP_WORDS, Group, KEY_WORDS } from './fields.js';

// Ethernet types as they read little-endian.
const IPV4 = 0x0008;
const IPV6 = 0xdd86;
const VLAN = 0x0081;
const SERVICE_VLAN = 0xa888;
/** `VLAN_PRESENT` (0x1000) in the order of the wire. */
const PRESENT = 0x10;

export interface ExtractOptions {
  /** How many tags are parsed, 1 or 2: Open vSwitch's `vlan-limit`. The next one's TPID is then the Ethernet type. Default 1. */
  vlanLimit?: number;
}

/**
 * Writes the keys of the first `count` packets of `burst` to rows 0 … count - 1 of `keys`, a hash for each to `hashes` (it
 * covers the 5-tuple, the way in, the tunnel id and, where there are no addresses, the MACs), and Open vSwitch's 5-tuple hash
 * to `pool.hash` where that is still 0. A row must be all zero before its first use; extraction alone writes to it then.
 */
export type Extract = (burst: Int32Array, count: number, keys: Int32Array, hashes: Int32Array) => void;

/** Extraction over one pool. Create it once a pool: V8 folds the pool's arrays into the code as constants. */
export function createExtract(pool: PacketPool, options: ExtractOptions = {}): Extract {
  const { view, offset, length, inPort, recircId, hash, extras, tunnel, packetType } = pool;
  const rare = createRareExtractor(pool, options.vlanLimit ?? 1);

  return function extract(burst, count, keys, hashes) {
    for (let index = 0, row = 0; index < count; index++, row += KEY_WORDS) {
      const packet = burst[index];
      const start = offset[packet];
      const end = start + length[packet];
      let groups = extras[packet];

      let destination = 0;
      let macs = 0;
      let source = 0;
      let type = 0;
      let l3 = start;
      let tag = 0;
      let tpid = 0;
      if ((groups & Extras.metadata) === 0 || packetType[packet] === 0) {
        destination = view.getInt32(start, true);
        macs = view.getInt32(start + 4, true);
        source = view.getInt32(start + 8, true);
        type = view.getUint16(start + 12, true);
        l3 += 14;
        // A tag counts when its TCI and the type behind it are there.
        if ((type === VLAN || type === SERVICE_VLAN) && end - l3 >= 4) {
          tpid = type << 16;
          tag = (view.getUint16(l3, true) | PRESENT) << 16;
          type = view.getUint16(l3 + 2, true);
          l3 += 4;
        }
        if (type !== IPV4 && type !== IPV6) {
          const peeled = rare.peel(keys, row, type, l3, end, tag !== 0);
          type = peeled & 0xffff;
          l3 += (peeled >>> 16) & 0xff;
          groups |= peeled >>> 24;
        }
      } else {
        // Not Ethernet (VXLAN-GPE): the packet type holds the Ethernet type.
        type = ((packetType[packet] & 0xff) << 8) | ((packetType[packet] >>> 8) & 0xff);
      }

      let ip = 0;
      let ports = 0;
      let ipSource = 0;
      let ipDestination = 0;
      let flags = 0;
      let mixed = hash[packet];
      if (type === IPV4) {
        const first = view.getInt32(l3, true);
        const headerLength = (first & 15) << 2;
        const totalLength = ((first >>> 8) & 0xff00) | (first >>> 24);
        if (end - l3 >= 20 && headerLength >= 20 && totalLength >= headerLength && totalLength <= end - l3) {
          const fragment = view.getUint16(l3 + 6, true);
          const ttlProtocol = view.getUint16(l3 + 8, true);
          const protocol = ttlProtocol >>> 8;
          ip = ttlProtocol | ((first & 0xff00) << 8);
          ipSource = view.getInt32(l3 + 12, true);
          ipDestination = view.getInt32(l3 + 16, true);
          if ((fragment & 0xff3f) !== 0) ip |= (fragment & 0xff1f) !== 0 ? 0x3000000 : 0x1000000;
          if ((fragment & 0xff1f) === 0) {
            const l4 = l3 + headerLength;
            const room = totalLength - headerLength;
            if (protocol === 17) {
              if (room >= 8) ports = view.getInt32(l4, true);
            } else if (protocol === 6) {
              if (room >= 20) {
                const control = view.getUint16(l4 + 12, true);
                const tcpHeader = (control & 0xf0) >>> 2;
                if (tcpHeader >= 20 && tcpHeader <= room) {
                  ports = view.getInt32(l4, true);
                  flags = control & 0xff0f;
                }
              }
            } else if (protocol === 1 || protocol === 2) {
              // Type and code, each widened to the 16 bits of a port.
              const typeCode = view.getUint16(l4, true);
              if (room >= 8) ports = ((typeCode & 0xff) << 8) | ((typeCode & 0xff00) << 16);
            } else if (protocol === 132) {
              if (room >= 12) ports = view.getInt32(l4, true);
            } else if (protocol === 58) {
              groups |= rare.icmpv6(keys, row, l4, l4 + room);
              ports = keys[row + 7];
              flags = keys[row + 10];
            }
          }
          if (mixed === 0) {
            mixed = hashAdd(hashAdd(hashAdd(0, ipSource), ipDestination), protocol);
            if (protocol === 17 || protocol === 6 || protocol === 1 || protocol === 132 || protocol === 58) mixed = hashAdd(mixed, ports);
            mixed = hashFinish(mixed, 42);
            hash[packet] = mixed;
          }
        } else if (mixed === 0) {
          mixed = FAILED_IPV4_HASH;
          hash[packet] = mixed;
        }
      } else {
        groups |= rare.network(packet, keys, row, type, l3, end);
        ip = keys[row + 6];
        ports = keys[row + 7];
        ipSource = keys[row + 8];
        ipDestination = keys[row + 9];
        flags = keys[row + 10];
        // Frames without addresses all have one 5-tuple hash; the MACs keep them apart.
        mixed = hash[packet] ^ Math.imul(source ^ macs, 0x85ebca6b) ^ Math.imul(destination, 0xc2b2ae35);
      }

      if (groups !== 0) {
        if ((groups & Group.tunnel) !== 0) {
          const from = packet * TUNNEL_WORDS;
          keys[row + 12] = tunnel[from];
          keys[row + 13] = tunnel[from + 1];
          keys[row + 14] = tunnel[from + 2];
          keys[row + 15] = tunnel[from + 3];
          mixed ^= Math.imul(tunnel[from + 2] + 1, 0x27d4eb2f);
        }
        if ((groups & (Group.tunnelWide | Group.metadata)) !== 0) rare.copyExtras(packet, keys, row);
      }
      const stale = keys[row + GROUPS_WORD] & ~groups;
      if (stale !== 0) clearGroups(keys, row, stale);

      keys[row] = inPort[packet];
      keys[row + 1] = recircId[packet];
      keys[row + 2] = destination;
      keys[row + 3] = macs;
      keys[row + 4] = source;
      keys[row + 5] = type | tag;
      keys[row + 6] = ip;
      keys[row + 7] = ports;
      keys[row + 8] = ipSource;
      keys[row + 9] = ipDestination;
      keys[row + 10] = flags | tpid;
      keys[row + GROUPS_WORD] = groups;
      hashes[index] = mixed ^ Math.imul(inPort[packet] + (recircId[packet] << 16), 0x9e3779b1);
    }
  };
}

/** Zeroes the words of groups that the row's last packet filled and this one does not. */
function clearGroups(keys: Int32Array, row: number, stale: number): void {
  for (let bit = 0; bit < GROUP_WORDS.length; bit++) {
    if ((stale & (1 << bit)) === 0) continue;
    const [first, count] = GROUP_WORDS[bit];
    keys.fill(0, row + first, row + first + count);
  }
}
