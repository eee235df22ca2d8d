/**
 * The text of a match as Open vSwitch 3.1 prints it in `dump-flows` and in `ofproto/trace` (lib/match.c there): first
 * the metadata, then the protocol as a word, registers, tunnel, port, and the layers from the lowest up.
 */
import {
  FLOW_WORDS,
  FRAG_ANY,
  FRAG_LATER,
  VLAN_PRESENT,
  anyBit,
  fields,
  getBytes,
  getField,
  setBytes,
  setExact,
  setField,
  type FieldName,
  type FlowWords,
} from '../flow/fields.js';
import { formatMac } from '../util/address.js';
import type { OpenFlowMatch } from './match.js';
import { formatPort, type PortNames } from './ports.js';
import { formatHex } from './text.js';
import {
  CT_STATE_NAMES,
  TCP_FLAG_NAMES,
  TUNNEL_FLAG_NAMES,
  bytesToBigint,
  formatIpMasked,
  formatNames,
  formatSigned,
  ones,
} from './value.js';

const DEFAULT_PRIORITY = 32768;

export interface MatchFormat extends PortNames {
  /** Printed in front unless it is 32768, the default of a rule. */
  readonly priority?: number;
}

/** Words for a protocol of IPv4 and of IPv6. */
const words4: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 132: 'sctp' };
const words6: Readonly<Record<number, string>> = { 6: 'tcp6', 17: 'udp6', 58: 'icmp6', 132: 'sctp6' };
const wordsOfTypes: Readonly<Record<number, string>> = {
  0x0806: 'arp',
  0x8035: 'rarp',
  0x8847: 'mpls',
  0x8848: 'mplsm',
};

/**
 * `key` and `mask` in words; bits of `key` outside `mask` do not show. Items are joined by commas; no item, no text.
 */
export function formatMatch({ key, mask }: OpenFlowMatch, format: MatchFormat = {}): string {
  const items: string[] = [];
  const put = (text: string): void => {
    items.push(text);
  };
  const wildcard = (name: FieldName): number => getField(mask, name);
  const value = (name: FieldName): number => (getField(key, name) & getField(mask, name)) >>> 0;
  const hex = (label: string, name: FieldName): void => {
    const bits = wildcard(name);
    if (bits !== 0)
      put(`${label}=${formatHex(value(name))}${bits === 2 ** fields[name].bits - 1 ? '' : `/${formatHex(bits)}`}`);
  };
  const decimal = (label: string, name: FieldName): void => {
    const bits = wildcard(name);
    if (bits === 0) return;
    if (bits === 2 ** fields[name].bits - 1) put(`${label}=${value(name)}`);
    // Here, and only here, a zero is hexadecimal too.
    else put(`${label}=0x${value(name).toString(16)}/0x${bits.toString(16)}`);
  };
  const ethernet = (label: string, name: FieldName): void => {
    if (!anyBit(mask, name)) return;
    const bits = BigInt(wildcard(name));
    const text = formatMac(Number(BigInt(getField(key, name)) & bits));
    put(`${label}=${text}${bits === ones(48) ? '' : `/${formatMac(Number(bits))}`}`);
  };
  const ipv4 = (label: string, name: FieldName): void => {
    if (wildcard(name) !== 0)
      put(`${label}=${formatIpMasked({ value: BigInt(value(name)), mask: BigInt(wildcard(name)) }, 32)}`);
  };
  const ipv6 = (label: string, name: FieldName): void => {
    if (!anyBit(mask, name)) return;
    const bits = bytesToBigint(getBytes(mask, name));
    put(`${label}=${formatIpMasked({ value: bytesToBigint(getBytes(key, name)) & bits, mask: bits }, 128)}`);
  };
  const wide = (label: string, high: FieldName, low: FieldName): void => {
    const bits = (BigInt(wildcard(high)) << 32n) | BigInt(wildcard(low));
    if (bits === 0n) return;
    const number = (BigInt(value(high)) << 32n) | BigInt(value(low));
    put(`${label}=${formatHex(number)}${bits === ones(64) ? '' : `/${formatHex(bits)}`}`);
  };
  const flags = (label: string, name: FieldName, names: readonly string[], all: number): void => {
    const bits = wildcard(name) & all;
    if (bits !== 0)
      put(`${label}=${bits === all ? formatNames(names, value(name)) : formatSigned(names, value(name), bits)}`);
  };

  const isMegaflow = wildcard('recircId') !== 0;
  if (format.priority !== undefined && format.priority !== DEFAULT_PRIORITY) put(`priority=${format.priority}`);
  hex('pkt_mark', 'skbMark');
  hex('recirc_id', 'recircId');
  hex('dp_hash', 'dpHash');
  if (wildcard('skbPriority') !== 0) put(`skb_priority=${formatHex(value('skbPriority'))}`);
  flags('ct_state', 'ctState', CT_STATE_NAMES, 0xff);
  decimal('ct_zone', 'ctZone');
  hex('ct_mark', 'ctMark');
  if (anyBit(mask, 'ctLabel')) {
    const bits = bytesToBigint(getBytes(mask, 'ctLabel'));
    const label = bytesToBigint(getBytes(key, 'ctLabel')) & bits;
    put(`ct_label=${formatHex(label)}${bits === ones(128) ? '' : `/${formatHex(bits)}`}`);
  }
  ipv4('ct_nw_src', 'ctIpv4Src');
  ipv6('ct_ipv6_src', 'ctIpv6Src');
  ipv4('ct_nw_dst', 'ctIpv4Dst');
  ipv6('ct_ipv6_dst', 'ctIpv6Dst');
  if (wildcard('ctProto') !== 0) {
    put(`ct_nw_proto=${value('ctProto')}`);
    decimal('ct_tp_src', 'ctTpSrc');
    decimal('ct_tp_dst', 'ctTpDst');
  }

  let ethType = value('ethType');
  const packetType = value('packetType');
  if (wildcard('packetType') !== 0 && (packetType !== 0 || isMegaflow)) {
    put(packetType === 0 ? 'eth' : `packet_type=(${packetType >>> 16},${formatHex(packetType & 0xffff)})`);
    if (packetType >>> 16 === 1) ethType = packetType & 0xffff;
  }
  const protocol = value('ipProto');
  const hasProtocol = wildcard('ipProto') !== 0;
  let word: string | undefined;
  let saysProtocol = false;
  if (wildcard('ethType') !== 0) {
    if (ethType === 0x0800 || ethType === 0x86dd) {
      word = hasProtocol ? (ethType === 0x0800 ? words4 : words6)[protocol] : undefined;
      saysProtocol = word !== undefined;
      word ??= ethType === 0x0800 ? 'ip' : 'ipv6';
    } else word = wordsOfTypes[ethType];
    if (word !== undefined) put(word);
  }

  for (let number = 0; number < 16; number++) hex(`reg${number}`, `reg${number}` as FieldName);
  wide('tun_id', 'tunIdHigh', 'tunId');
  ipv4('tun_src', 'tunSrc');
  ipv4('tun_dst', 'tunDst');
  ipv6('tun_ipv6_src', 'tunIpv6Src');
  ipv6('tun_ipv6_dst', 'tunIpv6Dst');
  decimal('tun_gbp_id', 'tunGbpId');
  // From here to gtpu_msgtype masks are not shown, the TOS is hexadecimal without saying so, and names lack `tun_`: as
  // there.
  if (wildcard('tunGbpFlags') !== 0) put(`tun_gbp_flags=${formatHex(value('tunGbpFlags'))}`);
  if (wildcard('tunTos') !== 0) put(`tun_tos=${value('tunTos').toString(16)}`);
  if (wildcard('tunTtl') !== 0) put(`tun_ttl=${value('tunTtl')}`);
  const erspan = value('tunErspanVersion');
  if (wildcard('tunErspanVersion') !== 0) put(`tun_erspan_ver=${erspan}`);
  if (wildcard('tunErspanIndex') !== 0 && erspan === 1) put(`tun_erspan_idx=${formatHex(value('tunErspanIndex'))}`);
  if (wildcard('tunErspanDirection') !== 0 && erspan === 2) put(`tun_erspan_dir=${value('tunErspanDirection')}`);
  if (wildcard('tunErspanHardwareId') !== 0 && erspan === 2)
    put(`tun_erspan_hwid=${formatHex(value('tunErspanHardwareId'))}`);
  if (wildcard('tunGtpuFlags') !== 0) put(`gtpu_flags=${formatHex(value('tunGtpuFlags'))}`);
  if (wildcard('tunGtpuType') !== 0) put(`gtpu_msgtype=${value('tunGtpuType')}`);
  flags('tun_flags', 'tunFlags', TUNNEL_FLAG_NAMES, 0xf);
  wide('metadata', 'metadataHigh', 'metadataLow');
  if (wildcard('ofInPort') !== 0) put(`in_port=${formatPort(value('ofInPort'), format)}`);

  for (const [suffix, name] of [
    ['', 'vlanTci'],
    ['1', 'innerVlanTci'],
  ] as const) {
    const bits = wildcard(name);
    if (bits === 0) break;
    const tci = value(name);
    const vidBits = bits & 0x0fff;
    const pcpBits = bits & 0xe000;
    const isWhole =
      (vidBits === 0 || vidBits === 0x0fff) && (pcpBits === 0 || pcpBits === 0xe000) && (vidBits | pcpBits) !== 0;
    if ((tci & bits & VLAN_PRESENT) !== 0 && isWhole) {
      if (vidBits !== 0) put(`dl_vlan${suffix}=${tci & 0x0fff}`);
      if (pcpBits !== 0) put(`dl_vlan_pcp${suffix}=${tci >>> 13}`);
    } else {
      const four = (number: number): string => `0x${number.toString(16).padStart(4, '0')}`;
      put(`vlan_tci${suffix}=${four(tci)}${bits === 0xffff ? '' : `/${four(bits)}`}`);
    }
  }
  ethernet('dl_src', 'ethSrc');
  ethernet('dl_dst', 'ethDst');
  if (word === undefined && wildcard('ethType') !== 0) put(`dl_type=0x${ethType.toString(16).padStart(4, '0')}`);

  const isArp = ethType === 0x0806 || ethType === 0x8035;
  if (ethType === 0x86dd) {
    ipv6('ipv6_src', 'ipv6Src');
    ipv6('ipv6_dst', 'ipv6Dst');
    const bits = wildcard('ipv6Label');
    const five = (number: number): string => `0x${number.toString(16).padStart(5, '0')}`;
    if (bits !== 0) put(`ipv6_label=${five(value('ipv6Label'))}${bits === 0xfffff ? '' : `/${five(bits)}`}`);
  } else if (isArp) {
    ipv4('arp_spa', 'ipv4Src');
    ipv4('arp_tpa', 'ipv4Dst');
  } else if (ethType === 0x894f) {
    const two = (number: number): string => `0x${number.toString(16).padStart(2, '0')}`;
    const flagBits = wildcard('nshFlags');
    if (flagBits === 0xff) put(`nsh_flags=${value('nshFlags')}`);
    else if (flagBits !== 0) put(`nsh_flags=${two(value('nshFlags'))}/${two(flagBits)}`);
    decimal('nsh_ttl', 'nshTtl');
    decimal('nsh_mdtype', 'nshMdtype');
    decimal('nsh_np', 'nshNp');
    const path = value('nshPath');
    const bits = wildcard('nshPath');
    if (bits >>> 8 !== 0)
      put(`nsh_spi=${formatHex(path >>> 8)}${bits >>> 8 === 0xffffff ? '' : `/${formatHex(bits >>> 8)}`}`);
    if ((bits & 0xff) !== 0) put(`nsh_si=${path & 0xff}`);
    if (wildcard('nshMdtype') === 0xff && value('nshMdtype') === 1) {
      for (const number of [1, 2, 3, 4] as const) hex(`nsh_c${number}`, `nshC${number}`);
    }
  } else {
    ipv4('nw_src', 'ipv4Src');
    ipv4('nw_dst', 'ipv4Dst');
  }
  if (hasProtocol && !saysProtocol) put(`${isArp ? 'arp_op' : 'nw_proto'}=${protocol}`);
  if (isArp) {
    ethernet('arp_sha', 'arpSha');
    ethernet('arp_tha', 'arpTha');
  }
  if ((wildcard('ipTos') & 0xfc) !== 0) put(`nw_tos=${value('ipTos') & 0xfc}`);
  if ((wildcard('ipTos') & 3) !== 0) put(`nw_ecn=${value('ipTos') & 3}`);
  if (wildcard('ipTtl') !== 0) put(`nw_ttl=${value('ipTtl')}`);
  const label = value('mpls0');
  const labelBits = wildcard('mpls0');
  if (labelBits >>> 12 !== 0) put(`mpls_label=${label >>> 12}`);
  if ((labelBits & 0xe00) !== 0) put(`mpls_tc=${(label >>> 9) & 7}`);
  if ((labelBits & 0xff) !== 0) put(`mpls_ttl=${label & 0xff}`);
  if ((labelBits & 0x100) !== 0) put(`mpls_bos=${(label >>> 8) & 1}`);
  decimal('mpls_lse1', 'mpls1');
  decimal('mpls_lse2', 'mpls2');
  const fragment = value('ipFrag');
  switch (wildcard('ipFrag') & (FRAG_ANY | FRAG_LATER)) {
    case FRAG_ANY | FRAG_LATER:
      put(`nw_frag=${['no', 'first', '<error>', 'later'][fragment]}`);
      break;
    case FRAG_ANY:
      put(`nw_frag=${fragment === 0 ? 'no' : 'yes'}`);
      break;
    case FRAG_LATER:
      put(`nw_frag=${fragment === 0 ? 'not_later' : 'later'}`);
      break;
  }

  const isIcmp6 = ethType === 0x86dd && protocol === 58;
  if (isIcmp6 || (ethType === 0x0800 && protocol === 1)) {
    decimal('icmp_type', 'tpSrc');
    decimal('icmp_code', 'tpDst');
  } else {
    decimal('tp_src', 'tpSrc');
    decimal('tp_dst', 'tpDst');
  }
  if (isIcmp6) {
    ipv6('nd_target', 'ndTarget');
    ethernet('nd_sll', 'arpSha');
    ethernet('nd_tll', 'arpTha');
    decimal('nd_reserved', 'ndReserved');
    decimal('nd_options_type', 'ndOptionsType');
  }
  if ((ethType === 0x0800 || ethType === 0x86dd) && protocol === 6)
    flags('tcp_flags', 'tcpFlags', TCP_FLAG_NAMES, 0xfff);
  return items.join(',');
}

/** The mask of all fields that a packet has: what `ofproto/trace` shows of a flow. A new array. */
export function packetMask(flow: FlowWords): FlowWords {
  const mask = new Int32Array(FLOW_WORDS);
  const set = (...names: FieldName[]): void => {
    for (const name of names) {
      if (fields[name].length > 6) setBytes(mask, name, new Uint8Array(16).fill(0xff));
      else setExact(mask, name);
    }
  };
  const hasTunnel = anyBit(flow, 'tunDst') || anyBit(flow, 'tunIpv6Dst');
  if (
    (hasTunnel && (getField(flow, 'tunFlags') & 8) !== 0) ||
    (!hasTunnel && (anyBit(flow, 'tunId') || anyBit(flow, 'tunIdHigh')))
  ) {
    set('tunId', 'tunIdHigh');
  }
  if (hasTunnel) {
    set(
      'tunSrc',
      'tunDst',
      'tunIpv6Src',
      'tunIpv6Dst',
      'tunFlags',
      'tunTos',
      'tunTtl',
      'tunTpSrc',
      'tunTpDst',
      'tunGbpId',
      'tunGbpFlags',
    );
    set(
      'tunErspanVersion',
      'tunErspanDirection',
      'tunErspanHardwareId',
      'tunErspanIndex',
      'tunGtpuFlags',
      'tunGtpuType',
    );
  }
  set(
    'skbPriority',
    'skbMark',
    'ctState',
    'ctZone',
    'ctMark',
    'ctLabel',
    'recircId',
    'dpHash',
    'ofInPort',
    'packetType',
  );
  if (getField(flow, 'packetType') === 0) set('ethDst', 'ethSrc');
  set('ethType', 'vlanTci', 'vlanTpid');
  if (getField(flow, 'vlanTci') !== 0) set('innerVlanTci', 'innerVlanTpid');
  const ethType = getField(flow, 'ethType');
  if (ethType === 0x0806 || ethType === 0x8035) set('ipv4Src', 'ipv4Dst', 'ipProto', 'arpSha', 'arpTha');
  if (ethType === 0x8847 || ethType === 0x8848) {
    for (const name of ['mpls0', 'mpls1', 'mpls2'] as const) {
      set(name);
      if ((getField(flow, name) & 0x100) !== 0) break;
    }
  }
  if (ethType === 0x894f)
    set('nshFlags', 'nshTtl', 'nshMdtype', 'nshNp', 'nshPath', 'nshC1', 'nshC2', 'nshC3', 'nshC4');
  if (ethType === 0x0800) set('ipv4Src', 'ipv4Dst', 'ctIpv4Src', 'ctIpv4Dst');
  else if (ethType === 0x86dd) set('ipv6Src', 'ipv6Dst', 'ipv6Label', 'ctIpv6Src', 'ctIpv6Dst');
  else return mask;
  set('ipFrag', 'ipTos', 'ipTtl', 'ipProto', 'ctProto', 'ctTpSrc', 'ctTpDst');
  if ((getField(flow, 'ipFrag') & FRAG_LATER) !== 0) return mask;
  const protocol = getField(flow, 'ipProto');
  if ([1, 2, 6, 17, 58, 132].includes(protocol)) set('tpSrc', 'tpDst');
  if (protocol === 6) set('tcpFlags');
  const type = getField(flow, 'tpSrc');
  if (ethType === 0x86dd && protocol === 58 && (type === 135 || type === 136) && getField(flow, 'tpDst') === 0) {
    set('ndTarget', 'arpSha', 'arpTha');
  }
  return mask;
}

/** Fields that the text of a flow leaves out where they are zero. */
const silent: readonly FieldName[] = [
  'ofInPort',
  'skbPriority',
  'skbMark',
  'recircId',
  'dpHash',
  'ctState',
  'ctZone',
  'ctMark',
  'ctLabel',
  'ctProto',
  'ctTpSrc',
  'ctTpDst',
  'ctIpv4Src',
  'ctIpv4Dst',
  'ctIpv6Src',
  'ctIpv6Dst',
  'metadataHigh',
  'metadataLow',
  ...Array.from({ length: 16 }, (_, number) => `reg${number}` as FieldName),
];

/**
 * A flow as the line `Flow:` of `ofproto/trace` has it: all fields that it has, and of the metadata those that are not
 * zero.
 */
export function formatFlow(flow: FlowWords, ports: PortNames = {}): string {
  const mask = packetMask(flow);
  for (const name of silent) {
    const isMetadata = name === 'metadataHigh' || name === 'metadataLow';
    const isShown = isMetadata ? anyBit(flow, 'metadataHigh') || anyBit(flow, 'metadataLow') : anyBit(flow, name);
    if (fields[name].length > 6) setBytes(mask, name, new Uint8Array(16).fill(isShown ? 0xff : 0));
    else if (isShown) setExact(mask, name);
    else setField(mask, name, 0);
  }
  return formatMatch({ key: flow, mask }, ports);
}
