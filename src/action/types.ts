/**
 * The actions of a datapath flow as data, in Open vSwitch's vocabulary (the text is in `text.ts`, execution in
 * `execute.ts`). An empty list drops the packet.
 */
/** A header to be put before a packet, with the vport type that says which routine completes it. */
export interface TunnelHeader {
  /** `enum ovs_vport_type`: GRE 3, VXLAN 4, GENEVE 5, ERSPAN 107, IP6ERSPAN 108, IP6GRE 109, GTPU 110, SRV6 112. */
  readonly type: number;
  /** The header as it is prepended: lengths and the IPv4 checksum still to be filled in. UDP checksum 0xffff: compute it. */
  readonly bytes: Uint8Array;
}

/**
 * Values for fields. Both arrays are in the layout of `flow/fields.ts`: bits of `value` are written where `mask` has ones.
 */
export interface FieldSetting {
  readonly value: Int32Array;
  readonly mask: Int32Array;
}

/** The attribute of a flow key that a `set` writes. */
export type SetAttribute =
  | 'eth'
  | 'ipv4'
  | 'ipv6'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmp'
  | 'icmpv6'
  | 'arp'
  | 'nd'
  | 'nd_ext'
  | 'mpls'
  | 'nsh'
  | 'tunnel'
  | 'skb_priority'
  | 'skb_mark'
  // Known to the text, refused by `Datapath` with `unsupported-action`.
  | 'recirc_id'
  | 'dp_hash'
  | 'in_port'
  | 'packet_type'
  | 'eth_type'
  | 'vlan'
  | 'tcp_flags'
  | 'ct_state'
  | 'ct_zone'
  | 'ct_mark'
  | 'ct_label'
  | 'ct_tuple4'
  | 'ct_tuple6';

export type Action =
  | { readonly type: 'output'; readonly port: number }
  /** Drops the packet with a reason; printed `drop`. The list `[]` drops as well. */
  | { readonly type: 'drop' }
  | { readonly type: 'clone'; readonly actions: readonly Action[] }
  | { readonly type: 'tnl_push'; readonly tunnelPort: number; readonly outPort: number; readonly header: TunnelHeader }
  | { readonly type: 'tnl_pop'; readonly port: number }
  /** `masked` false: printed in full, as 3.1 does for `set(tunnel(...))` and for a set whose mask is all ones. */
  | { readonly type: 'set'; readonly attribute: SetAttribute; readonly fields: FieldSetting; readonly masked: boolean }
  /** `tpid` 0x8100 or 0x88a8; `tci` has the CFI bit (0x1000), which says that there is a tag and is not sent. */
  | { readonly type: 'push_vlan'; readonly tpid: number; readonly tci: number }
  | { readonly type: 'pop_vlan' }
  | { readonly type: 'recirc'; readonly id: number }
  | { readonly type: 'hash'; readonly algorithm: 'l4' | 'sym_l4'; readonly basis: number }
  | { readonly type: 'trunc'; readonly maxLength: number }
  /** `probability` out of 2^32 - 1. */
  | { readonly type: 'sample'; readonly probability: number; readonly actions: readonly Action[] }
  | {
      readonly type: 'userspace';
      readonly pid: number;
      readonly userdata?: Uint8Array;
      readonly actions?: boolean;
      readonly tunnelOutPort?: number;
    }
  | {
      readonly type: 'check_pkt_len';
      readonly size: number;
      readonly greater: readonly Action[];
      readonly lessEqual: readonly Action[];
    }
  // Known to the text, refused by `Datapath` with `unsupported-action`.
  | { readonly type: 'meter'; readonly id: number }
  | { readonly type: 'lb_output'; readonly bond: number }
  | { readonly type: 'push_eth'; readonly src: number; readonly dst: number }
  | { readonly type: 'pop_eth' }
  | { readonly type: 'push_mpls'; readonly lse: number; readonly ethType: number }
  | { readonly type: 'pop_mpls'; readonly ethType: number }
  | { readonly type: 'add_mpls'; readonly lse: number; readonly ethType: number }
  | { readonly type: 'push_nsh'; readonly header: NshHeader }
  | { readonly type: 'pop_nsh' }
  | { readonly type: 'ct'; readonly ct: ConntrackAction }
  | { readonly type: 'ct_clear' }
  | { readonly type: 'dec_ttl'; readonly actions: readonly Action[] };

export interface NshHeader {
  readonly flags: number;
  readonly ttl: number;
  readonly mdtype: number;
  readonly np: number;
  readonly spi: number;
  readonly si: number;
  /** c1 to c4 for metadata type 1; the metadata as bytes for type 2. */
  readonly context: readonly number[] | Uint8Array;
}

export interface ConntrackAction {
  readonly commit: boolean;
  readonly force: boolean;
  readonly zone?: number;
  readonly mark?: { readonly value: number; readonly mask: number };
  /** 128 bits each, as 16 bytes, the first the most significant. */
  readonly label?: { readonly value: Uint8Array; readonly mask: Uint8Array };
  readonly helper?: string;
  readonly timeout?: string;
  readonly nat?: NatRange;
}

export interface NatRange {
  /** Absent: `nat` alone, which applies an existing translation. */
  readonly direction?: 'src' | 'dst';
  readonly minAddress?: Uint8Array;
  readonly maxAddress?: Uint8Array;
  readonly minPort?: number;
  readonly maxPort?: number;
  readonly persistent?: boolean;
  readonly hash?: boolean;
  readonly random?: boolean;
}
