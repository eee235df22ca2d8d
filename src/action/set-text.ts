/**
 * `set(...)` as text, both ways: an attribute of a flow key with the values that are written, and masks where only some
 * bits are. How the attributes look is in `flow/attribute-text.ts`; writing them into packets is in `set.ts`.
 */
import { attributes } from '../flow/attribute-text.js';
import { KEY_WORDS, setExact, type FlowWords } from '../flow/fields.js';
import type { GeneveOption } from '../flow/match.js';
import { take, takePattern, type Cursor } from '../flow/scan.js';
import { TUNNEL_FIELDS } from '../flow/tunnel-text.js';
import type { TunnelSetting } from './tunnel-setting.js';
import type { Action, SetAttribute } from './types.js';

type SetAction = Extract<Action, { type: 'set' }>;

/** A set of all of an attribute is printed in full, a masked one without what it leaves alone. */
export function formatSet(action: SetAction): string {
  const { attribute, masked } = action;
  const setting: TunnelSetting = action.fields;
  const words = { key: setting.value, mask: masked ? setting.mask : undefined, geneve: setting.geneve };
  // How many labels are set stands in the mask, whether it is printed or not.
  if (attribute === 'mpls') words.mask = setting.mask;
  return `set(${attribute}(${attributes[attribute].format(words, !masked, {})}))`;
}

/**
 * The attributes that a `set` may write. `whole`: a set of all of it is not a masked one in 3.1. (Where it is none, the
 * structure that 3.1 compares with all ones has bits that no text reaches.)
 */
const settable = {
  eth: { whole: true },
  ipv4: { whole: true },
  ipv6: { whole: false },
  tcp: { whole: true },
  udp: { whole: true },
  sctp: { whole: true },
  icmp: { whole: true },
  icmpv6: { whole: true },
  arp: { whole: false },
  nd: { whole: true },
  nd_ext: { whole: false },
  mpls: { whole: true },
  nsh: { whole: false },
  tunnel: { whole: true },
  skb_priority: { whole: true },
  skb_mark: { whole: true },
  recirc_id: { whole: true },
  dp_hash: { whole: true },
  in_port: { whole: true },
  packet_type: { whole: true },
  eth_type: { whole: true },
  vlan: { whole: true },
  tcp_flags: { whole: true },
  ct_state: { whole: true },
  ct_zone: { whole: true },
  ct_mark: { whole: true },
  ct_label: { whole: true },
  ct_tuple4: { whole: false },
  ct_tuple6: { whole: false },
} as const satisfies Record<SetAttribute, { whole: boolean }>;

/** What a set of one attribute could write at most: every part of it, exact. */
const wholeMasks = new Map<SetAttribute, FlowWords>();

function wholeMask(attribute: SetAttribute): FlowWords {
  const known = wholeMasks.get(attribute);
  if (known) return known;
  const key = new Int32Array(KEY_WORDS);
  const mask = new Int32Array(KEY_WORDS);
  if (attribute === 'tunnel') for (const field of TUNNEL_FIELDS) setExact(mask, field);
  else attributes[attribute].scan({ text: WHOLE[attribute], at: 0 }, { key, mask }, {});
  wholeMasks.set(attribute, mask);
  return mask;
}

const MAC = '0:0:0:0:0:0';
/** Text that mentions every part of an attribute. */
const WHOLE = {
  eth: `src=${MAC},dst=${MAC})`,
  ipv4: 'src=0.0.0.0,dst=0.0.0.0,proto=0,tos=0,ttl=0,frag=no)',
  ipv6: 'src=::,dst=::,label=0,proto=0,tclass=0,hlimit=0,frag=no)',
  tcp: 'src=0,dst=0)',
  udp: 'src=0,dst=0)',
  sctp: 'src=0,dst=0)',
  icmp: 'type=0,code=0)',
  icmpv6: 'type=0,code=0)',
  arp: `sip=0.0.0.0,tip=0.0.0.0,op=0,sha=${MAC},tha=${MAC})`,
  nd: `target=::,sll=${MAC},tll=${MAC})`,
  nd_ext: 'nd_reserved=0,nd_options_type=0)',
  mpls: 'label=0,tc=0,ttl=0,bos=0)',
  nsh: 'flags=0,ttl=0,mdtype=0,np=0,spi=0,si=0,c1=0,c2=0,c3=0,c4=0)',
  skb_priority: '0)',
  skb_mark: '0)',
  recirc_id: '0)',
  dp_hash: '0)',
  in_port: '0)',
  packet_type: 'ns=0,id=0)',
  eth_type: '0)',
  vlan: 'vid=0,pcp=0)',
  tcp_flags: '0)',
  ct_state: '0)',
  ct_zone: '0)',
  ct_mark: '0)',
  ct_label: '0)',
  ct_tuple4: 'src=0.0.0.0,dst=0.0.0.0,proto=0,tp_src=0,tp_dst=0)',
  ct_tuple6: 'src=::,dst=::,proto=0,tp_src=0,tp_dst=0)',
} as const satisfies Record<Exclude<SetAttribute, 'tunnel'>, string>;

/** Reads behind `set(`; `undefined` where the text does not fit. */
export function takeSet(cursor: Cursor, strict: boolean): SetAction | undefined {
  const attribute = takePattern(cursor, /[a-z_0-9]+(?=\()/y) as SetAttribute | undefined;
  if (attribute === undefined || !Object.hasOwn(settable, attribute) || !take(cursor, '(')) return undefined;
  const words: { key: FlowWords; mask: FlowWords; geneve?: readonly GeneveOption[] } = {
    key: new Int32Array(KEY_WORDS),
    mask: new Int32Array(KEY_WORDS),
  };
  if (!attributes[attribute].scan(cursor, words, { strict, isSet: true }) || !take(cursor, ')')) return undefined;
  if (attribute === 'tunnel') {
    // A tunnel is set as a whole: what is not mentioned is nothing.
    const fields: TunnelSetting = {
      value: words.key,
      mask: wholeMask(attribute).slice(),
      ...(words.geneve && { geneve: words.geneve }),
    };
    return { type: 'set', attribute, fields, masked: false };
  }
  return {
    type: 'set',
    attribute,
    fields: { value: words.key, mask: words.mask },
    masked: !settable[attribute].whole || !isWhole(attribute, words.mask),
  };
}

function isWhole(attribute: SetAttribute, mask: FlowWords): boolean {
  // A label stack is whole when each of its entries is.
  if (attribute === 'mpls') return mask.every((word) => word === 0 || word === -1) && mask.some((word) => word !== 0);
  return wholeMask(attribute).every((word, index) => word === mask[index]);
}
