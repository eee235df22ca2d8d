/**
 * What becomes of actions on their way into a table: the form in which Open vSwitch holds, and prints, what `ovs-ofctl
 * add-flow` gave it. That program speaks OpenFlow 1.0 with Nicira's extensions unless told otherwise, which has no
 * `set_field` and no `goto_table`; they become `mod_…`, `load` and `resubmit`. Where `mod_…` takes no mask, the mask is
 * lost, there as here.
 */
import { VLAN_PRESENT } from '../flow/fields.js';
import { fieldOfName, type OpenFlowField } from './field-names.js';
import { wholeField } from './subfield.js';
import type { OpenFlowAction } from './types.js';

/** The fields that have an action of their own. */
const legacy: Readonly<Record<string, (value: number) => OpenFlowAction[]>> = {
  eth_src: (mac) => [{ type: 'mod_dl_src', mac }],
  eth_dst: (mac) => [{ type: 'mod_dl_dst', mac }],
  vlan_tci: (tci) =>
    (tci & VLAN_PRESENT) === 0
      ? [{ type: 'strip_vlan' }]
      : [
          { type: 'mod_vlan_vid', vid: tci & 0x0fff },
          { type: 'mod_vlan_pcp', pcp: tci >>> 13 },
        ],
  vlan_vid: (vid) => [{ type: 'mod_vlan_vid', vid }],
  vlan_pcp: (pcp) => [{ type: 'mod_vlan_pcp', pcp }],
  ip_src: (ip) => [{ type: 'mod_nw_src', ip }],
  ip_dst: (ip) => [{ type: 'mod_nw_dst', ip }],
  nw_tos: (tos) => [{ type: 'mod_nw_tos', tos }],
  ip_dscp: (dscp) => [{ type: 'mod_nw_tos', tos: dscp << 2 }],
  tcp_src: (port) => [{ type: 'mod_tp_src', port }],
  tcp_dst: (port) => [{ type: 'mod_tp_dst', port }],
  udp_src: (port) => [{ type: 'mod_tp_src', port }],
  udp_dst: (port) => [{ type: 'mod_tp_dst', port }],
};

/** A `load` for each run of ones in a mask, the lowest first, of 64 bits at most. */
function loads(field: OpenFlowField, value: bigint, mask: bigint): OpenFlowAction[] {
  const actions: OpenFlowAction[] = [];
  let offset = 0;
  while (offset < field.bits) {
    let bits = 0;
    while (bits < 64 && offset + bits < field.bits && (mask >> BigInt(offset + bits)) & 1n) bits++;
    if (bits > 0)
      actions.push({
        type: 'load',
        value: BigInt.asUintN(bits, value >> BigInt(offset)),
        target: { field, offset, bits },
      });
    offset += Math.max(bits, 1);
  }
  return actions;
}

const ecn = wholeField(fieldOfName('nw_ecn')!);
const ttl = wholeField(fieldOfName('nw_ttl')!);

function toStored(action: OpenFlowAction): OpenFlowAction[] {
  switch (action.type) {
    case 'goto_table':
      return [{ type: 'resubmit', port: null, table: action.table }];
    case 'set_field': {
      const { field, value, mask } = action;
      if (mask !== 0n && Object.hasOwn(legacy, field.name)) return legacy[field.name](Number(value));
      return loads(field, value, mask);
    }
    case 'load': {
      const { field, offset, bits } = action.target;
      return bits <= 64
        ? [action]
        : loads(field, action.value << BigInt(offset), ((1n << BigInt(bits)) - 1n) << BigInt(offset));
    }
    case 'mod_nw_ecn':
      return [{ type: 'load', value: BigInt(action.ecn), target: ecn }];
    case 'mod_nw_ttl':
      return [{ type: 'load', value: BigInt(action.ttl), target: ttl }];
    case 'clone':
      return [{ type: 'clone', actions: storedActions(action.actions) }];
    default:
      return [action];
  }
}

/** Actions as a table holds them. */
export function storedActions(actions: readonly OpenFlowAction[]): OpenFlowAction[] {
  return actions.flatMap(toStored);
}
