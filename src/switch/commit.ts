/**
 * Translation changes a flow; the datapath must change the packet the same way. Before something is output, the differences between the
 * flow and the packet as the actions so far have left it become `set`, `push_vlan` and `pop_vlan` (Open vSwitch's commit_odp_actions):
 * only fields that differ are written, and their bits are what was looked at or set.
 */
import type { SetAttribute } from '../action/types.js';
import {
  GROUP_WORDS,
  KEY_WORDS,
  VLAN_PRESENT,
  fields,
  getField,
  setExact,
  setField,
  type FieldName,
  type FlowWords,
} from '../flow/fields.js';
import type { Context } from './context.js';

const ETHERNET: readonly FieldName[] = ['ethSrc', 'ethDst'];
const IPV4: readonly FieldName[] = ['ipv4Src', 'ipv4Dst', 'ipTos', 'ipTtl'];
const IPV6: readonly FieldName[] = ['ipv6Src', 'ipv6Dst', 'ipv6Label', 'ipTos', 'ipTtl'];
const ND: readonly FieldName[] = ['ndTarget', 'arpSha', 'arpTha'];
const ARP: readonly FieldName[] = ['ipv4Src', 'ipv4Dst', 'ipProto', 'arpSha', 'arpTha'];
const PORTS: readonly FieldName[] = ['tpSrc', 'tpDst'];

/** Of each field the words that it lies in, with its bits there. */
const PARTS = Object.fromEntries(
  Object.entries(fields).map(([name, { at, length }]) => {
    const parts: { word: number; bits: number }[] = [];
    for (let byte = at; byte < at + length; byte++) {
      const bits = 0xff << ((byte & 3) << 3);
      const last = parts[parts.length - 1];
      if (last?.word === byte >> 2) last.bits |= bits;
      else parts.push({ word: byte >> 2, bits });
    }
    return [name, parts];
  }),
) as unknown as Record<FieldName, readonly { readonly word: number; readonly bits: number }[]>;

/** Attributes that hold nothing but the fields that are written: with all their bits set they are set without a mask. */
const WHOLE: ReadonlySet<SetAttribute> = new Set([
  'eth',
  'tcp',
  'udp',
  'sctp',
  'icmp',
  'icmpv6',
  'arp',
  'skb_mark',
  'skb_priority',
]);

/** Attributes that Open vSwitch 3.1 leaves to its slow path, which does them for each packet, and so do we. */
const SLOW: ReadonlySet<SetAttribute> = new Set(['arp', 'nd']);
/** Likewise, and always written in full. */
const UNMASKED: ReadonlySet<SetAttribute> = new Set(['icmp', 'icmpv6']);

/** Emits what it takes to make the packet like the flow. */
export function commit(ctx: Context): void {
  if (isLike(ctx.flow, ctx.base)) return;
  commitFields(ctx, 'eth', ETHERNET);
  const type = getField(ctx.base, 'ethType');
  if (getField(ctx.flow, 'ipProto') !== 0) {
    if (type === 0x0800) commitFields(ctx, 'ipv4', IPV4);
    else if (type === 0x86dd) {
      commitFields(ctx, 'ipv6', IPV6);
      if (getField(ctx.base, 'ipProto') === 58) commitFields(ctx, 'nd', ND);
    } else if (type === 0x0806) commitFields(ctx, 'arp', ARP);
  }
  const transport = transportAttribute(ctx.base, type);
  if (transport) commitFields(ctx, transport, PORTS);
  commitVlans(ctx);
  commitFields(ctx, 'skb_priority', ['skbPriority']);
  commitFields(ctx, 'skb_mark', ['skbMark']);
}

/** Whether two flows agree in all words that are committed, with what lies between them: of ports that are flooded, all but the first do. */
function isLike(flow: FlowWords, base: FlowWords): boolean {
  let difference = (flow[59] ^ base[59]) | (flow[60] ^ base[60]);
  for (let word = 2; word <= 10; word++) difference |= flow[word] ^ base[word];
  for (let word = 30; word <= 48; word++) difference |= flow[word] ^ base[word];
  return difference === 0;
}

function transportAttribute(base: FlowWords, type: number): SetAttribute | undefined {
  if (type !== 0x0800 && type !== 0x86dd) return undefined;
  switch (getField(base, 'ipProto')) {
    case 6:
      return 'tcp';
    case 17:
      return 'udp';
    case 132:
      return 'sctp';
    case 1:
      return type === 0x0800 ? 'icmp' : undefined;
    case 58:
      return type === 0x86dd ? 'icmpv6' : undefined;
    default:
      return undefined;
  }
}

function commitFields(ctx: Context, attribute: SetAttribute, names: readonly FieldName[]): void {
  const { flow, base, wildcards } = ctx;
  let value: FlowWords | undefined;
  let mask: FlowWords | undefined;
  let whole = WHOLE.has(attribute);
  if (UNMASKED.has(attribute) && names.some((name) => differs(flow, base, name))) {
    // Written as a whole, and so looked at as a whole.
    for (const name of names) setExact(wildcards, name);
    const fields = { value: new Int32Array(KEY_WORDS), mask: new Int32Array(KEY_WORDS) };
    for (const name of names) {
      copyField(fields.value, flow, name);
      setExact(fields.mask, name);
      copyField(base, flow, name);
    }
    ctx.actions.push({ type: 'set', attribute, fields, masked: false });
    ctx.isSlow = true;
    return;
  }
  for (const name of names) {
    if (!differs(flow, base, name)) {
      whole = false;
      continue;
    }
    value ??= new Int32Array(KEY_WORDS);
    mask ??= new Int32Array(KEY_WORDS);
    copyField(mask, wildcards, name);
    for (const { word, bits } of PARTS[name]) value[word] |= flow[word] & wildcards[word] & bits;
    copyField(base, flow, name);
    whole &&= isAllOnes(mask, name);
  }
  if (!value || !mask) return;
  ctx.actions.push({ type: 'set', attribute, fields: { value, mask }, masked: !whole });
  ctx.isSlow ||= SLOW.has(attribute);
}

function differs(a: FlowWords, b: FlowWords, name: FieldName): boolean {
  for (const { word, bits } of PARTS[name]) if (((a[word] ^ b[word]) & bits) !== 0) return true;
  return false;
}

function copyField(to: FlowWords, from: FlowWords, name: FieldName): void {
  for (const { word, bits } of PARTS[name]) to[word] = (to[word] & ~bits) | (from[word] & bits);
}

function isAllOnes(mask: FlowWords, name: FieldName): boolean {
  return PARTS[name].every(({ word, bits }) => (mask[word] & bits) === bits);
}

interface Tag {
  readonly tpid: number;
  readonly tci: number;
}

function tagsOf(flow: FlowWords): Tag[] {
  const tags: Tag[] = [];
  const outer = getField(flow, 'vlanTci');
  if (outer & VLAN_PRESENT) {
    tags.push({ tpid: getField(flow, 'vlanTpid'), tci: outer });
    const inner = getField(flow, 'innerVlanTci');
    if (inner & VLAN_PRESENT) tags.push({ tpid: getField(flow, 'innerVlanTpid'), tci: inner });
  }
  return tags;
}

/** Tags that both have, from the innermost on, stay; the others are popped and pushed. */
function commitVlans(ctx: Context): void {
  const have = tagsOf(ctx.base);
  const want = tagsOf(ctx.flow);
  while (have.length && want.length) {
    const a = have[have.length - 1];
    const b = want[want.length - 1];
    if (a.tpid !== b.tpid || a.tci !== b.tci) break;
    have.pop();
    want.pop();
  }
  for (let pops = have.length; pops > 0; pops--) {
    for (const name of ['vlanTci', 'vlanTpid', 'innerVlanTci', 'innerVlanTpid'] as const)
      setField(ctx.wildcards, name, 0xffff);
    ctx.actions.push({ type: 'pop_vlan' });
  }
  for (const tag of want.reverse()) ctx.actions.push({ type: 'push_vlan', tpid: tag.tpid, tci: tag.tci });
  for (const name of ['vlanTci', 'vlanTpid', 'innerVlanTci', 'innerVlanTpid'] as const)
    copyField(ctx.base, ctx.flow, name);
}

/** `set(tunnel(...))` of the flow's tunnel, unless the last one set was the same: for ports that encapsulate on their own. */
export function commitTunnel(ctx: Context): void {
  const { flow, base } = ctx;
  const [first] = GROUP_WORDS[0];
  const end = GROUP_WORDS[1][0] + GROUP_WORDS[1][1];
  let same = true;
  for (let word = first; word < end; word++) same &&= flow[word] === base[word];
  if (same) return;
  const value = new Int32Array(KEY_WORDS);
  for (let word = first; word < end; word++) value[word] = base[word] = flow[word];
  const mask = new Int32Array(KEY_WORDS).fill(-1, first, end);
  ctx.actions.push({ type: 'set', attribute: 'tunnel', fields: { value, mask }, masked: false });
}
