/**
 * Parts of OpenFlow fields, `reg0[0..15]`: their text, and reading, writing and masking them in the words of a flow.
 */
import {
  FRAG_LATER,
  VLAN_PRESENT,
  fields,
  getBytes,
  getField,
  setBytes,
  setExact,
  setField,
  type FieldName,
  type FlowWords,
} from '../flow/fields.js';
import { fieldOfAnyName, type OpenFlowField, type Prerequisite } from './field-names.js';
import { refuse } from './text.js';
import { bigintToBytes, bytesToBigint, ones } from './value.js';

/** `bits` bits of a field from bit `offset` on, counted from the lowest. */
export interface Subfield {
  readonly field: OpenFlowField;
  readonly offset: number;
  readonly bits: number;
}

/** A whole field. */
export function wholeField(field: OpenFlowField): Subfield {
  return { field, offset: 0, bits: field.bits };
}

/**
 * Parses `FIELD`, `FIELD[]`, `FIELD[BIT]` or `FIELD[START..END]` at the beginning of a text; any name of the field will
 * do. Answers also what is left. Throws `bad-flow-text`.
 */
export function parseSubfieldAt(text: string): { subfield: Subfield; rest: string } {
  const name = /^[^[\s,)=:>-]*/.exec(text)![0];
  const field = fieldOfAnyName(name);
  if (field === undefined) refuse(`${text}: unknown field \`${name}'`, text, 'the name of a field');
  const after = text.slice(name.length);
  if (!after.startsWith('[')) return { subfield: wholeField(field), rest: after };
  const match = /^\[(?:(\d+)(?:\.\.(\d+))?)?\]/.exec(after);
  if (!match)
    refuse(`${text}: syntax error expecting [] or [<bit>] or [<start>..<end>]`, text, '[], [BIT] or [START..END]');
  const start = match[1] === undefined ? 0 : Number(match[1]);
  const end = match[2] !== undefined ? Number(match[2]) : match[1] === undefined ? field.bits - 1 : start;
  const width = `field is only ${field.bits} bits wide`;
  if (start > end) refuse(`${text}: starting bit ${start} is after ending bit ${end}`, text, 'the lower bit first');
  if (start >= field.bits)
    refuse(`${text}: starting bit ${start} is not valid because ${width}`, text, `bits 0 to ${field.bits - 1}`);
  if (end >= field.bits)
    refuse(`${text}: ending bit ${end} is not valid because ${width}`, text, `bits 0 to ${field.bits - 1}`);
  return { subfield: { field, offset: start, bits: end - start + 1 }, rest: after.slice(match[0].length) };
}

/** A subfield that is the whole text. */
export function parseSubfield(text: string): Subfield {
  const { subfield, rest } = parseSubfieldAt(text);
  if (rest !== '') refuse(`${text}: unexpected input following field syntax`, text, 'a field, and nothing behind it');
  return subfield;
}

/** `NXM_NX_REG0[0..15]`, `NXM_NX_REG0[]`, as dumps have it. */
export function formatSubfield({ field, offset, bits }: Subfield): string {
  const name = field.header ?? field.name;
  if (offset === 0 && bits === field.bits) return `${name}[]`;
  return bits === 1 ? `${name}[${offset}]` : `${name}[${offset}..${offset + bits - 1}]`;
}

function getWide(words: FlowWords, name: FieldName): bigint {
  return fields[name].length > 6 ? bytesToBigint(getBytes(words, name)) : BigInt(getField(words, name));
}

function setWide(words: FlowWords, name: FieldName, value: bigint): void {
  const { length } = fields[name];
  if (length > 6) setBytes(words, name, bigintToBytes(value, length));
  else setField(words, name, Number(value));
}

/** The value of a whole field in a flow or a mask. */
export function readField(words: FlowWords, field: OpenFlowField): bigint {
  let value = 0n;
  for (const part of field.parts) {
    value <<= BigInt(part.bits);
    if (part.field !== null) value |= (getWide(words, part.field) >> BigInt(part.offset)) & ones(part.bits);
  }
  return value;
}

/** Writes the bits of a field that are set in `mask`; `value` and `mask` are as wide as the field. */
export function writeField(
  words: FlowWords,
  field: OpenFlowField,
  value: bigint,
  mask: bigint = ones(field.bits),
): void {
  let left = field.bits;
  for (const part of field.parts) {
    left -= part.bits;
    if (part.field === null) continue;
    const bits = ((mask >> BigInt(left)) & ones(part.bits)) << BigInt(part.offset);
    if (bits === 0n) continue;
    const wanted = ((value >> BigInt(left)) & ones(part.bits)) << BigInt(part.offset);
    setWide(words, part.field, (getWide(words, part.field) & ~bits) | (wanted & bits));
  }
}

/** The value of a subfield in a flow, from its lowest bit. */
export function readSubfield(words: FlowWords, { field, offset, bits }: Subfield): bigint {
  return (readField(words, field) >> BigInt(offset)) & ones(bits);
}

/** Writes a subfield of a flow. */
export function writeSubfield(words: FlowWords, { field, offset, bits }: Subfield, value: bigint): void {
  writeField(words, field, value << BigInt(offset), ones(bits) << BigInt(offset));
}

/** Sets the bits of a subfield in a mask: they have been looked at. */
export function maskSubfield(wildcards: FlowWords, { field, offset, bits }: Subfield): void {
  const all = ones(bits) << BigInt(offset);
  writeField(wildcards, field, all, all);
}

function isIp(ethType: number): boolean {
  return ethType === 0x0800 || ethType === 0x86dd;
}

/** Whether a flow is IP of one protocol; of an IP flow the protocol was then looked at. */
function isProtocol(flow: FlowWords, wildcards: FlowWords | null, isType: boolean, protocol: number): boolean {
  if (!isType) return false;
  if (wildcards !== null) setExact(wildcards, 'ipProto');
  return getField(flow, 'ipProto') === protocol;
}

function isTransport(flow: FlowWords, wildcards: FlowWords | null, isType: boolean, protocol: number): boolean {
  return isProtocol(flow, wildcards, isType, protocol) && (getField(flow, 'ipFrag') & FRAG_LATER) === 0;
}

function isNeighbourDiscovery(flow: FlowWords, wildcards: FlowWords | null, types: readonly number[]): boolean {
  if (!isTransport(flow, wildcards, getField(flow, 'ethType') === 0x86dd, 58)) return false;
  if (wildcards !== null) {
    setExact(wildcards, 'tpSrc');
    setExact(wildcards, 'tpDst');
  }
  return types.includes(getField(flow, 'tpSrc')) && getField(flow, 'tpDst') === 0;
}

/**
 * Whether a flow has what a field needs; in `wildcards`, if given, the bits are set that were looked at for the answer
 * (the Ethernet type, the packet type and the fragment bits are taken as looked at already).
 */
export function hasPrerequisites(needs: Prerequisite, flow: FlowWords, wildcards: FlowWords | null = null): boolean {
  const ethType = getField(flow, 'ethType');
  switch (needs) {
    case 'none':
      return true;
    case 'ethernet':
      return getField(flow, 'packetType') === 0;
    case 'vlan':
      if (wildcards !== null) setField(wildcards, 'vlanTci', getField(wildcards, 'vlanTci') | VLAN_PRESENT);
      return (getField(flow, 'vlanTci') & VLAN_PRESENT) !== 0;
    case 'mpls':
      return ethType === 0x8847 || ethType === 0x8848;
    case 'ipv4':
      return ethType === 0x0800;
    case 'ipv6':
      return ethType === 0x86dd;
    case 'ip':
      return isIp(ethType);
    case 'arp':
      return ethType === 0x0806 || ethType === 0x8035;
    case 'nsh':
      return ethType === 0x894f;
    case 'tcp':
      return isTransport(flow, wildcards, isIp(ethType), 6);
    case 'udp':
      return isTransport(flow, wildcards, isIp(ethType), 17);
    case 'sctp':
      return isTransport(flow, wildcards, isIp(ethType), 132);
    case 'icmp':
      return isTransport(flow, wildcards, ethType === 0x0800, 1);
    case 'icmpv6':
      return isTransport(flow, wildcards, ethType === 0x86dd, 58);
    case 'nd':
      return isNeighbourDiscovery(flow, wildcards, [135, 136]);
    case 'nd_solicit':
      return isNeighbourDiscovery(flow, wildcards, [135]);
    case 'nd_advert':
      return isNeighbourDiscovery(flow, wildcards, [136]);
    case 'ct':
      return isIp(ethType) && (getField(flow, 'ctState') & 0x20) !== 0;
  }
}
