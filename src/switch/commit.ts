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
    eachWord(name, (word, bits) => {
      value![word] |= flow[word] & wildcards[word] & bits;
    });
    copyField(base, flow, name);
    whole &&= isAllOnes(mask, name);
  }
  if (!value || !mask) return;
  ctx.actions.push({ type: 'set', attribute, fields: { value, mask }, masked: !whole });
  ctx.isSlow ||= SLOW.has(attribute);
}

/** Applies `use` to each 32-bit word of a field with the bits of the field in that word. */
function eachWord(name: FieldName, use: (word: number, bits: number) => void): void {
  const { at, length } = fields[name];
  for (let byte = at; byte < at + length; ) {
    const word = byte >> 2;
    let bits = 0;
    for (; byte < at + length && byte >> 2 === word; byte++) bits |= 0xff << ((byte & 3) << 3);
    use(word, bits);
  }
}

function differs(a: FlowWords, b: FlowWords, name: FieldName): boolean {
  let found = false;
  eachWord(name, (word, bits) => {
    found ||= ((a[word] ^ b[word]) & bits) !== 0;
  });
  return found;
}

function copyField(to: FlowWords, from: FlowWords, name: FieldName): void {
  eachWord(name, (word, bits) => {
    to[word] = (to[word] & ~bits) | (from[word] & bits);
  });
}

function isAllOnes(mask: FlowWords, name: FieldName): boolean {
  let all = true;
  eachWord(name, (word, bits) => {
    all &&= (mask[word] & bits) === bits;
  });
  return all;
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
