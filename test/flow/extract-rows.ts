// The rules of extraction as rows: a frame (hexadecimal text from the type on) and the fields that it must give, beside
// the MACs. Written from the rules of Open vSwitch's miniflow_extract, by hand.
import { fromHex } from '../../src/util/bytes.js';
import type { NaiveFields } from './naive-extract.js';

export const DESTINATION = '02000000000a';
export const SOURCE = '020000000009';
export const MACS = { ethDst: DESTINATION, ethSrc: SOURCE };
/** A frame from hexadecimal text that begins with the type or the first TPID. */
export const frameOf = (hex: string): Uint8Array => fromHex(DESTINATION + SOURCE + hex);

// IPv4 1.1.1.9 to 1.1.1.10, TTL 64, with what follows it: total length, flags and offset, and protocol are given. The
// checksum is not looked at.
export const ipv4 = (total: string, fragment: string, protocol: string, rest: string, first = '45'): string =>
  `0800${first}b9${total}0000${fragment}40${protocol}0000010101090101010a${rest}`;
const ADDRESSES = { ipv4Src: '01010109', ipv4Dst: '0101010a', ipTos: 'b9', ipTtl: '40' };
export const UDP = '045708ae000cbeef01020304';
export const UDP_FIELDS = { ethType: '0800', ...ADDRESSES, ipProto: '11', tpSrc: '0457', tpDst: '08ae' };

// IPv6 fe80::9 to fe80::8, class 0x12, label 0x34567, hop limit 255.
export const ipv6 = (length: string, next: string, rest: string): string =>
  `86dd61234567${length}${next}ff` + `fe80${'00'.repeat(13)}09fe80${'00'.repeat(13)}08${rest}`;
const ADDRESSES6 = { ethType: '86dd', ipv6Src: `fe80${'00'.repeat(13)}09`, ipv6Dst: `fe80${'00'.repeat(13)}08` };
export const HEADER6 = { ...ADDRESSES6, ipv6Label: '00034567', ipTos: '12', ipTtl: 'ff' };
export const PORTS6 = { tpSrc: '0457', tpDst: '0008' };
export const UDP6 = '045700080008beef';

export const SOLICITATION = `8700beef12345678fe80${'00'.repeat(13)}08`;
const ND = { ...HEADER6, ipProto: '3a', tpSrc: '0087', ndReserved: '12345678' };
const TARGET = { ndTarget: `fe80${'00'.repeat(13)}08` };
// The type of the first address option stands among the TCP flags as well, as in Open vSwitch's flow.
const FIRST_SLL = { ndOptionsType: '00000001', tcpFlags: '0001' };
const FIRST_TLL = { ndOptionsType: '00000002', tcpFlags: '0002' };
export const SLL = '010102000000aa01';
const TLL = '020102000000bb02';

export const ARP = '0001080006040001' + '02000000aa01' + '01010109' + '02000000bb02' + '01010108';
const ARP_FIELDS = { ipv4Src: '01010109', ipv4Dst: '01010108', arpSha: '02000000aa01', arpTha: '02000000bb02' };

export const NSH1 = '1fc60103000001ff' + '000000010000000200000003a0000004';
export const NSH_FIELDS = { ethType: '894f', nshFlags: '01', nshTtl: '3f', nshNp: '03', nshPath: '000001ff' };

export type Row = [what: string, hex: string, expected: NaiveFields, vlanLimit?: number];

export const rows: Row[] = [
  // Ethernet, 802.3
  ['a type of 0x0600', '0600', { ethType: '0600' }],
  ['a type below 0x0600 is a length', '05ff' + 'aa'.repeat(8), { ethType: '05ff' }],
  ['SNAP with a type', '0028aaaa03000000' + ipv4('0020', '0000', '11', UDP), UDP_FIELDS],
  ['SNAP, one byte short', '0007aaaa0300000008', { ethType: '05ff' }],
  ['SNAP with another OUI', '0008aaaa030000f80800', { ethType: '05ff' }],
  ['LLC that is not SNAP', '00084242030000000800', { ethType: '05ff' }],
  ['SNAP with a type that is a length', '0008aaaa0300000005ff', { ethType: '05ff' }],
  ['SNAP with a small type', '0008aaaa030000000123', { ethType: '05ff' }],
  [
    'SNAP behind a tag',
    '8100a0050028aaaa03000000' + ipv4('0020', '0000', '11', UDP),
    { ...UDP_FIELDS, vlanTpid: '8100', vlanTci: 'b005' },
  ],
  // VLAN
  ['one tag', '8100200588b5', { vlanTpid: '8100', vlanTci: '3005', ethType: '88b5' }],
  ['a tag of 802.1ad, its DEI lost', '88a8f00588b5', { vlanTpid: '88a8', vlanTci: 'f005', ethType: '88b5' }],
  ['a tag of VLAN 0', '8100000088b5', { vlanTpid: '8100', vlanTci: '1000', ethType: '88b5' }],
  ['TPID 0x9100 is no tag', '9100000588b5', { ethType: '9100' }],
  [
    'a tag with IPv4 behind it',
    '81000005' + ipv4('0020', '0000', '11', UDP),
    { ...UDP_FIELDS, vlanTpid: '8100', vlanTci: '1005' },
  ],
  ['a tag cut in the TCI', '810000', { ethType: '8100' }],
  ['a tag cut in the type', '8100000588', { ethType: '8100' }],
  ['a second tag beyond the limit', '88a8000a8100000b0800', { vlanTpid: '88a8', vlanTci: '100a', ethType: '8100' }],
  [
    'a second tag within it',
    '88a8000a8100000b' + ipv4('0020', '0000', '11', UDP),
    { ...UDP_FIELDS, vlanTpid: '88a8', vlanTci: '100a', innerVlanTpid: '8100', innerVlanTci: '100b' },
    2,
  ],
  ['a second tag that is cut', '88a8000a8100000b08', { vlanTpid: '88a8', vlanTci: '100a', ethType: '8100' }, 2],
  [
    'a third tag',
    '8100000a8100000b8100000c0800',
    { vlanTpid: '8100', vlanTci: '100a', innerVlanTpid: '8100', innerVlanTci: '100b', ethType: '8100' },
    2,
  ],
  [
    '802.3 behind two tags',
    '8100000a8100000b00020000',
    { vlanTpid: '8100', vlanTci: '100a', innerVlanTpid: '8100', innerVlanTci: '100b', ethType: '05ff' },
    2,
  ],
  // MPLS
  [
    'MPLS to the bottom of the stack',
    '8847' + '00001040' + '00002140' + '00003140',
    { ethType: '8847', mpls0: '00001040', mpls1: '00002140' },
  ],
  [
    'MPLS multicast, three labels of four',
    '8848' + '00001040'.repeat(3) + '00002140',
    { ethType: '8848', mpls0: '00001040', mpls1: '00001040', mpls2: '00001040' },
  ],
  ['MPLS that is cut', '8847' + '00001040' + '000020', { ethType: '8847', mpls0: '00001040' }],
  // NSH
  [
    'NSH with metadata of type 1',
    '894f' + NSH1,
    { ...NSH_FIELDS, nshMdtype: '01', nshC1: '00000001', nshC2: '00000002', nshC3: '00000003', nshC4: 'a0000004' },
  ],
  ['NSH of another version', '894f5fc6' + NSH1.slice(4), { ethType: '894f' }],
  ['NSH of type 1 that is not 24 bytes', '894f1fc7' + NSH1.slice(4) + '00000000', { ethType: '894f' }],
  ['NSH that is cut', '894f' + NSH1.slice(0, -2), { ethType: '894f' }],
  ['NSH with metadata of type 2', '894f1fc40203000001ff' + '0000000100000002', { ...NSH_FIELDS, nshMdtype: '02' }],
  ['NSH whose base header is cut', '894f1fc00203000001', { ethType: '894f' }],
  // ARP
  ['ARP', '0806' + ARP, { ethType: '0806', ...ARP_FIELDS, ipProto: '01' }],
  ['RARP', '8035' + ARP, { ethType: '8035', ...ARP_FIELDS, ipProto: '01' }],
  [
    'ARP with opcode 255',
    '0806' + ARP.replace('06040001', '060400ff'),
    { ethType: '0806', ...ARP_FIELDS, ipProto: 'ff' },
  ],
  ['ARP with opcode 257', '0806' + ARP.replace('06040001', '06040101'), { ethType: '0806', ...ARP_FIELDS }],
  ['ARP, one byte short', '0806' + ARP.slice(0, -2), { ethType: '0806' }],
  ['ARP of other hardware', '0806' + ARP.replace('00010800', '00060800'), { ethType: '0806' }],
  ['ARP of another protocol', '0806' + ARP.replace('00010800', '000186dd'), { ethType: '0806' }],
  ['ARP with other lengths', '0806' + ARP.replace('0604', '0804'), { ethType: '0806' }],
  ['ARP with other lengths', '0806' + ARP.replace('0604', '0610'), { ethType: '0806' }],
  // IPv4
  ['UDP', ipv4('0020', '4000', '11', UDP), UDP_FIELDS],
  ['IPv4 of version 5, which is not checked', ipv4('0020', '0000', '11', UDP, '55'), UDP_FIELDS],
  ['IPv4 with options', ipv4('0024', '0000', '11', '01010101' + UDP, '46'), UDP_FIELDS],
  ['a header of less than 20 bytes', ipv4('0020', '0000', '11', UDP, '44'), { ethType: '0800' }],
  ['a header beyond the end', ipv4('0020', '0000', '11', UDP, '4f'), { ethType: '0800' }],
  ['a total length beyond the end', ipv4('0021', '0000', '11', UDP), { ethType: '0800' }],
  ['a total length below that of the header', ipv4('0013', '0000', '11', UDP), { ethType: '0800' }],
  [
    'a total length that is the header alone',
    ipv4('0014', '0000', '11', UDP),
    { ethType: '0800', ...ADDRESSES, ipProto: '11' },
  ],
  ['19 bytes of IPv4', ipv4('0014', '0000', '11', '').slice(0, -2), { ethType: '0800' }],
  ['a total length of zero', ipv4('0000', '0000', '11', UDP), { ethType: '0800' }],
  [
    'UDP that padding completes is cut',
    ipv4('001b', '0000', '11', UDP),
    { ethType: '0800', ...ADDRESSES, ipProto: '11' },
  ],
  ['a first fragment', ipv4('0020', '2000', '11', UDP), { ...UDP_FIELDS, ipFrag: '01' }],
  ['a later fragment', ipv4('0020', '2001', '11', UDP), { ethType: '0800', ...ADDRESSES, ipProto: '11', ipFrag: '03' }],
  [
    'the last fragment',
    ipv4('0020', '1f00', '11', UDP),
    { ethType: '0800', ...ADDRESSES, ipProto: '11', ipFrag: '03' },
  ],
  ['the reserved flag', ipv4('0020', '8000', '11', UDP), UDP_FIELDS],
  // Transport
  [
    'TCP with all flags',
    ipv4('0028', '0000', '06', '0457005000000001000000025fff111122223333'),
    { ethType: '0800', ...ADDRESSES, ipProto: '06', tpSrc: '0457', tpDst: '0050', tcpFlags: '0fff' },
  ],
  [
    'TCP of 19 bytes',
    ipv4('0027', '0000', '06', '045700500000000100000002501200000000000000'),
    { ethType: '0800', ...ADDRESSES, ipProto: '06' },
  ],
  [
    'TCP with an offset of 4',
    ipv4('0028', '0000', '06', '0457005000000001000000024012000000000000'),
    { ethType: '0800', ...ADDRESSES, ipProto: '06' },
  ],
  [
    'TCP with an offset beyond the end',
    ipv4('0028', '0000', '06', '0457005000000001000000026012000000000000'),
    { ethType: '0800', ...ADDRESSES, ipProto: '06' },
  ],
  ['UDP of 7 bytes', ipv4('001b', '0000', '11', '045708ae000cbe'), { ethType: '0800', ...ADDRESSES, ipProto: '11' }],
  ['UDP with a length of nothing', ipv4('001c', '0000', '11', '045708ae0000beef'), UDP_FIELDS],
  [
    'SCTP',
    ipv4('0020', '0000', '84', '000500060000000000000000'),
    { ethType: '0800', ...ADDRESSES, ipProto: '84', tpSrc: '0005', tpDst: '0006' },
  ],
  [
    'SCTP of 11 bytes',
    ipv4('001f', '0000', '84', '0005000600000000000000'),
    { ethType: '0800', ...ADDRESSES, ipProto: '84' },
  ],
  [
    'ICMP',
    ipv4('001c', '0000', '01', '0301beef00000000'),
    { ethType: '0800', ...ADDRESSES, ipProto: '01', tpSrc: '0003', tpDst: '0001' },
  ],
  ['ICMP of 7 bytes', ipv4('001b', '0000', '01', '0301beef000000'), { ethType: '0800', ...ADDRESSES, ipProto: '01' }],
  [
    'IGMP',
    ipv4('001c', '0000', '02', '1600beefe0000001'),
    { ethType: '0800', ...ADDRESSES, ipProto: '02', tpSrc: '0016' },
  ],
  ['IGMP of 7 bytes', ipv4('001b', '0000', '02', '1600beefe00000'), { ethType: '0800', ...ADDRESSES, ipProto: '02' }],
  [
    'ICMPv6 in IPv4',
    ipv4('001c', '0000', '3a', '8001beef00000000'),
    { ethType: '0800', ...ADDRESSES, ipProto: '3a', tpSrc: '0080', tpDst: '0001' },
  ],
  [
    'ND in IPv4',
    ipv4('0034', '0000', '3a', SOLICITATION + SLL),
    {
      ethType: '0800',
      ...ADDRESSES,
      ipProto: '3a',
      tpSrc: '0087',
      ndReserved: '12345678',
      ...TARGET,
      arpSha: '02000000aa01',
      ...FIRST_SLL,
    },
  ],
  ['another protocol', ipv4('0020', '0000', '2f', UDP), { ethType: '0800', ...ADDRESSES, ipProto: '2f' }],
  // IPv6
  ['IPv6 and UDP', ipv6('0008', '11', UDP6), { ...HEADER6, ipProto: '11', ...PORTS6 }],
  ['IPv6 with padding', ipv6('0008', '11', UDP6 + '0000'), { ...HEADER6, ipProto: '11', ...PORTS6 }],
  ['39 bytes of IPv6', ipv6('0000', '3b', '').slice(0, -2), { ethType: '86dd' }],
  ['a payload length beyond the end', ipv6('0009', '11', UDP6), { ethType: '86dd' }],
  ['a payload length of zero', ipv6('0000', '11', UDP6), { ...HEADER6, ipProto: '11' }],
  ['no next header', ipv6('0000', '3b', ''), { ...HEADER6, ipProto: '3b' }],
  ['ESP ends the walk', ipv6('0008', '32', UDP6), { ...HEADER6, ipProto: '32' }],
  [
    'hop-by-hop, routing, destination options',
    ipv6('0028', '00', '2b01' + '00'.repeat(14) + '3c00' + '00'.repeat(6) + '1100' + '00'.repeat(6) + UDP6),
    { ...HEADER6, ipProto: '11', ...PORTS6 },
  ],
  [
    'AH counts in words of 4 bytes',
    ipv6('0014', '33', '1101' + '00'.repeat(10) + UDP6),
    { ...HEADER6, ipProto: '11', ...PORTS6 },
  ],
  ['an extension header of 7 bytes', ipv6('0007', '00', '1100' + '00'.repeat(5)), ADDRESSES6],
  ['an extension header beyond the end', ipv6('0008', '00', '1101' + '00'.repeat(6)), ADDRESSES6],
  ['a second one beyond the end', ipv6('0010', '00', '2b00' + '00'.repeat(6) + '1101' + '00'.repeat(6)), ADDRESSES6],
  ['AH beyond the end', ipv6('0008', '33', '1101' + '00'.repeat(6)), ADDRESSES6],
  ['a fragment header of 7 bytes', ipv6('0007', '2c', '11000000000000'), ADDRESSES6],
  ['an atomic fragment', ipv6('0010', '2c', '1100000012345678' + UDP6), { ...HEADER6, ipProto: '11', ...PORTS6 }],
  [
    '… with a reserved bit (observed with 3.1.0)',
    ipv6('0010', '2c', '1100000212345678' + UDP6),
    { ...HEADER6, ipProto: '11', ...PORTS6, ipFrag: '01' },
  ],
  [
    'a first fragment',
    ipv6('0010', '2c', '1100000112345678' + UDP6),
    { ...HEADER6, ipProto: '11', ...PORTS6, ipFrag: '01' },
  ],
  ['a later fragment', ipv6('0010', '2c', '1100000812345678' + UDP6), { ...HEADER6, ipProto: '2c', ipFrag: '03' }],
  [
    'a header behind a first fragment header',
    ipv6('0018', '2c', '3c00000112345678' + '1100000000000000' + UDP6),
    { ...HEADER6, ipProto: '11', ...PORTS6, ipFrag: '01' },
  ],
  [
    'TCP over IPv6',
    ipv6('0014', '06', '0457000800000001000000025012000000000000'),
    { ...HEADER6, ipProto: '06', ...PORTS6, tcpFlags: '0012' },
  ],
  ['SCTP over IPv6', ipv6('000c', '84', '045700080000000000000000'), { ...HEADER6, ipProto: '84', ...PORTS6 }],
  [
    'ICMP over IPv6',
    ipv6('0008', '01', '0301beef00000000'),
    { ...HEADER6, ipProto: '01', tpSrc: '0003', tpDst: '0001' },
  ],
  ['IGMP over IPv6', ipv6('0008', '02', '1600beefe0000001'), { ...HEADER6, ipProto: '02', tpSrc: '0016' }],
  // ND
  [
    'an echo request',
    ipv6('0008', '3a', '8001beef12345678'),
    { ...HEADER6, ipProto: '3a', tpSrc: '0080', tpDst: '0001' },
  ],
  ['ICMPv6 of 7 bytes', ipv6('0007', '3a', '8700beef123456'), { ...HEADER6, ipProto: '3a' }],
  ['a solicitation without options', ipv6('0018', '3a', SOLICITATION), { ...ND, ...TARGET }],
  [
    'a solicitation with another code',
    ipv6('0018', '3a', SOLICITATION.replace('8700', '8701')),
    { ...HEADER6, ipProto: '3a', tpSrc: '0087', tpDst: '0001' },
  ],
  ['a target that is cut', ipv6('0017', '3a', SOLICITATION.slice(0, -2)), ND],
  [
    'a source address',
    ipv6('0020', '3a', SOLICITATION + SLL),
    { ...ND, ...TARGET, arpSha: '02000000aa01', ...FIRST_SLL },
  ],
  [
    'an advertisement with a target address',
    ipv6('0020', '3a', SOLICITATION.replace('87', '88') + TLL),
    { ...ND, ...TARGET, tpSrc: '0088', arpTha: '02000000bb02', ...FIRST_TLL },
  ],
  [
    'both addresses, the type of the first',
    ipv6('0028', '3a', SOLICITATION + TLL + SLL),
    { ...ND, ...TARGET, arpSha: '02000000aa01', arpTha: '02000000bb02', ...FIRST_TLL },
  ],
  [
    'an address behind another option',
    ipv6('0030', '3a', SOLICITATION + '0502' + '00'.repeat(14) + SLL),
    { ...ND, ...TARGET, arpSha: '02000000aa01', ...FIRST_SLL },
  ],
  ['an address of two units', ipv6('0028', '3a', SOLICITATION + '0102' + '00'.repeat(14)), { ...ND, ...TARGET }],
  ['an option of no length', ipv6('0028', '3a', SOLICITATION + '0500' + '00'.repeat(6) + SLL), { ...ND, ...TARGET }],
  [
    'an option beyond the end',
    ipv6('0028', '3a', SOLICITATION + SLL + '0502' + '00'.repeat(6)),
    { ...ND, ...TARGET, arpSha: '02000000aa01', ...FIRST_SLL },
  ],
  ['an option of 7 bytes', ipv6('001f', '3a', SOLICITATION + SLL.slice(0, -2)), { ...ND, ...TARGET }],
  ['the same option twice', ipv6('0028', '3a', SOLICITATION + SLL + SLL), { ...ND, ...FIRST_SLL }],
  [
    'the same option twice, the first zero',
    ipv6('0028', '3a', SOLICITATION + '0101' + '00'.repeat(6) + SLL),
    { ...ND, ...TARGET, arpSha: '02000000aa01', ...FIRST_SLL },
  ],
];
