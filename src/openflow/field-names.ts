/**
 * The fields of OpenFlow, by the names of ovs-fields(7), and the bits of a flow in which each lies. One bit may have
 * many names: `reg0` is also half of `xreg0` and a quarter of `xxreg0`; the priority of a tag is `vlan_pcp`,
 * `dl_vlan_pcp` and the top of `vlan_tci`. How values are written is in `value.ts`, parts of fields in `subfield.ts`.
 *
 * Not here: `tun_metadata0` and on (no table of Geneve options), `conj_id` and `actset_output` (no conjunctive matches,
 * no action sets).
 */
import type { FieldName } from '../flow/fields.js';

/** How a value is written. */
export type ValueForm =
  | 'decimal'
  | 'hexadecimal'
  | 'ethernet'
  | 'ipv4'
  | 'ipv6'
  | 'port'
  | 'tcp_flags'
  | 'ct_state'
  | 'tun_flags'
  | 'frag'
  | 'packet_type';

/** What a packet must be to have the field. */
export type Prerequisite =
  | 'none'
  | 'ethernet'
  | 'vlan'
  | 'mpls'
  | 'ipv4'
  | 'ipv6'
  | 'ip'
  | 'arp'
  | 'nsh'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmp'
  | 'icmpv6'
  | 'nd'
  | 'nd_solicit'
  | 'nd_advert'
  | 'ct';

/** Some bits of a field of the flow; `field` null: bits that are always zero. */
export interface FieldPart {
  readonly field: FieldName | null;
  /** Lowest bit, counted from the lowest of the field. */
  readonly offset: number;
  readonly bits: number;
}

export interface OpenFlowField {
  readonly name: string;
  readonly alias?: string;
  /** The name that the field has in dumps of `load`, `move` and `learn`: NXM where there is one, otherwise OXM. */
  readonly header?: string;
  readonly otherHeader?: string;
  /** Width in bits. */
  readonly bits: number;
  readonly form: ValueForm;
  readonly needs: Prerequisite;
  readonly isMaskable: boolean;
  readonly isWritable: boolean;
  /**
   * Only in flows that are looked up or traced, not in those of tables: it has no code in OpenFlow, or is the switch's
   * own.
   */
  readonly isInternal: boolean;
  /** The most significant first. */
  readonly parts: readonly FieldPart[];
}

type PartText = FieldName | readonly [field: FieldName | null, offset: number, bits: number];

interface Traits {
  alias?: string;
  needs?: Prerequisite;
  /** Letters: `m` maskable, `w` writable, `i` internal. */
  traits?: string;
}

const list: OpenFlowField[] = [];

function add(
  name: string,
  headers: string,
  bits: number,
  form: ValueForm,
  parts: readonly PartText[],
  more: Traits = {},
): void {
  const [header, otherHeader] = headers.split(' ');
  const traits = more.traits ?? '';
  list.push({
    name,
    alias: more.alias,
    header: header || undefined,
    otherHeader,
    bits,
    form,
    needs: more.needs ?? 'none',
    isMaskable: traits.includes('m'),
    isWritable: traits.includes('w'),
    isInternal: traits.includes('i'),
    parts: parts.map((part) =>
      typeof part === 'string'
        ? { field: part, offset: 0, bits: bits / parts.length }
        : { field: part[0], offset: part[1], bits: part[2] },
    ),
  });
}

add('dp_hash', '', 32, 'hexadecimal', ['dpHash'], { traits: 'mi' });
add('recirc_id', '', 32, 'decimal', ['recircId'], { traits: 'i' });
add('packet_type', 'OXM_OF_PACKET_TYPE', 32, 'packet_type', ['packetType']);
add('tun_id', 'NXM_NX_TUN_ID OXM_OF_TUNNEL_ID', 64, 'hexadecimal', ['tunIdHigh', 'tunId'], {
  alias: 'tunnel_id',
  traits: 'mw',
});
add('tun_src', 'NXM_NX_TUN_IPV4_SRC', 32, 'ipv4', ['tunSrc'], { traits: 'mw' });
add('tun_dst', 'NXM_NX_TUN_IPV4_DST', 32, 'ipv4', ['tunDst'], { traits: 'mw' });
add('tun_ipv6_src', 'NXM_NX_TUN_IPV6_SRC', 128, 'ipv6', ['tunIpv6Src'], { traits: 'mw' });
add('tun_ipv6_dst', 'NXM_NX_TUN_IPV6_DST', 128, 'ipv6', ['tunIpv6Dst'], { traits: 'mw' });
add('tun_flags', 'NXM_NX_TUN_FLAGS', 1, 'tun_flags', [['tunFlags', 0, 1]], { traits: 'mw' });
add('tun_ttl', '', 8, 'decimal', ['tunTtl'], { traits: 'i' });
add('tun_tos', '', 8, 'decimal', ['tunTos'], { traits: 'i' });
add('tun_gbp_id', 'NXM_NX_TUN_GBP_ID', 16, 'decimal', ['tunGbpId'], { traits: 'mw' });
add('tun_gbp_flags', 'NXM_NX_TUN_GBP_FLAGS', 8, 'hexadecimal', ['tunGbpFlags'], { traits: 'mw' });
add('tun_erspan_idx', 'NXOXM_ET_ERSPAN_IDX', 20, 'hexadecimal', [['tunErspanIndex', 0, 20]], { traits: 'mw' });
add('tun_erspan_ver', 'NXOXM_ET_ERSPAN_VER', 4, 'decimal', [['tunErspanVersion', 0, 4]], { traits: 'mw' });
add('tun_erspan_dir', 'NXOXM_ET_ERSPAN_DIR', 1, 'decimal', [['tunErspanDirection', 0, 1]], { traits: 'mw' });
add('tun_erspan_hwid', 'NXOXM_ET_ERSPAN_HWID', 6, 'hexadecimal', [['tunErspanHardwareId', 0, 6]], { traits: 'mw' });
add('tun_gtpu_flags', 'NXOXM_ET_GTPU_FLAGS', 8, 'hexadecimal', ['tunGtpuFlags'], { traits: 'm' });
add('tun_gtpu_msgtype', 'NXOXM_ET_GTPU_MSGTYPE', 8, 'decimal', ['tunGtpuType'], { traits: 'm' });
add('metadata', 'OXM_OF_METADATA', 64, 'hexadecimal', ['metadataHigh', 'metadataLow'], { traits: 'mw' });
add('in_port', 'NXM_OF_IN_PORT', 16, 'port', [['ofInPort', 0, 16]], { traits: 'w' });
add('skb_priority', '', 32, 'hexadecimal', ['skbPriority'], { traits: 'i' });
add('pkt_mark', 'NXM_NX_PKT_MARK', 32, 'hexadecimal', ['skbMark'], { traits: 'mw' });
add('ct_state', 'NXM_NX_CT_STATE', 32, 'ct_state', ['ctState'], { traits: 'm' });
add('ct_zone', 'NXM_NX_CT_ZONE', 16, 'hexadecimal', [['ctZone', 0, 16]]);
add('ct_mark', 'NXM_NX_CT_MARK', 32, 'hexadecimal', ['ctMark'], { traits: 'm' });
add('ct_label', 'NXM_NX_CT_LABEL', 128, 'hexadecimal', ['ctLabel'], { traits: 'm' });
add('ct_nw_proto', 'NXM_NX_CT_NW_PROTO', 8, 'decimal', [['ctProto', 0, 8]], { needs: 'ct' });
add('ct_nw_src', 'NXM_NX_CT_NW_SRC', 32, 'ipv4', ['ctIpv4Src'], { needs: 'ct', traits: 'm' });
add('ct_nw_dst', 'NXM_NX_CT_NW_DST', 32, 'ipv4', ['ctIpv4Dst'], { needs: 'ct', traits: 'm' });
add('ct_ipv6_src', 'NXM_NX_CT_IPV6_SRC', 128, 'ipv6', ['ctIpv6Src'], { needs: 'ct', traits: 'm' });
add('ct_ipv6_dst', 'NXM_NX_CT_IPV6_DST', 128, 'ipv6', ['ctIpv6Dst'], { needs: 'ct', traits: 'm' });
add('ct_tp_src', 'NXM_NX_CT_TP_SRC', 16, 'decimal', ['ctTpSrc'], { needs: 'ct', traits: 'm' });
add('ct_tp_dst', 'NXM_NX_CT_TP_DST', 16, 'decimal', ['ctTpDst'], { needs: 'ct', traits: 'm' });

const registers = Array.from({ length: 16 }, (_, number) => `reg${number}` as FieldName);
registers.forEach((register, number) =>
  add(register, `NXM_NX_REG${number}`, 32, 'hexadecimal', [register], { traits: 'mw' }),
);
for (let number = 0; number < 8; number++) {
  add(`xreg${number}`, `OXM_OF_PKT_REG${number}`, 64, 'hexadecimal', registers.slice(2 * number, 2 * number + 2), {
    traits: 'mw',
  });
}
for (let number = 0; number < 4; number++) {
  add(`xxreg${number}`, `NXM_NX_XXREG${number}`, 128, 'hexadecimal', registers.slice(4 * number, 4 * number + 4), {
    traits: 'mw',
  });
}

add('eth_src', 'NXM_OF_ETH_SRC OXM_OF_ETH_SRC', 48, 'ethernet', ['ethSrc'], {
  alias: 'dl_src',
  needs: 'ethernet',
  traits: 'mw',
});
add('eth_dst', 'NXM_OF_ETH_DST OXM_OF_ETH_DST', 48, 'ethernet', ['ethDst'], {
  alias: 'dl_dst',
  needs: 'ethernet',
  traits: 'mw',
});
add('eth_type', 'NXM_OF_ETH_TYPE OXM_OF_ETH_TYPE', 16, 'hexadecimal', ['ethType'], {
  alias: 'dl_type',
  needs: 'ethernet',
});
add('vlan_tci', 'NXM_OF_VLAN_TCI', 16, 'hexadecimal', ['vlanTci'], { needs: 'ethernet', traits: 'mw' });
add('dl_vlan', '', 12, 'decimal', [['vlanTci', 0, 12]], { needs: 'ethernet' });
add('vlan_vid', 'OXM_OF_VLAN_VID', 12, 'decimal', [['vlanTci', 0, 12]], { needs: 'vlan', traits: 'mw' });
add('dl_vlan_pcp', '', 3, 'decimal', [['vlanTci', 13, 3]], { needs: 'ethernet' });
add('vlan_pcp', 'OXM_OF_VLAN_PCP', 3, 'decimal', [['vlanTci', 13, 3]], { needs: 'vlan', traits: 'w' });
add('mpls_label', 'OXM_OF_MPLS_LABEL', 20, 'decimal', [['mpls0', 12, 20]], { needs: 'mpls', traits: 'w' });
add('mpls_tc', 'OXM_OF_MPLS_TC', 3, 'decimal', [['mpls0', 9, 3]], { needs: 'mpls', traits: 'w' });
add('mpls_bos', 'OXM_OF_MPLS_BOS', 1, 'decimal', [['mpls0', 8, 1]], { needs: 'mpls' });
add('mpls_ttl', 'NXM_NX_MPLS_TTL', 8, 'decimal', [['mpls0', 0, 8]], { needs: 'mpls', traits: 'w' });

add('ip_src', 'NXM_OF_IP_SRC OXM_OF_IPV4_SRC', 32, 'ipv4', ['ipv4Src'], {
  alias: 'nw_src',
  needs: 'ipv4',
  traits: 'mw',
});
add('ip_dst', 'NXM_OF_IP_DST OXM_OF_IPV4_DST', 32, 'ipv4', ['ipv4Dst'], {
  alias: 'nw_dst',
  needs: 'ipv4',
  traits: 'mw',
});
add('ipv6_src', 'NXM_NX_IPV6_SRC OXM_OF_IPV6_SRC', 128, 'ipv6', ['ipv6Src'], { needs: 'ipv6', traits: 'mw' });
add('ipv6_dst', 'NXM_NX_IPV6_DST OXM_OF_IPV6_DST', 128, 'ipv6', ['ipv6Dst'], { needs: 'ipv6', traits: 'mw' });
add('ipv6_label', 'NXM_NX_IPV6_LABEL OXM_OF_IPV6_FLABEL', 20, 'hexadecimal', [['ipv6Label', 0, 20]], {
  needs: 'ipv6',
  traits: 'mw',
});
add('nw_proto', 'NXM_OF_IP_PROTO OXM_OF_IP_PROTO', 8, 'decimal', ['ipProto'], { alias: 'ip_proto', needs: 'ip' });
// The two bits of ECN are no part of it, though the field is as wide as the byte.
add(
  'nw_tos',
  'NXM_OF_IP_TOS',
  8,
  'decimal',
  [
    ['ipTos', 2, 6],
    [null, 0, 2],
  ],
  { needs: 'ip', traits: 'w' },
);
add('ip_dscp', 'OXM_OF_IP_DSCP', 6, 'decimal', [['ipTos', 2, 6]], { needs: 'ip', traits: 'w' });
add('nw_ecn', 'NXM_NX_IP_ECN OXM_OF_IP_ECN', 2, 'decimal', [['ipTos', 0, 2]], {
  alias: 'ip_ecn',
  needs: 'ip',
  traits: 'w',
});
add('nw_ttl', 'NXM_NX_IP_TTL', 8, 'decimal', ['ipTtl'], { needs: 'ip', traits: 'w' });
add('ip_frag', 'NXM_NX_IP_FRAG', 2, 'frag', [['ipFrag', 0, 2]], { alias: 'nw_frag', needs: 'ip', traits: 'm' });

add(
  'arp_op',
  'NXM_OF_ARP_OP OXM_OF_ARP_OP',
  16,
  'decimal',
  [
    [null, 0, 8],
    ['ipProto', 0, 8],
  ],
  { needs: 'arp', traits: 'w' },
);
add('arp_spa', 'NXM_OF_ARP_SPA OXM_OF_ARP_SPA', 32, 'ipv4', ['ipv4Src'], { needs: 'arp', traits: 'mw' });
add('arp_tpa', 'NXM_OF_ARP_TPA OXM_OF_ARP_TPA', 32, 'ipv4', ['ipv4Dst'], { needs: 'arp', traits: 'mw' });
add('arp_sha', 'NXM_NX_ARP_SHA OXM_OF_ARP_SHA', 48, 'ethernet', ['arpSha'], { needs: 'arp', traits: 'mw' });
add('arp_tha', 'NXM_NX_ARP_THA OXM_OF_ARP_THA', 48, 'ethernet', ['arpTha'], { needs: 'arp', traits: 'mw' });

add('tcp_src', 'NXM_OF_TCP_SRC OXM_OF_TCP_SRC', 16, 'decimal', ['tpSrc'], {
  alias: 'tp_src',
  needs: 'tcp',
  traits: 'mw',
});
add('tcp_dst', 'NXM_OF_TCP_DST OXM_OF_TCP_DST', 16, 'decimal', ['tpDst'], {
  alias: 'tp_dst',
  needs: 'tcp',
  traits: 'mw',
});
add('tcp_flags', 'NXM_NX_TCP_FLAGS ONFOXM_ET_TCP_FLAGS', 12, 'tcp_flags', [['tcpFlags', 0, 12]], {
  needs: 'tcp',
  traits: 'm',
});
add('udp_src', 'NXM_OF_UDP_SRC OXM_OF_UDP_SRC', 16, 'decimal', ['tpSrc'], { needs: 'udp', traits: 'mw' });
add('udp_dst', 'NXM_OF_UDP_DST OXM_OF_UDP_DST', 16, 'decimal', ['tpDst'], { needs: 'udp', traits: 'mw' });
add('sctp_src', 'OXM_OF_SCTP_SRC', 16, 'decimal', ['tpSrc'], { needs: 'sctp', traits: 'mw' });
add('sctp_dst', 'OXM_OF_SCTP_DST', 16, 'decimal', ['tpDst'], { needs: 'sctp', traits: 'mw' });
add('icmp_type', 'NXM_OF_ICMP_TYPE OXM_OF_ICMPV4_TYPE', 8, 'decimal', [['tpSrc', 0, 8]], {
  needs: 'icmp',
  traits: 'w',
});
add('icmp_code', 'NXM_OF_ICMP_CODE OXM_OF_ICMPV4_CODE', 8, 'decimal', [['tpDst', 0, 8]], {
  needs: 'icmp',
  traits: 'w',
});
add('icmpv6_type', 'NXM_NX_ICMPV6_TYPE OXM_OF_ICMPV6_TYPE', 8, 'decimal', [['tpSrc', 0, 8]], {
  needs: 'icmpv6',
  traits: 'w',
});
add('icmpv6_code', 'NXM_NX_ICMPV6_CODE OXM_OF_ICMPV6_CODE', 8, 'decimal', [['tpDst', 0, 8]], {
  needs: 'icmpv6',
  traits: 'w',
});
add('nd_target', 'NXM_NX_ND_TARGET OXM_OF_IPV6_ND_TARGET', 128, 'ipv6', ['ndTarget'], { needs: 'nd', traits: 'mw' });
add('nd_sll', 'NXM_NX_ND_SLL OXM_OF_IPV6_ND_SLL', 48, 'ethernet', ['arpSha'], { needs: 'nd_solicit', traits: 'mw' });
add('nd_tll', 'NXM_NX_ND_TLL OXM_OF_IPV6_ND_TLL', 48, 'ethernet', ['arpTha'], { needs: 'nd_advert', traits: 'mw' });
add('nd_reserved', 'ERICOXM_OF_ICMPV6_ND_RESERVED', 32, 'decimal', ['ndReserved'], { needs: 'nd', traits: 'w' });
add('nd_options_type', 'ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE', 8, 'decimal', [['ndOptionsType', 0, 8]], {
  needs: 'nd',
  traits: 'w',
});

add('nsh_flags', 'NXOXM_NSH_FLAGS', 8, 'decimal', ['nshFlags'], { needs: 'nsh', traits: 'mw' });
add('nsh_mdtype', 'NXOXM_NSH_MDTYPE', 8, 'decimal', ['nshMdtype'], { needs: 'nsh' });
add('nsh_np', 'NXOXM_NSH_NP', 8, 'decimal', ['nshNp'], { needs: 'nsh' });
add('nsh_spi', 'NXOXM_NSH_SPI', 24, 'hexadecimal', [['nshPath', 8, 24]], { alias: 'nsp', needs: 'nsh', traits: 'w' });
add('nsh_si', 'NXOXM_NSH_SI', 8, 'decimal', [['nshPath', 0, 8]], { alias: 'nsi', needs: 'nsh', traits: 'w' });
add('nsh_c1', 'NXOXM_NSH_C1', 32, 'hexadecimal', ['nshC1'], { alias: 'nshc1', needs: 'nsh', traits: 'mw' });
add('nsh_c2', 'NXOXM_NSH_C2', 32, 'hexadecimal', ['nshC2'], { alias: 'nshc2', needs: 'nsh', traits: 'mw' });
add('nsh_c3', 'NXOXM_NSH_C3', 32, 'hexadecimal', ['nshC3'], { alias: 'nshc3', needs: 'nsh', traits: 'mw' });
add('nsh_c4', 'NXOXM_NSH_C4', 32, 'hexadecimal', ['nshC4'], { alias: 'nshc4', needs: 'nsh', traits: 'mw' });
add('nsh_ttl', 'NXOXM_NSH_TTL', 8, 'decimal', ['nshTtl'], { needs: 'nsh', traits: 'w' });

/** All fields. */
export const openFlowFields: readonly OpenFlowField[] = list;

const byName = new Map<string, OpenFlowField>();
const byHeader = new Map<string, OpenFlowField>();
for (const field of list) {
  for (const name of [field.name, field.alias]) if (name !== undefined) byName.set(name, field);
  for (const header of [field.header, field.otherHeader]) if (header !== undefined) byHeader.set(header, field);
}

/** The field of a name like `eth_dst` or `dl_dst`, not of `NXM_OF_ETH_DST`. */
export function fieldOfName(name: string): OpenFlowField | undefined {
  return byName.get(name);
}

/** The field of any of its names, those of NXM and OXM among them. */
export function fieldOfAnyName(name: string): OpenFlowField | undefined {
  return byName.get(name) ?? byHeader.get(name);
}
