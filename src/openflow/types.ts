/**
 * OpenFlow actions as data: what a rule or a bucket of a group does with a packet. Text becomes these in
 * `action-parse.ts`, and these become text in `action-format.ts`; to execute them is the business of the switch. An
 * empty list drops.
 *
 * Ports are OpenFlow port numbers (`OpenFlowPort` has the reserved ones), MACs and IPv4 addresses are numbers as in
 * `util/address.ts`, 64-bit numbers are `bigint`.
 */
import type { OpenFlowField } from './field-names.js';
import type { OpenFlowMatch } from './match.js';
import type { Subfield } from './subfield.js';

export type OpenFlowAction =
  | { readonly type: 'normal' }
  /** To all ports but the one it came in on and those that are not to be flooded. */
  | { readonly type: 'flood' }
  /** To all ports but the one it came in on. */
  | { readonly type: 'all' }
  | { readonly type: 'local' }
  | { readonly type: 'in_port' }
  /** Never back to the port it came in on. */
  | { readonly type: 'output'; readonly port: number }
  | { readonly type: 'output_field'; readonly source: Subfield }
  /** Cut to `maxLength` bytes (14 or more). The port may be `OpenFlowPort.inPort` or `local`. */
  | { readonly type: 'output_truncated'; readonly port: number; readonly maxLength: number }
  | ControllerAction
  /** Looks again, in `table` (null: the same), as if it came in on `port` (null: the one it did), then goes on. */
  | { readonly type: 'resubmit'; readonly port: number | null; readonly table: number | null }
  /** Looks again in a later table; the last action. Rules of a table hold a `resubmit` in its place. */
  | { readonly type: 'goto_table'; readonly table: number }
  /**
   * Writes the bits of `mask`; both are as wide as the field, and bits of `value` outside `mask` do not matter. Rules
   * of a table hold `load` and `mod_` in its place.
   */
  | { readonly type: 'set_field'; readonly field: OpenFlowField; readonly value: bigint; readonly mask: bigint }
  | { readonly type: 'load'; readonly value: bigint; readonly target: Subfield }
  /** Source and target are of one width. */
  | { readonly type: 'move'; readonly source: Subfield; readonly target: Subfield }
  | { readonly type: 'mod_dl_src'; readonly mac: number }
  | { readonly type: 'mod_dl_dst'; readonly mac: number }
  /** Pushes a tag if there is none. 12 bits. */
  | { readonly type: 'mod_vlan_vid'; readonly vid: number }
  /** Pushes a tag (VLAN 0) if there is none. 3 bits. */
  | { readonly type: 'mod_vlan_pcp'; readonly pcp: number }
  /** Of IPv4 packets only, as all `mod_nw_`, but for TOS, ECN and TTL, which IPv6 has too. */
  | { readonly type: 'mod_nw_src'; readonly ip: number }
  | { readonly type: 'mod_nw_dst'; readonly ip: number }
  /** The upper six bits of the byte; the lower two are zero here and stay as they are. */
  | { readonly type: 'mod_nw_tos'; readonly tos: number }
  | { readonly type: 'mod_nw_ecn'; readonly ecn: number }
  | { readonly type: 'mod_nw_ttl'; readonly ttl: number }
  /** Of TCP, UDP and SCTP, in whatever packet that is not a later fragment. */
  | { readonly type: 'mod_tp_src'; readonly port: number }
  | { readonly type: 'mod_tp_dst'; readonly port: number }
  /** A tag with VLAN 0; 0x8100 or 0x88a8. */
  | { readonly type: 'push_vlan'; readonly ethType: number }
  | { readonly type: 'strip_vlan' }
  /** A packet whose TTL is 0 or 1 goes to these controllers, and its processing ends. */
  | { readonly type: 'dec_ttl'; readonly controllers: readonly number[] }
  /** `isWide`: said with 64 bits. */
  | { readonly type: 'set_tunnel'; readonly id: bigint; readonly isWide: boolean }
  | LearnAction
  | { readonly type: 'group'; readonly id: number }
  /** What the actions inside do to the packet, those behind do not see. */
  | { readonly type: 'clone'; readonly actions: readonly OpenFlowAction[] }
  | { readonly type: 'note'; readonly bytes: Uint8Array }
  /** Ends everything: this list, and those that resubmitted to it. */
  | { readonly type: 'exit' };

export type ControllerReason = 'action' | 'no_match' | 'invalid_ttl' | 'action_set' | 'group' | 'packet_out';

export interface ControllerAction {
  readonly type: 'controller';
  /** Bytes of the packet that are sent; 65535: all. */
  readonly maxLength: number;
  readonly reason: ControllerReason;
  readonly id: number;
  readonly userdata?: Uint8Array;
  readonly pause?: boolean;
  readonly meterId?: number;
}

/** What a learned flow matches, loads or outputs to. */
export type LearnSpec =
  /** The new flow matches the value that `source` has in the packet at hand, or a constant. */
  | { readonly kind: 'match'; readonly source: Subfield | bigint; readonly target: Subfield }
  | { readonly kind: 'load'; readonly source: Subfield | bigint; readonly target: Subfield }
  | { readonly kind: 'output'; readonly source: Subfield };

export interface LearnAction {
  readonly type: 'learn';
  readonly table: number;
  /** Seconds; 0: never. */
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly finIdleTimeout: number;
  readonly finHardTimeout: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly sendFlowRemoved: boolean;
  /** What was learned goes when the rule that learned it goes. */
  readonly deleteLearned: boolean;
  /** How many flows with this cookie the table may have; 0: any number. */
  readonly limit: number;
  /** A bit that becomes 1 if the flow was learned, 0 if the limit forbade it. */
  readonly result?: Subfield;
  readonly specs: readonly LearnSpec[];
}

/** A rule, as it is to be added to a table. */
export interface OpenFlowRuleSpec {
  /** 0 to 254. */
  readonly table: number;
  /** 0 to 65535; the highest wins. */
  readonly priority: number;
  readonly cookie: bigint;
  /** Seconds without a packet, and in all, until the rule goes; 0: it stays. */
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly importance: number;
  readonly match: OpenFlowMatch;
  readonly actions: readonly OpenFlowAction[];
}
