/**
 * A match as text: the language of `ovs-appctl dpctl/dump-flows`, attribute by attribute in the order of Open vSwitch
 * 3.1 (which stands in `lib/odp-util.c` there, `odp_flow_key_from_flow` and `odp_flow_format`). First it is decided
 * which attributes a key has, then which of them the mask makes worth printing. The counters and actions of a flow's
 * line are not printed here.
 */
import {
  attributes,
  countLabels,
  formatLabels,
  innerVlan,
  type AttributeName,
  type AttributeText,
  type TextRules,
} from './attribute-text.js';
import { FRAG_LATER, anyBit, getField, type FlowWords } from './fields.js';
import type { FlowMatch } from './match.js';
import {
  NO_PORT,
  coversNeighbourDiscovery,
  isNeighbourDiscovery,
  isVlanType,
  networkOf,
  transportOf,
} from './presence.js';
import { hasTunnel } from './tunnel-text.js';

export interface FlowFormatOptions {
  /** Also what the mask does not cover, with masks of zero: `dpctl/dump-flows -m`. */
  readonly verbose?: boolean;
  /** Name of a datapath port (`--names`); without one its number is printed. */
  readonly portName?: (port: number) => string | undefined;
  /**
   * `other_config:vlan-limit`, 1 by default: how many tags the datapath looks behind. It only tells what a frame that
   * ends within its second tag looks like.
   */
  readonly vlanLimit?: number;
}

/** Attributes that stand before a frame's headers, in their order. */
const METADATA = [
  'skb_priority',
  'tunnel',
  'skb_mark',
  'ct_state',
  'ct_zone',
  'ct_mark',
  'ct_label',
  'ct_tuple4',
  'ct_tuple6',
  'recirc_id',
  'dp_hash',
  'in_port',
  'packet_type',
] as const satisfies readonly AttributeName[];

function hasMetadata(key: FlowWords, name: (typeof METADATA)[number]): boolean {
  const ethType = getField(key, 'ethType');
  if (name === 'tunnel') return hasTunnel(key);
  if (name === 'ct_tuple4') return ethType === 0x0800 && anyBit(key, 'ctProto');
  if (name === 'ct_tuple6') return ethType === 0x86dd && anyBit(key, 'ctProto');
  return name !== 'in_port' || getField(key, 'inPort') !== NO_PORT;
}

/**
 * The text of a match, exactly as 3.1's `netdev` datapath dumps it:
 * `recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(...)`. Text does not carry a match on the absence of a VLAN tag,
 * the values of fields that the mask does not cover (unless `verbose`), nor an exact match on a tunnel field that is
 * zero (but for its id and time to live).
 */
export function formatFlow(match: FlowMatch, options: FlowFormatOptions = {}): string {
  const { key, mask } = match;
  const { verbose = false, vlanLimit = 1 } = options;
  const rules: TextRules = { portName: options.portName };
  const items: string[] = [];
  const add = (list: string[], name: string, text: AttributeText): void => {
    if (verbose || !text.isWild(mask)) list.push(`${name}(${text.format(match, verbose, rules)})`);
  };

  for (const name of METADATA) if (hasMetadata(key, name)) add(items, name, attributes[name]);
  const isEthernet = getField(key, 'packetType') === 0;
  if (isEthernet) {
    // Without a packet type, this is what says that the packet is a frame.
    if (!verbose && attributes.eth.isWild(mask) && attributes.packet_type.isWild(mask)) items.push('eth()');
    else add(items, 'eth', attributes.eth);
  }

  const ethType = getField(key, 'ethType');
  const tags = isEthernet ? tagsOf(key, vlanLimit) : [];
  const inner: string[] = [];
  const isTruncated = tags.some(({ truncated }) => truncated);
  if (!isTruncated && ethType >= 0x0600) {
    add(inner, 'eth_type', attributes.eth_type);
    addHeaders(
      match,
      verbose,
      (name) => add(inner, name, attributes[name]),
      (text) => inner.push(text),
    );
  }
  let rest = inner;
  for (const { tpid, text } of tags.reverse()) {
    const tag: string[] = [`eth_type(0x${tpid.toString(16).padStart(4, '0')})`];
    add(tag, 'vlan', text);
    rest = [...tag, `encap(${rest.join(',')})`];
  }
  items.push(...rest);
  // A frame without an Ethernet type has no such attribute; that this is matched stands at the end.
  if (tags.length === 0 && ethType < 0x0600 && anyBit(mask, 'ethType')) items.push('eth_type(0/0xffff)');
  return items.join(',');
}

interface Tag {
  readonly tpid: number;
  readonly text: AttributeText;
  /** The frame ends within it. */
  readonly truncated: boolean;
}

function tagsOf(key: FlowWords, vlanLimit: number): Tag[] {
  const tags: Tag[] = [];
  const ethType = getField(key, 'ethType');
  for (const [level, tci, tpid, text] of [
    [0, 'vlanTci', 'vlanTpid', attributes.vlan],
    [1, 'innerVlanTci', 'innerVlanTpid', innerVlan],
  ] as const) {
    if (anyBit(key, tci)) {
      tags.push({ tpid: getField(key, tpid), text, truncated: false });
      continue;
    }
    if (isVlanType(ethType) && (level < vlanLimit || anyBit(key, tpid)))
      tags.push({ tpid: ethType, text, truncated: true });
    break;
  }
  return tags;
}

/** The headers behind the Ethernet type. */
function addHeaders(
  match: FlowMatch,
  verbose: boolean,
  add: (name: AttributeName) => void,
  addText: (text: string) => void,
): void {
  const { key, mask } = match;
  const ethType = getField(key, 'ethType');
  const network = networkOf(ethType);
  if (network === 'mpls') {
    const labels = countLabels(key);
    if (labels > 0 && (verbose || !attributes.mpls.isWild(mask))) addText(`mpls(${formatLabels(match, labels)})`);
  } else if (network === 'nsh') addText(`nsh(${attributes.nsh.format(match, verbose, {})})`);
  else if (network) add(network);

  const transport = transportOf(ethType, getField(key, 'ipProto'));
  if (!transport || (getField(key, 'ipFrag') & FRAG_LATER) !== 0) return;
  add(transport);
  // Flags that are all clear and not matched have no attribute.
  if (transport === 'tcp' && (anyBit(key, 'tcpFlags') || anyBit(mask, 'tcpFlags'))) add('tcp_flags');
  if (transport !== 'icmpv6' || !isNeighbourDiscovery(key)) return;
  const covered = coversNeighbourDiscovery(mask);
  if (verbose && !covered) addText(`nd(${attributes.nd.format({ key, mask: new Int32Array(mask.length) }, true, {})})`);
  else if (covered) add('nd');
  // The netdev datapath keeps no such attribute, so it is there only for who matches on it.
  if (covered && !attributes.nd_ext.isWild(mask)) add('nd_ext');
}
