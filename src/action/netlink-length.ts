/**
 * How long a list of actions is as Open vSwitch hands it to a datapath: netlink attributes, of which all together take
 * at most 65535 bytes. 3.1 refuses longer lists, and so does reading them from text.
 */
import type { Action, SetAttribute } from './types.js';

/** Most bytes of a list of actions. */
export const MOST_ACTION_BYTES = 0xffff;

/** An attribute: a header of 4 bytes, the payload, and padding to a multiple of 4. */
const attribute = (payload: number): number => 4 + ((payload + 3) & ~3);
const FLAG = attribute(0);
const WORD = attribute(4);

/** Payload of a `set` of each attribute; a mask takes as much again. */
const SET_LENGTHS = {
  eth: 12,
  ipv4: 12,
  ipv6: 40,
  tcp: 4,
  udp: 4,
  sctp: 4,
  icmp: 2,
  icmpv6: 2,
  arp: 24,
  nd: 28,
  nd_ext: 8,
  mpls: 4,
  nsh: 32,
  tunnel: 64,
  skb_priority: 4,
  skb_mark: 4,
  recirc_id: 4,
  dp_hash: 4,
  in_port: 4,
  packet_type: 4,
  eth_type: 2,
  vlan: 2,
  tcp_flags: 2,
  ct_state: 4,
  ct_zone: 2,
  ct_mark: 4,
  ct_label: 16,
  ct_tuple4: 16,
  ct_tuple6: 40,
} as const satisfies Record<SetAttribute, number>;

/** Length of a list in bytes. Those of `set(tunnel(...))` and of `ct(...)` are upper bounds. */
export function netlinkLength(actions: readonly Action[]): number {
  return actions.reduce((sum, action) => sum + lengthOf(action), 0);
}

function lengthOf(action: Action): number {
  switch (action.type) {
    case 'pop_vlan':
    case 'pop_eth':
    case 'pop_nsh':
    case 'ct_clear':
      return FLAG;
    case 'hash':
    case 'push_mpls':
    case 'add_mpls':
      return attribute(8);
    case 'push_eth':
      return attribute(12);
    case 'tnl_push':
      return attribute(16 + 512);
    case 'set':
      return attribute(attribute(SET_LENGTHS[action.attribute] * (action.masked ? 2 : 1)));
    case 'clone':
      return attribute(netlinkLength(action.actions));
    case 'sample':
      return attribute(WORD + attribute(netlinkLength(action.actions)));
    case 'check_pkt_len':
      return attribute(WORD + attribute(netlinkLength(action.greater)) + attribute(netlinkLength(action.lessEqual)));
    case 'dec_ttl':
      return attribute(attribute(netlinkLength(action.actions)));
    case 'userspace': {
      const data = action.userdata ? attribute(action.userdata.length) : 0;
      return attribute(WORD + data + (action.actions ? FLAG : 0) + (action.tunnelOutPort !== undefined ? WORD : 0));
    }
    case 'push_nsh':
      return attribute(
        attribute(attribute(8) + attribute(action.header.mdtype === 2 ? action.header.context.length : 16)),
      );
    case 'ct':
      return attribute(256);
    case 'drop':
    case 'lb_output':
    case 'meter':
    case 'output':
    case 'pop_mpls':
    case 'push_vlan':
    case 'recirc':
    case 'tnl_pop':
    case 'trunc':
      return WORD;
  }
}
