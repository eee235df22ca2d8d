/**
 * OpenFlow actions that write fields, done to the flow of a translation. A field is written only where the packet has it, and what is
 * written counts as looked at; the packet itself follows when something is output (`commit.ts`).
 */
import {
  FRAG_LATER,
  VLAN_PRESENT,
  getField,
  setExact,
  setField,
  type FieldName,
  type FlowWords,
} from '../flow/fields.js';
import {
  formatSubfield,
  hasPrerequisites,
  maskSubfield,
  readSubfield,
  writeField,
  writeSubfield,
  type Subfield,
} from '../openflow/subfield.js';
import { formatHex } from '../openflow/text.js';
import { formatValue, ones } from '../openflow/value.js';
import type { Context } from './context.js';

export function isIp({ flow }: Context): boolean {
  const type = getField(flow, 'ethType');
  return type === 0x0800 || type === 0x86dd;
}

/** Writes a field that every packet at hand has. */
export function write({ flow, wildcards }: Context, name: FieldName, value: number): void {
  setExact(wildcards, name);
  setField(flow, name, value);
}

/**
 * The protocol counts as looked at where a header that says it is written. (Debian's 3.1.0 has it so since the correction of CVE-2023-1668;
 * what follows from a protocol of 0 is still another matter there.)
 */
export function lookAtProtocol({ wildcards }: Context): void {
  setExact(wildcards, 'ipProto');
}

export function writeTos(ctx: Context, bits: number, value: number): void {
  if (!isIp(ctx)) return;
  lookAtProtocol(ctx);
  setField(ctx.wildcards, 'ipTos', getField(ctx.wildcards, 'ipTos') | bits);
  setField(ctx.flow, 'ipTos', (getField(ctx.flow, 'ipTos') & ~bits) | value);
}

export function writePort(ctx: Context, name: 'tpSrc' | 'tpDst', value: number): void {
  if (!isIp(ctx) || getField(ctx.flow, 'ipFrag') & FRAG_LATER) return;
  setExact(ctx.wildcards, 'ipProto');
  write(ctx, name, value);
}

/** Writes bits of the outer tag, which is there afterwards. */
export function writeTag({ flow, wildcards }: Context, bits: number, value: number): void {
  setField(wildcards, 'vlanTci', getField(wildcards, 'vlanTci') | bits | VLAN_PRESENT);
  const tci = getField(flow, 'vlanTci');
  if (getField(flow, 'vlanTpid') === 0) setField(flow, 'vlanTpid', 0x8100);
  setField(flow, 'vlanTci', (tci & ~bits) | value | VLAN_PRESENT);
}

export function pushTag({ flow, wildcards }: Context, tpid: number): void {
  const tci = getField(flow, 'vlanTci');
  if (tci & VLAN_PRESENT) {
    for (const name of ['vlanTci', 'vlanTpid'] as const) setExact(wildcards, name);
    if (getField(flow, 'innerVlanTci') & VLAN_PRESENT)
      for (const name of ['innerVlanTci', 'innerVlanTpid'] as const) setExact(wildcards, name);
  }
  setField(flow, 'innerVlanTci', tci);
  setField(flow, 'innerVlanTpid', getField(flow, 'vlanTpid'));
  setField(flow, 'vlanTpid', tpid);
  setField(flow, 'vlanTci', VLAN_PRESENT);
}

export function popTag({ flow, wildcards }: Context): void {
  const inner = getField(flow, 'innerVlanTci');
  if (inner & VLAN_PRESENT) for (const name of ['innerVlanTci', 'innerVlanTpid'] as const) setExact(wildcards, name);
  setField(flow, 'vlanTci', inner);
  setField(flow, 'vlanTpid', getField(flow, 'innerVlanTpid'));
  setField(flow, 'innerVlanTci', 0);
  setField(flow, 'innerVlanTpid', 0);
}

/** Fields of IP headers whose writing looks at the protocol. */
const HEADER_FIELDS: ReadonlySet<string> = new Set([
  'ip_src',
  'ip_dst',
  'ipv6_src',
  'ipv6_dst',
  'ipv6_label',
  'nw_tos',
  'ip_dscp',
  'nw_ecn',
  'nw_ttl',
]);

/** Writes the bits of a field that are set in `mask`, by default all of the subfield; `value` counts from the subfield's lowest bit. */
export function writePart(ctx: Context, target: Subfield, value: bigint, mask = ones(target.bits)): void {
  const { flow, wildcards, reporter } = ctx;
  const { field, offset } = target;
  if (!hasPrerequisites(field.needs, flow, wildcards)) {
    reporter?.report(`unmet prerequisites for ${field.name}, set_field ignored`, 'warning');
    return;
  }
  if (HEADER_FIELDS.has(field.name) || (field.needs === 'arp' && field.name.startsWith('arp_'))) lookAtProtocol(ctx);
  writeField(wildcards, field, mask << BigInt(offset), mask << BigInt(offset));
  writeField(flow, field, value << BigInt(offset), mask << BigInt(offset));
  fixTag(flow, target);
}

/** A TCI that was written brings a TPID, or takes it away. */
function fixTag(flow: FlowWords, { field }: Subfield): void {
  if (!field.parts.some((part) => part.field === 'vlanTci')) return;
  if (getField(flow, 'vlanTci') === 0) setField(flow, 'vlanTpid', 0);
  else if (getField(flow, 'vlanTpid') === 0) setField(flow, 'vlanTpid', 0x8100);
}

export function move(ctx: Context, source: Subfield, target: Subfield): void {
  const { flow, wildcards } = ctx;
  if (hasPrerequisites(target.field.needs, flow, wildcards) && hasPrerequisites(source.field.needs, flow, wildcards)) {
    maskSubfield(wildcards, source);
    maskSubfield(wildcards, target);
    writeSubfield(flow, target, readSubfield(flow, source));
    fixTag(flow, target);
  }
  reportSubfield(ctx, target);
}

/** Says what a field has become. */
export function reportSubfield({ flow, reporter }: Context, subfield: Subfield): void {
  if (!reporter) return;
  const { field, offset, bits } = subfield;
  const value = readSubfield(flow, subfield);
  const isWhole = offset === 0 && bits === field.bits;
  const text = isWhole ? formatValue(field, { value, mask: ones(bits) }) : formatHex(value);
  reporter.report(`${formatSubfield(subfield)} is now ${text}`);
}
