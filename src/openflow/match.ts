/**
 * Matches of OpenFlow rules: a key and a mask, made from fields in the syntax of ovs-ofctl, and normalized as Open
 * vSwitch does it: what a match says about fields that no packet it matches can have, it does not say. The text of a
 * match is made in `match-format.ts`.
 */
import {
  FLOW_WORDS,
  VLAN_PRESENT,
  getField,
  setBytes,
  setExact,
  setField,
  type FieldName,
  type FlowWords,
} from '../flow/fields.js';
import { fields } from '../flow/fields.js';
import { fieldOfName, type OpenFlowField } from './field-names.js';
import type { PortNames } from './ports.js';
import { parseSubfield, writeField } from './subfield.js';
import { parseInteger, refuse } from './text.js';
import { formatValue, ones, parseValue, type MaskedValue } from './value.js';

/** Both in the layout of `flow/fields.ts`, `FLOW_WORDS` long; bits of `key` outside `mask` are zero. */
export interface OpenFlowMatch {
  readonly key: FlowWords;
  readonly mask: FlowWords;
}

/** What matches every packet. */
export function createMatch(): OpenFlowMatch {
  return { key: new Int32Array(FLOW_WORDS), mask: new Int32Array(FLOW_WORDS) };
}

/** Words like `tcp`, which stand for an Ethernet type and a protocol. */
const protocols: Readonly<Record<string, readonly [ethType: number, protocol?: number]>> = {
  ip: [0x0800],
  ipv4: [0x0800],
  ip4: [0x0800],
  arp: [0x0806],
  icmp: [0x0800, 1],
  tcp: [0x0800, 6],
  udp: [0x0800, 17],
  sctp: [0x0800, 132],
  ipv6: [0x86dd],
  ip6: [0x86dd],
  icmp6: [0x86dd, 58],
  tcp6: [0x86dd, 6],
  udp6: [0x86dd, 17],
  sctp6: [0x86dd, 132],
  rarp: [0x8035],
  mpls: [0x8847],
  mplsm: [0x8848],
};

function setValue(match: OpenFlowMatch, name: FieldName, value: number): void {
  setField(match.key, name, value);
  setExact(match.mask, name);
}

function setTci(match: OpenFlowMatch, tci: number, mask: number): void {
  // No tag at all is said of the whole TCI, however it was asked for.
  const isUntagged = (mask & VLAN_PRESENT) !== 0 && (tci & VLAN_PRESENT) === 0 && (mask & 0x0fff) === 0x0fff;
  setField(match.key, 'vlanTci', isUntagged ? 0 : tci & mask);
  setField(match.mask, 'vlanTci', isUntagged ? 0xffff : mask);
}

/**
 * Makes a match say this about a field, whatever it said about it before. `value` and `mask` as wide as the field;
 * throws `bad-flow-text` for a mask on a field that takes none.
 */
export function setMatchField(
  match: OpenFlowMatch,
  field: OpenFlowField,
  { value, mask }: MaskedValue,
  text = '',
): void {
  const all = ones(field.bits);
  const isExact = (mask & all) === all;
  if (!field.isMaskable && mask !== 0n && !isExact) {
    refuse(`${text}: invalid mask for field ${field.name}`, text, 'a value without a mask');
  }
  const tci = getField(match.key, 'vlanTci');
  const tciMask = getField(match.mask, 'vlanTci');
  switch (field.name) {
    case 'vlan_tci':
      // Of a TCI in full, only that it has no tag is left if it has none.
      if (isExact) setTci(match, Number(value & all), 0xffff);
      else {
        setField(match.key, 'vlanTci', Number(value & mask & all));
        setField(match.mask, 'vlanTci', Number(mask & all));
      }
      return;
    case 'dl_vlan':
      if (value === 0xffffn) setTci(match, 0, 0xffff);
      else
        setTci(
          match,
          (tci & 0xe000) | Number(value & all) | VLAN_PRESENT,
          (tciMask & 0xe000) | Number(mask & all) | VLAN_PRESENT,
        );
      return;
    case 'vlan_vid':
      setTci(
        match,
        (tci & 0xe000) | Number(value & 0x1fffn),
        (tciMask & 0xe000) | Number((isExact ? 0x1fffn : mask) & 0x1fffn),
      );
      return;
    case 'vlan_pcp':
    case 'dl_vlan_pcp':
      setTci(match, (tci & 0x0fff) | (Number(value & all) << 13) | VLAN_PRESENT, (tciMask & 0x0fff) | 0xf000);
      return;
    case 'nw_tos':
      writeField(match.key, field, value);
      writeField(match.mask, field, mask);
      return;
    default: {
      writeField(match.key, field, value & mask);
      writeField(match.mask, field, mask);
      // Where the flow's field is wider than OpenFlow's, an exact match is one on all of it.
      const { field: name, offset, bits } = field.parts[field.parts.length - 1];
      if (
        isExact &&
        name !== null &&
        offset === 0 &&
        bits < fields[name].bits &&
        field.parts.length === 1 &&
        wider.has(field.name)
      ) {
        setExact(match.mask, name);
      }
    }
  }
}

const wider: ReadonlySet<string> = new Set(['in_port', 'icmp_type', 'icmp_code', 'icmpv6_type', 'icmpv6_code']);

/** `reg0[0..7]=5`. */
function setMatchSubfield(match: OpenFlowMatch, key: string, text: string): void {
  const { field, offset, bits } = parseSubfield(key);
  const value = parseInteger(text);
  if (value === null || value >> BigInt(8 * Math.ceil(field.bits / 8)) !== 0n) {
    refuse(`${key}: cannot parse integer value: ${text}`, text, 'an integer as wide as the field');
  }
  if (value >> BigInt(bits) !== 0n) {
    refuse(
      `${key}: value ${formatValue(field, { value, mask: ones(field.bits) })} does not fit into ${bits} bits`,
      text,
      `${bits} bits`,
    );
  }
  const part = ones(bits) << BigInt(offset);
  writeField(match.key, field, value << BigInt(offset), part);
  writeField(match.mask, field, part, part);
}

/**
 * Takes one `key=value` of a flow into a match: a protocol (`tcp`), a field (`nw_dst=10.0.0.0/8`) or a part of one
 * (`reg0[0..3]=5`). False if the key is none of these. Throws `bad-flow-text` for a bad value.
 */
export function parseMatchPair(match: OpenFlowMatch, key: string, value: string, ports: PortNames = {}): boolean {
  if (Object.hasOwn(protocols, key)) {
    const [ethType, protocol] = protocols[key];
    setValue(match, 'ethType', ethType);
    if (protocol !== undefined) setValue(match, 'ipProto', protocol);
    return true;
  }
  if (key === 'eth') {
    setValue(match, 'packetType', 0);
    return true;
  }
  const field = fieldOfName(key);
  if (field !== undefined) {
    setMatchField(match, field, parseValue(field, value, ports), value);
    return true;
  }
  if (!key.includes('[')) return false;
  setMatchSubfield(match, key, value);
  return true;
}

const protocolPorts: ReadonlySet<number> = new Set([6, 17, 132]);

/**
 * Removes from a match what packets of its Ethernet type and protocol do not have: transport ports of a match that does
 * not say TCP, UDP, SCTP or ICMP, addresses of one that says neither IPv4 nor ARP, and so on.
 */
export function normalizeMatch(match: OpenFlowMatch): void {
  const { key, mask } = match;
  const ethType = getField(mask, 'ethType') === 0xffff ? getField(key, 'ethType') : 0;
  const protocol = getField(mask, 'ipProto') === 0xff ? getField(key, 'ipProto') : -1;
  const isIpv4 = ethType === 0x0800;
  const isIpv6 = ethType === 0x86dd;
  const isIp = isIpv4 || isIpv6;
  const isArp = ethType === 0x0806 || ethType === 0x8035;
  const isIcmp6 = isIpv6 && protocol === 58;
  const type = getField(mask, 'tpSrc') === 0xffff ? getField(key, 'tpSrc') : -1;
  const isNd = isIcmp6 && (type === 135 || type === 136);
  const keep = (wanted: boolean, ...names: FieldName[]): void => {
    if (wanted) return;
    for (const name of names) {
      if (fields[name].length > 6) {
        setBytes(key, name, new Uint8Array(16));
        setBytes(mask, name, new Uint8Array(16));
      } else {
        setField(key, name, 0);
        setField(mask, name, 0);
      }
    }
  };
  keep(isIpv4 || isArp, 'ipv4Src', 'ipv4Dst');
  keep(isIp || isArp, 'ipProto');
  keep(isIp, 'ipTos', 'ipTtl', 'ipFrag');
  keep(isIpv6, 'ipv6Src', 'ipv6Dst', 'ipv6Label');
  keep((isIp && (protocolPorts.has(protocol) || (isIpv4 && protocol === 1))) || isIcmp6, 'tpSrc', 'tpDst');
  keep(isIp && protocol === 6, 'tcpFlags');
  keep(isArp || (isNd && type === 135), 'arpSha');
  keep(isArp || (isNd && type === 136), 'arpTha');
  keep(isNd, 'ndTarget', 'ndReserved', 'ndOptionsType');
  keep(ethType === 0x8847 || ethType === 0x8848, 'mpls0', 'mpls1', 'mpls2');
  keep(ethType === 0x894f, 'nshFlags', 'nshTtl', 'nshMdtype', 'nshNp', 'nshPath', 'nshC1', 'nshC2', 'nshC3', 'nshC4');
}

/** Whether two matches say the same. */
export function equalMatches(a: OpenFlowMatch, b: OpenFlowMatch): boolean {
  return a.mask.every((bits, word) => bits === b.mask[word] && ((a.key[word] ^ b.key[word]) & bits) === 0);
}

/** Whether all packets that `inner` matches are matched by `outer`, and `inner` says all that `outer` says. */
export function isWithin(inner: OpenFlowMatch, outer: OpenFlowMatch): boolean {
  return outer.mask.every(
    (bits, word) => (bits & ~inner.mask[word]) === 0 && ((inner.key[word] ^ outer.key[word]) & bits) === 0,
  );
}
