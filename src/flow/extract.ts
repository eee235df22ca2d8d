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
import { viewsOf } from '../util/columns.js';
import { createTupleHash } from './hash-key.js';
import { createRareExtractor } from './extract-rare.js';
import { GROUP_WORDS, Group, KEY_WORDS } from './fields.js';
import { ENTRY_WORDS, ROW_MASK, type KeyRows, type KnownKeys } from './key-rows.js';

export interface ExtractOptions {
  /** How many tags are parsed, 1 or 2: Open vSwitch's `vlan-limit`. The next one's TPID is then the Ethernet type. Default 1. */
  vlanLimit?: number;
}

/** An Ethernet header, and an IPv4 header that is not sound. */
const REHEARSED_BYTES = 34;

/** Both take the first `count` packets of `burst`, whose rows are those from `first` on. */
export interface Extractor {
  /**
   * Asks for the key of each packet in the memory of known keys. Of one that is known, only the flow and the TCP flags are written; of
   * others the key, a hash (it covers the 5-tuple, the way in, the tunnel id and, where there are no addresses, the MACs), and -1 for the
   * flow; their rows go to `unknown`. Answers how many these are. Open vSwitch's 5-tuple hash goes to `pool.hash` where that is 0 and
   * the hash is known or the packet is not IPv4; `hashUnknown` does the rest.
   */
  recognize(burst: Int32Array, count: number, first: number, unknown: Int32Array): number;
  /** Writes Open vSwitch's 5-tuple hash to `pool.hash` for those packets of a burst just recognized that have none. */
  hashUnknown(burst: Int32Array, count: number, first: number): void;
  /** The same as `recognize`, asking nothing: all rows are written, and all hashes. */
  extract(burst: Int32Array, count: number, first: number): void;
}

/** Extraction from a pool into rows. Create it once a pool: V8 folds the arrays into the code as constants. */
export function createExtractor(
  pool: PacketPool,
  rows: KeyRows,
  known: KnownKeys,
  options: ExtractOptions = {},
): Extractor {
  const { view, offset, length, inPort, recircId, hash, extras, tunnel, packetType, addressMask } = pool;
  const { keys, hashes, flows, tcpFlags, tupleHashes } = rows;
  const { tupleHashes: knownTupleHashes, mask: entryMask, hits } = known;
  const [v0, v4, v8, v12, v16] = viewsOf(pool.buffer, 5);
  const [e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11, e12, e13, e14, e15] = known.columns;
  const [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15] = rows.columns;
  // What the loop uses are constants of this function, not of the module (key-rows.ts). Ethernet types as they read little-endian:
  const IPV4 = 0x0008;
  const IPV6 = 0xdd86;
  const VLAN = 0x0081;
  const SERVICE_VLAN = 0xa888;
  /** `VLAN_PRESENT` (0x1000) in the order of the wire. */
  const PRESENT = 0x10;
  const hashTuple = createTupleHash();
  const rowMask = ROW_MASK;
  const entryWords = ENTRY_WORDS;
  const keyWords = KEY_WORDS;
  const tunnelWords = TUNNEL_WORDS;
  const anyMetadata = Extras.metadata;
  const anyTunnel = Group.tunnel;
  const anyExtras = Group.tunnelWide | Group.metadata;
  // A memory of one key is none: the cache is off.
  const hasMemory = entryMask !== 0;
  const rare = createRareExtractor(pool, options.vlanLimit ?? 1);

  /** Whether an entry has the tunnel words from `from` on. */
  function hasTunnel(entry: number, from: number): boolean {
    return (
      ((e12[entry] ^ tunnel[from]) |
        (e13[entry] ^ tunnel[from + 1]) |
        (e14[entry] ^ tunnel[from + 2]) |
        (e15[entry] ^ tunnel[from + 3])) ===
      0
    );
  }

  function run(burst: Int32Array, count: number, first: number, unknown: Int32Array, isAsked: boolean): number {
    let unknownCount = 0;
    for (let index = 0; index < count; index++) {
      const packet = burst[index];
      const number = (first + index) & rowMask;
      const row = number * keyWords;
      const start = offset[packet] & addressMask;
      const end = start + length[packet];
      let groups = extras[packet];

      let destination = 0;
      let macs = 0;
      let source = 0;
      let type = 0;
      let l3 = start;
      let tag = 0;
      let tpid = 0;
      if ((groups & anyMetadata) === 0 || packetType[packet] === 0) {
        destination = v0.getInt32(start, true);
        macs = v4.getInt32(start, true);
        source = v8.getInt32(start, true);
        type = v12.getInt32(start, true) & 0xffff;
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
      // What a hash of the key needs beside addresses, ports and the way in.
      let mixed = 0;
      const givenHash = hash[packet];
      if (type === IPV4) {
        const first = v0.getInt32(l3, true);
        const headerLength = (first & 15) << 2;
        const totalLength = ((first >>> 8) & 0xff00) | (first >>> 24);
        if (end - l3 >= 20 && headerLength >= 20 && totalLength >= headerLength && totalLength <= end - l3) {
          const fragment = v4.getInt32(l3, true) >>> 16;
          const ttlProtocol = v8.getInt32(l3, true) & 0xffff;
          const protocol = ttlProtocol >>> 8;
          ip = ttlProtocol | ((first & 0xff00) << 8);
          ipSource = v12.getInt32(l3, true);
          ipDestination = v16.getInt32(l3, true);
          if ((fragment & 0xff3f) !== 0) ip |= (fragment & 0xff1f) !== 0 ? 0x3000000 : 0x1000000;
          if ((fragment & 0xff1f) === 0) {
            const l4 = l3 + headerLength;
            const room = totalLength - headerLength;
            if (protocol === 17) {
              if (room >= 8) ports = v0.getInt32(l4, true);
            } else if (protocol === 6) {
              if (room >= 20) {
                const control = v12.getInt32(l4, true) & 0xffff;
                const tcpHeader = (control & 0xf0) >>> 2;
                if (tcpHeader >= 20 && tcpHeader <= room) {
                  ports = v0.getInt32(l4, true);
                  flags = control & 0xff0f;
                }
              }
            } else if (protocol === 1 || protocol === 2) {
              // Type and code, each widened to the 16 bits of a port.
              const typeCode = v0.getInt32(l4, true) & 0xffff;
              if (room >= 8) ports = ((typeCode & 0xff) << 8) | ((typeCode & 0xff00) << 16);
            } else if (protocol === 132) {
              if (room >= 12) ports = v0.getInt32(l4, true);
            } else if (protocol === 58) {
              groups |= rare.icmpv6(keys, row, l4, l4 + room);
              ports = k7[row];
              flags = k10[row];
            }
          }
        }
      } else {
        groups |= rare.network(packet, keys, row, type, l3, end);
        ip = k6[row];
        ports = k7[row];
        ipSource = k8[row];
        ipDestination = k9[row];
        flags = k10[row];
        // Frames without addresses all have one 5-tuple hash; the MACs keep them apart.
        mixed = hash[packet] ^ Math.imul(source ^ macs, 0x85ebca6b) ^ Math.imul(destination, 0xc2b2ae35);
      }

      if (groups !== 0) {
        if ((groups & anyTunnel) !== 0) {
          const from = packet * tunnelWords;
          mixed ^= Math.imul(tunnel[from + 2] + 1, 0x27d4eb2f);
        }
      }
      // Products that do not wait for each other, one round to mix them: Open vSwitch's hash takes four times as long, and here all wait for it.
      const way = inPort[packet] + (recircId[packet] << 16) + (ip & 0xff00);
      mixed += Math.imul(ipSource, 0x85ebca6b) + Math.imul(ipDestination, 0xc2b2ae35);
      mixed = (mixed + Math.imul(ports, 0x27d4eb2f) + Math.imul(way, 0x165667b1)) | 0;
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
      mixed ^= mixed >>> 13;
      tcpFlags[number] = flags;
      hashes[number] = mixed;
      tupleHashes[number] = givenHash === 0 ? hash[packet] : 0;

      if (isAsked && hasMemory && groups <= anyTunnel) {
        // `(n | -n) >> 31` is -1 for all n but 0: a choice without a branch (46 ns a key, else 75, where a quarter is not known).
        const one = (mixed & entryMask) * entryWords;
        const isOther = (e7[one] ^ ports) | (e8[one] ^ ipSource);
        const place = mixed ^ ((mixed ^ (mixed >>> 16)) & ((isOther | (0 - isOther)) >> 31));
        const entryNumber = place & entryMask;
        const entry = entryNumber * entryWords;
        const flow = e11[entry];
        const tupleHash = givenHash === 0 ? knownTupleHashes[entryNumber] : givenHash;
        if (
          e7[entry] === ports &&
          e8[entry] === ipSource &&
          e9[entry] === ipDestination &&
          e0[entry] === inPort[packet] &&
          e1[entry] === recircId[packet] &&
          e2[entry] === destination &&
          e3[entry] === macs &&
          e4[entry] === source &&
          e5[entry] === (type | tag) &&
          e6[entry] === ip &&
          e10[entry] === (flags | tpid) &&
          ((flow ^ groups) & 1) === 0 &&
          flow >= 0 &&
          tupleHash !== 0 &&
          (groups === 0 || hasTunnel(entry, packet * tunnelWords))
        ) {
          hash[packet] = tupleHash;
          flows[number] = flow >> 1;
          continue;
        }
      }

      if (groups !== 0) {
        if ((groups & anyTunnel) !== 0) {
          const from = packet * tunnelWords;
          k12[row] = tunnel[from];
          k13[row] = tunnel[from + 1];
          k14[row] = tunnel[from + 2];
          k15[row] = tunnel[from + 3];
        }
        if ((groups & anyExtras) !== 0) rare.copyExtras(packet, keys, row);
      }
      const stale = k11[row] & ~groups;
      if (stale !== 0) clearGroups(keys, row, stale);

      k0[row] = inPort[packet];
      k1[row] = recircId[packet];
      k2[row] = destination;
      k3[row] = macs;
      k4[row] = source;
      k5[row] = type | tag;
      k6[row] = ip;
      k7[row] = ports;
      k8[row] = ipSource;
      k9[row] = ipDestination;
      k10[row] = flags | tpid;
      k11[row] = groups;
      if (isAsked) {
        flows[number] = -1;
        unknown[unknownCount++] = number;
      }
    }
    if (isAsked) hits[0] += count - unknownCount;
    return unknownCount;
  }

  function hashUnknown(burst: Int32Array, count: number, first: number): void {
    for (let index = 0; index < count; index++) {
      const packet = burst[index];
      const row = ((first + index) & rowMask) * keyWords;
      // Computed for all and kept where there was none, as packets that have one and such that have none come in no order.
      const given = hash[packet];
      const computed = hashTuple(k8[row], k9[row], (k6[row] >>> 8) & 0xff, k7[row]);
      hash[packet] = given | (computed & ~((given | (0 - given)) >> 31));
    }
  }

  /**
   * Takes packets through the loop both ways, known and not, before there are any. V8 leaves out of its code what it has not seen; a
   * cache that fills late then has it throw the code away, and one time in ten it was never whole again: 70 ns a packet rather than 33.
   */
  function rehearse(): void {
    if (!hasMemory || pool.available === 0) return;
    const packet = pool.allocate();
    const start = offset[packet];
    const burst = Int32Array.of(packet);
    const list = new Int32Array(1);
    length[packet] = REHEARSED_BYTES;
    const type = view.getUint16(start + 12);
    view.setUint16(start + 12, IPV4, true);
    for (let round = 0; round < 16; round++) {
      extras[packet] = round & anyTunnel;
      for (let turn = 0; turn < 2; turn++) {
        hash[packet] = turn;
        run(burst, 1, 0, list, true);
        const entry = (hashes[0] & entryMask) * entryWords;
        for (let word = 0; word < entryWords; word++) known.columns[word][entry] = keys[word];
        e11[entry] = turn === 0 ? extras[packet] : -1;
      }
    }
    keys.fill(0, 0, keyWords);
    flows[0] = -1;
    hits[0] = 0;
    view.setUint16(start + 12, type);
    pool.reset(packet);
    pool.release(packet);
  }

  const none = new Int32Array(0);
  rehearse();
  return {
    hashUnknown,
    recognize: (burst, count, first, unknown) => run(burst, count, first, unknown, true),
    extract(burst, count, first) {
      run(burst, count, first, none, false);
      hashUnknown(burst, count, first);
    },
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
