/**
 * The table of fields, and the layout of a flow key. Everything that a flow can be matched on is declared here, once.
 *
 * A key and a mask are arrays of 32-bit words. Wire fields lie in the bytes of these words as they lie in a packet, so
 * that extraction copies words and swaps nothing: read as a number, the Ethernet type of IPv4 is 0x0008 there, and the
 * address 1.1.1.2 is 0x02010101, which is also the form that Open vSwitch hashes. Metadata are plain numbers.
 *
 *     word  bytes                          word  bytes
 *       0   in_port (number)                 6   ttl · proto · tos · frag
 *       1   recirc_id (number)               7   transport source · destination
 *       2   eth dst [0..3]                   8   IPv4 source / ARP sender
 *       3   eth dst [4..5] · src [0..1]      9   IPv4 destination / ARP target
 *       4   eth src [2..5]                  10   TCP flags · TPID of the outer tag
 *       5   eth_type · TCI of outer tag     11   which of the groups below hold anything (`Group` bits)
 *
 *      12   tunnel source (IPv4)            14   tunnel id, low half (number)
 *      13   tunnel destination (IPv4)       15   tunnel flags · 0 · tos · ttl
 *
 * Words 0 to 15 serve the common packet; the groups that follow are zero for it, and a lookup skips them:
 * 16 wide tunnel, 30 IPv6, 39 ARP and ND, 48 inner tag, 49 MPLS, 52 NSH, 58 metadata, 62 conntrack. From `KEY_WORDS` on
 * stands what only OpenFlow tables see (registers, metadata); the datapath's keys end before.
 */

/** Words of a datapath key. */
export const KEY_WORDS = 84;
/** Words of a flow in translation: a key and OpenFlow's registers and metadata. */
export const FLOW_WORDS = 104;

/** Bits of word 11: the groups of words that are not all zero. `pool.extras` uses the same bits. */
export const Group = {
  tunnel: 1,
  tunnelWide: 2,
  ipv6: 4,
  nd: 8,
  innerTag: 16,
  labels: 32,
  metadata: 64,
  conntrack: 128,
} as const;

/** First word and number of words of each group, by bit number. */
export const GROUP_WORDS: readonly (readonly [first: number, count: number])[] = [
  [12, 4],
  [16, 14],
  [30, 9],
  [39, 9],
  [48, 1],
  [49, 9],
  [58, 4],
  [62, 22],
];

/** Word that holds the `Group` bits; derived, never matched. */
export const GROUPS_WORD = 11;

export interface FieldPlace {
  /** First byte in the key (words × 4). */
  readonly at: number;
  /** Length in bytes: 1, 2, 4, 6 or 16. */
  readonly length: number;
  /** Significant bits, counted from the lowest. */
  readonly bits: number;
  /** `number`: one word holding a plain number; `wire`: bytes in the order of the wire. */
  readonly order: 'wire' | 'number';
}

const number = (word: number, bits = 32): FieldPlace => ({ at: word * 4, length: 4, bits, order: 'number' });
const wire = (word: number, byte: number, length: number, bits = length * 8): FieldPlace => ({
  at: word * 4 + byte,
  length,
  bits,
  order: 'wire',
});

export const fields = {
  inPort: number(0),
  recircId: number(1),
  ethDst: wire(2, 0, 6),
  ethSrc: wire(3, 2, 6),
  /** Of the payload behind the tags; 0x05ff for 802.3 frames without SNAP. */
  ethType: wire(5, 0, 2),
  /** Outer tag, its CFI bit (0x1000) set when there is a tag at all. */
  vlanTci: wire(5, 2, 2),
  ipTtl: wire(6, 0, 1),
  /** Protocol, next header, or the opcode of ARP. */
  ipProto: wire(6, 1, 1),
  ipTos: wire(6, 2, 1),
  /** `FRAG_ANY` and `FRAG_LATER`. */
  ipFrag: wire(6, 3, 1, 2),
  /** Source port of TCP, UDP, SCTP; type of ICMP. */
  tpSrc: wire(7, 0, 2),
  /** Destination port; code of ICMP. */
  tpDst: wire(7, 2, 2),
  /** Also ARP's sender address. */
  ipv4Src: wire(8, 0, 4),
  /** Also ARP's target address. */
  ipv4Dst: wire(9, 0, 4),
  tcpFlags: wire(10, 0, 2, 12),
  vlanTpid: wire(10, 2, 2),

  tunSrc: wire(12, 0, 4),
  tunDst: wire(13, 0, 4),
  tunId: number(14),
  /** `TunnelFlags`. */
  tunFlags: wire(15, 0, 1),
  tunTos: wire(15, 2, 1),
  tunTtl: wire(15, 3, 1),

  tunIdHigh: number(16),
  tunTpSrc: wire(17, 0, 2),
  tunTpDst: wire(17, 2, 2),
  tunIpv6Src: wire(18, 0, 16),
  tunIpv6Dst: wire(22, 0, 16),
  tunGbpId: wire(26, 0, 2),
  tunGbpFlags: wire(26, 2, 1),
  tunErspanVersion: wire(27, 0, 1),
  tunErspanDirection: wire(27, 1, 1),
  tunErspanHardwareId: wire(27, 2, 1),
  tunErspanIndex: number(28),
  tunGtpuFlags: wire(29, 0, 1),
  tunGtpuType: wire(29, 1, 1),

  ipv6Src: wire(30, 0, 16),
  ipv6Dst: wire(34, 0, 16),
  ipv6Label: number(38, 20),

  ndTarget: wire(39, 0, 16),
  /** ARP sender hardware address, ND source link-layer address. */
  arpSha: wire(43, 0, 6),
  /** ARP target hardware address, ND target link-layer address. */
  arpTha: wire(44, 2, 6),
  ndReserved: wire(46, 0, 4),
  ndOptionsType: number(47, 8),

  innerVlanTpid: wire(48, 0, 2),
  innerVlanTci: wire(48, 2, 2),

  /** MPLS label stack entries, the outermost first. */
  mpls0: wire(49, 0, 4),
  mpls1: wire(50, 0, 4),
  mpls2: wire(51, 0, 4),

  nshFlags: wire(52, 0, 1),
  nshTtl: wire(52, 1, 1),
  nshMdtype: wire(52, 2, 1),
  nshNp: wire(52, 3, 1),
  /** Service path identifier (24 bits) and service index (8). */
  nshPath: wire(53, 0, 4),
  nshC1: wire(54, 0, 4),
  nshC2: wire(55, 0, 4),
  nshC3: wire(56, 0, 4),
  nshC4: wire(57, 0, 4),

  /** Namespace × 65536 + type; 0 is Ethernet. */
  packetType: number(58),
  skbPriority: number(59),
  skbMark: number(60),
  dpHash: number(61),

  ctState: number(62),
  ctZone: number(63, 16),
  ctMark: number(64),
  ctLabel: wire(65, 0, 16),
  ctIpv4Src: wire(69, 0, 4),
  ctIpv4Dst: wire(70, 0, 4),
  ctTpSrc: wire(71, 0, 2),
  ctTpDst: wire(71, 2, 2),
  ctProto: number(72, 8),
  ctIpv6Src: wire(73, 0, 16),
  ctIpv6Dst: wire(77, 0, 16),

  // OpenFlow tables only.
  metadataHigh: number(84),
  metadataLow: number(85),
  reg0: number(86),
  reg1: number(87),
  reg2: number(88),
  reg3: number(89),
  reg4: number(90),
  reg5: number(91),
  reg6: number(92),
  reg7: number(93),
  reg8: number(94),
  reg9: number(95),
  reg10: number(96),
  reg11: number(97),
  reg12: number(98),
  reg13: number(99),
  reg14: number(100),
  reg15: number(101),
  /** OpenFlow port number of the port the packet came in on. */
  ofInPort: number(102),
} as const satisfies Record<string, FieldPlace>;

export type FieldName = keyof typeof fields;

/** `ipFrag`: the packet is a fragment. */
export const FRAG_ANY = 1;
/** `ipFrag`: it is not the first one. */
export const FRAG_LATER = 2;
/** `ethType` of a frame without an Ethernet type (Open vSwitch's FLOW_DL_TYPE_NONE). */
export const ETH_TYPE_NONE = 0x05ff;
/** Bit of `vlanTci` that says that there is a tag; on the wire it is CFI, which is thereby lost. */
export const VLAN_PRESENT = 0x1000;

/** Bits of `tunFlags`. */
export const TunnelFlags = { oam: 1, dontFragment: 2, checksum: 4, key: 8 } as const;

/** A datapath key or mask: `KEY_WORDS` words, or `FLOW_WORDS` in translation. */
export type FlowWords = Int32Array;

/** The value of a field of at most 48 bits, unsigned. */
export function getField(words: FlowWords, name: FieldName): number {
  const { at, length, order } = fields[name];
  const word = words[at >> 2];
  if (order === 'number') return word >>> 0;
  const shift = (at & 3) << 3;
  if (length === 1) return (word >>> shift) & 0xff;
  if (length === 2) return (((word >>> shift) & 0xff) << 8) | ((word >>> (shift + 8)) & 0xff);
  let value = 0;
  for (let byte = at; byte < at + length; byte++)
    value = value * 256 + ((words[byte >> 2] >>> ((byte & 3) << 3)) & 0xff);
  return value;
}

/** Writes a field of at most 48 bits. */
export function setField(words: FlowWords, name: FieldName, value: number): void {
  const { at, length, order } = fields[name];
  if (order === 'number') {
    words[at >> 2] = value;
    return;
  }
  if (length === 2) {
    const shift = (at & 3) << 3;
    words[at >> 2] =
      (words[at >> 2] & ~(0xffff << shift)) | ((((value & 0xff) << 8) | ((value >>> 8) & 0xff)) << shift);
    return;
  }
  let rest = value;
  for (let byte = at + length - 1; byte >= at; byte--) {
    const shift = (byte & 3) << 3;
    words[byte >> 2] = (words[byte >> 2] & ~(0xff << shift)) | ((rest & 0xff) << shift);
    rest = Math.floor(rest / 256);
  }
}

/** The bytes of a wire field of any length, copied. */
export function getBytes(words: FlowWords, name: FieldName): Uint8Array {
  const { at, length } = fields[name];
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = words[(at + index) >> 2] >>> (((at + index) & 3) << 3);
  return bytes;
}

/** Writes the bytes of a wire field, from `offset` of `bytes`. */
export function setBytes(words: FlowWords, name: FieldName, bytes: Uint8Array, offset = 0): void {
  const { at, length } = fields[name];
  for (let index = 0; index < length; index++) {
    const shift = ((at + index) & 3) << 3;
    const word = (at + index) >> 2;
    words[word] = (words[word] & ~(0xff << shift)) | (bytes[offset + index] << shift);
  }
}

/** Whether any bit of a field is set. */
export function anyBit(words: FlowWords, name: FieldName): boolean {
  const { at, length } = fields[name];
  for (let byte = at; byte < at + length; byte++)
    if (((words[byte >> 2] >>> ((byte & 3) << 3)) & 0xff) !== 0) return true;
  return false;
}

/** Whether a mask has ones in all significant bits of a field. */
export function isExact(mask: FlowWords, name: FieldName): boolean {
  const { bits, length } = fields[name];
  if (length > 6) return getBytes(mask, name).every((byte) => byte === 0xff);
  const all = 2 ** bits - 1;
  const value = getField(mask, name);
  return bits > 32 ? value === all : (value & all) >>> 0 === all;
}

/** Sets all significant bits of a field in a mask: the field has been looked at. */
export function setExact(mask: FlowWords, name: FieldName): void {
  const { at, bits, length, order } = fields[name];
  if (order === 'number') mask[at >> 2] |= bits === 32 ? -1 : 2 ** bits - 1;
  else if (bits === length * 8)
    for (let byte = at; byte < at + length; byte++) mask[byte >> 2] |= 0xff << ((byte & 3) << 3);
  else setField(mask, name, getField(mask, name) | (2 ** bits - 1));
}

/** Computes the `Group` bits of a key whose words were written by hand, and stores them. */
export function sealKey(key: FlowWords): void {
  let groups = 0;
  GROUP_WORDS.forEach(([first, count], bit) => {
    for (let word = first; word < first + count; word++) if (key[word] !== 0) groups |= 1 << bit;
  });
  key[GROUPS_WORD] = groups;
}
