/**
 * The attributes of a flow key as Open vSwitch writes them, `name(...)`: one table that drives printing and reading, of
 * matches as well as of `set(...)` actions. Which attributes a key has, and in which order they stand, is in
 * `text-format.ts`; `encap(...)`, which holds attributes itself, is there and in `text-parse.ts`.
 */
import { getField, setField, type FieldName, type FlowWords } from './fields.js';
import {
  CT_STATE_NAMES,
  TCP_FLAG_NAMES,
  formatFlags,
  formatHash,
  formatMaskedFlags,
  formatSignedFlags,
  takeFlags,
  type FlagNames,
} from './flag-text.js';
import type { GeneveOption } from './match.js';
import { take, takeInteger, takePattern, type Cursor } from './scan.js';
import { formatTunnel, scanTunnel } from './tunnel-text.js';
import {
  arpOpcode,
  decimal16,
  decimal8,
  etherType,
  flowLabel,
  formatMasked,
  fragment,
  hash16,
  hash32,
  hash8,
  ipv4,
  ipv6,
  mac,
  mplsBos,
  mplsLabel,
  mplsTc,
  mplsTtl,
  nsh32,
  nsh8,
  nshPathId,
  typeId,
  typeNamespace,
  vlanCfi,
  vlanId,
  vlanPriority,
  wide128,
  type ValueText,
} from './value-text.js';

/** What an attribute is printed from and read into. */
export interface AttributeWords {
  readonly key: FlowWords;
  /** Absent: every bit counts, and no mask is written. */
  readonly mask: FlowWords | undefined;
  geneve?: readonly GeneveOption[];
}

/** How ports are called, and by which rules text is read. */
export interface TextRules {
  /** Name of a datapath port, for printing; without one its number is printed. */
  readonly portName?: (port: number) => string | undefined;
  /** Number of a datapath port, for reading. Numbers are read in any case. */
  readonly portNumber?: (name: string) => number | undefined;
  /** Reads what 3.1 reads and nothing else. */
  readonly strict?: boolean;
  /** What is read is the argument of a `set`. */
  readonly isSet?: boolean;
}

export interface AttributeText {
  /** What stands in the parentheses. `verbose`: also what the mask does not cover. */
  format(words: AttributeWords, verbose: boolean, rules: TextRules): string;
  /** Reads from behind the opening parenthesis to behind the closing one; false where the text does not fit. */
  scan(
    cursor: Cursor,
    words: { key: FlowWords; mask: FlowWords; geneve?: readonly GeneveOption[] },
    rules: TextRules,
  ): boolean;
  /** Whether the mask covers nothing of it. */
  isWild(mask: FlowWords): boolean;
}

interface Part {
  readonly name: string;
  readonly field: FieldName;
  readonly form: ValueText;
  /** Another name that is read. */
  readonly alias?: string;
  /** 3.1 prints `name`, but reads only `alias`. */
  readonly aliasOnlyStrict?: boolean;
}

const part = (name: string, field: FieldName, form: ValueText): Part => ({ name, field, form });

/** The parts that count (all that can be shown, when verbose), with commas. */
function formatParts(parts: readonly Part[], { key, mask }: AttributeWords, verbose: boolean): string {
  const shown = parts.filter(({ field, form }) => !mask || !form.isWild(mask, field) || (verbose && !form.onlyMasked));
  return shown.map(({ name, field, form }) => `${name}=${formatMasked(form, key, mask, field)}`).join(',');
}

/** Reads `name=value` parts in any order, a later one over an earlier one; one comma may be left at the end. */
export function scanParts(cursor: Cursor, scanPart: (cursor: Cursor) => boolean | undefined): boolean {
  for (;;) {
    const found = scanPart(cursor);
    if (found === false) return false;
    if (found === undefined || !take(cursor, ',')) return take(cursor, ')');
  }
}

function group(...parts: Part[]): AttributeText {
  return {
    format: (words, verbose) => formatParts(parts, words, verbose),
    scan: (cursor, { key, mask }, { strict }) =>
      scanParts(cursor, () => {
        for (const { name, alias, aliasOnlyStrict, field, form } of parts) {
          if (
            (!(strict && aliasOnlyStrict) && take(cursor, `${name}=`)) ||
            (alias !== undefined && take(cursor, `${alias}=`))
          ) {
            return form.scan(cursor, key, mask, field);
          }
        }
        return undefined;
      }),
    isWild: (mask) => parts.every(({ field, form }) => form.isWild(mask, field)),
  };
}

function single(field: FieldName, form: ValueText): AttributeText {
  return {
    format: ({ key, mask }) => formatMasked(form, key, mask, field),
    scan: (cursor, { key, mask }) => form.scan(cursor, key, mask, field) && take(cursor, ')'),
    isWild: (mask) => form.isWild(mask, field),
  };
}

/** A number that is always matched as a whole: a mask is not read. */
function unmasked(field: FieldName, form: ValueText): AttributeText {
  return {
    ...single(field, form),
    scan(cursor, { key, mask }) {
      const value = takeInteger(cursor, 0, 32);
      if (value === undefined) return false;
      setField(key, field, value);
      setField(mask, field, 0xffff_ffff);
      return take(cursor, ')');
    },
  };
}

const inPort: AttributeText = {
  ...single('inPort', hash32),
  format({ key, mask }, _verbose, { portName }) {
    const port = getField(key, 'inPort');
    const portMask = mask ? getField(mask, 'inPort') : 0xffff_ffff;
    return portMask === 0xffff_ffff ? (portName?.(port) ?? String(port)) : `${port}/${formatHash(portMask)}`;
  },
  scan(cursor, { key, mask }, { portNumber }) {
    if (hash32.scan(cursor, key, mask, 'inPort')) return take(cursor, ')');
    const name = takePattern(cursor, /[^)]*/y);
    const port = name === undefined ? undefined : portNumber?.(name);
    if (port === undefined) return false;
    setField(key, 'inPort', port);
    setField(mask, 'inPort', 0xffff_ffff);
    return take(cursor, ')');
  },
};

function flags(field: FieldName, flagNames: FlagNames, verboseAsNumber: boolean): AttributeText {
  const all = 2 ** flagNames.length - 1;
  return {
    format({ key, mask }, verbose) {
      const value = getField(key, field) & all;
      if (verbose && verboseAsNumber)
        return mask ? `${formatHash(value)}/${formatHash(getField(mask, field) & all)}` : formatHash(value);
      if (!mask) return formatFlags(value, flagNames, '|');
      return formatMaskedFlags(value, getField(mask, field), flagNames);
    },
    scan(cursor, { key, mask }) {
      // What the parentheses of an empty list would mean is not known: 3.1 refuses it.
      const found = cursor.text[cursor.at] === ')' ? undefined : takeFlags(cursor, flagNames, true);
      if (!found) return false;
      setField(key, field, found.flags);
      setField(mask, field, found.mask & all);
      return take(cursor, ')');
    },
    isWild: (mask) => (getField(mask, field) & all) === 0,
  };
}

/** In a match, a connection state of which every bit counts is written bit by bit. */
const ctStateFlags = flags('ctState', CT_STATE_NAMES, true);
const ctState: AttributeText = {
  ...ctStateFlags,
  format(words, verbose, rules) {
    const exact = !verbose && words.mask !== undefined && (getField(words.mask, 'ctState') & 0xff) === 0xff;
    if (!exact) return ctStateFlags.format(words, verbose, rules);
    return formatSignedFlags(getField(words.key, 'ctState'), 0xff, CT_STATE_NAMES);
  },
};

/** A VLAN tag. Its parts are shown when the value or the mask is not zero, and the CFI bit when it is clear. */
function vlan(field: 'vlanTci' | 'innerVlanTci'): AttributeText {
  const parts = [part('vid', field, vlanId), part('pcp', field, vlanPriority)];
  return {
    format: ({ key, mask }, verbose) =>
      formatVlan(getField(key, field), mask ? getField(mask, field) : 0xffff, verbose),
    scan(cursor, { key, mask }) {
      // That there is a tag is part of the match, unless `cfi=` says otherwise.
      setField(key, field, 0x1000);
      setField(mask, field, 0x1000);
      return scanParts(cursor, () => {
        for (const { name, form } of parts) if (take(cursor, `${name}=`)) return form.scan(cursor, key, mask, field);
        return take(cursor, 'cfi=') ? vlanCfi.scan(cursor, key, mask, field) : undefined;
      });
    },
    isWild: (mask) => getField(mask, field) === 0,
  };
}

/** The parts of a VLAN tag as text, also those of `push_vlan(...)`. `tci` has the CFI bit (0x1000) of the attribute. */
export function formatVlan(tci: number, mask: number, verbose: boolean): string {
  const parts: string[] = [];
  const add = (name: string, value: number, partMask: number, all: number): void => {
    if (verbose || value !== 0 || partMask !== 0)
      parts.push(`${name}=${value}${partMask === all ? '' : `/0x${partMask.toString(16)}`}`);
  };
  add('vid', tci & 0xfff, mask & 0xfff, 0xfff);
  add('pcp', tci >> 13, mask >> 13, 7);
  if ((tci & 0x1000) === 0) parts.push('cfi=0');
  return parts.join(',');
}

const LABELS = ['mpls0', 'mpls1', 'mpls2'] as const;
const LABEL_PARTS = [
  ['label', mplsLabel],
  ['tc', mplsTc],
  ['ttl', mplsTtl],
  ['bos', mplsBos],
] as const;

/** `count` label stack entries: without masks when all are exact, otherwise every part with its mask. */
export function formatLabels({ key, mask }: AttributeWords, count: number): string {
  const labels = LABELS.slice(0, count);
  const exact = !mask || labels.every((field) => getField(mask, field) === 0xffff_ffff);
  return labels
    .flatMap((field) =>
      LABEL_PARTS.map(
        ([name, form]) => `${name}=${form.formatValue(key, field)}${exact ? '' : `/${form.formatMask(mask!, field)}`}`,
      ),
    )
    .join(',');
}

/**
 * How many entries the label stack of a key has: up to the bottom, or, when none is the bottom, as many as are not
 * zero.
 */
export function countLabels(key: FlowWords): number {
  const bottom = LABELS.findIndex((field) => (getField(key, field) & 0x100) !== 0);
  return bottom < 0 ? LABELS.filter((field) => getField(key, field) !== 0).length : bottom + 1;
}

const mpls: AttributeText = {
  // Of a `set`, the entries that it writes. A match says itself how many there are.
  format: (words) =>
    formatLabels(
      words,
      Math.max(1, ...LABELS.map((field, index) => (!words.mask || getField(words.mask, field) !== 0 ? index + 1 : 0))),
    ),
  scan(cursor, { key, mask }) {
    let entry = 0;
    let seen = new Set<string>();
    return scanParts(cursor, () => {
      for (const [name, form] of LABEL_PARTS) {
        if (!take(cursor, `${name}=`)) continue;
        // A part that was there already begins the next entry.
        if (seen.has(name)) {
          seen = new Set();
          if (++entry === LABELS.length) return false;
        }
        seen.add(name);
        return form.scan(cursor, key, mask, LABELS[entry]);
      }
      return undefined;
    });
  },
  isWild: (mask) => LABELS.every((field) => getField(mask, field) === 0),
};

const nshGroup = group(
  part('flags', 'nshFlags', nsh8),
  part('ttl', 'nshTtl', nsh8),
  part('mdtype', 'nshMdtype', nsh8),
  part('np', 'nshNp', nsh8),
  part('spi', 'nshPath', nshPathId),
  part('si', 'nshPath', nsh8),
  part('c1', 'nshC1', nsh32),
  part('c2', 'nshC2', nsh32),
  part('c3', 'nshC3', nsh32),
  part('c4', 'nshC4', nsh32),
);
/** 3.1 prints this one, but cannot read it. */
const nsh: AttributeText = {
  ...nshGroup,
  scan: (cursor, words, rules) => !rules.strict && nshGroup.scan(cursor, words, rules),
};

/** The reserved word is always written, and as if it were exact. */
const ndExtensions: AttributeText = {
  ...group(part('nd_reserved', 'ndReserved', hash32), part('nd_options_type', 'ndOptionsType', decimal8)),
  format(words, verbose) {
    const type = formatParts([part('nd_options_type', 'ndOptionsType', decimal8)], words, verbose);
    return `nd_reserved=0x${getField(words.key, 'ndReserved').toString(16)}${type === '' ? '' : `,${type}`}`;
  },
};

const tunnel: AttributeText = {
  format: (words, verbose) => formatTunnel(words, verbose),
  scan: (cursor, words, { strict, isSet }) => scanTunnel(cursor, words, { keepsMentioned: !strict && !isSet }),
  // It is written in any case.
  isWild: () => false,
};

const ports = (): AttributeText => group(part('src', 'tpSrc', decimal16), part('dst', 'tpDst', decimal16));
const message = (): AttributeText => group(part('type', 'tpSrc', decimal8), part('code', 'tpDst', decimal8));

/** The type of the payload, `eth_type(...)`; that of a tag is written by hand. */
export const attributes = {
  skb_priority: single('skbPriority', hash32),
  tunnel,
  skb_mark: single('skbMark', hash32),
  ct_state: ctState,
  ct_zone: single('ctZone', hash16),
  ct_mark: single('ctMark', hash32),
  ct_label: single('ctLabel', wide128),
  ct_tuple4: group(
    part('src', 'ctIpv4Src', ipv4),
    part('dst', 'ctIpv4Dst', ipv4),
    part('proto', 'ctProto', decimal8),
    part('tp_src', 'ctTpSrc', decimal16),
    part('tp_dst', 'ctTpDst', decimal16),
  ),
  // 3.1 prints `src_port`, but reads `tp_src`.
  ct_tuple6: group(
    part('src', 'ctIpv6Src', ipv6),
    part('dst', 'ctIpv6Dst', ipv6),
    part('proto', 'ctProto', decimal8),
    { ...part('src_port', 'ctTpSrc', decimal16), alias: 'tp_src', aliasOnlyStrict: true },
    { ...part('dst_port', 'ctTpDst', decimal16), alias: 'tp_dst', aliasOnlyStrict: true },
  ),
  recirc_id: unmasked('recircId', hash32),
  dp_hash: single('dpHash', hash32),
  in_port: inPort,
  packet_type: group(part('ns', 'packetType', typeNamespace), part('id', 'packetType', typeId)),
  eth: group(part('src', 'ethSrc', mac), part('dst', 'ethDst', mac)),
  vlan: vlan('vlanTci'),
  eth_type: single('ethType', etherType),
  ipv4: group(
    part('src', 'ipv4Src', ipv4),
    part('dst', 'ipv4Dst', ipv4),
    part('proto', 'ipProto', decimal8),
    part('tos', 'ipTos', hash8),
    part('ttl', 'ipTtl', decimal8),
    part('frag', 'ipFrag', fragment),
  ),
  ipv6: group(
    part('src', 'ipv6Src', ipv6),
    part('dst', 'ipv6Dst', ipv6),
    part('label', 'ipv6Label', flowLabel),
    part('proto', 'ipProto', decimal8),
    part('tclass', 'ipTos', hash8),
    part('hlimit', 'ipTtl', decimal8),
    part('frag', 'ipFrag', fragment),
  ),
  arp: group(
    part('sip', 'ipv4Src', ipv4),
    part('tip', 'ipv4Dst', ipv4),
    part('op', 'ipProto', arpOpcode),
    part('sha', 'arpSha', mac),
    part('tha', 'arpTha', mac),
  ),
  mpls,
  nsh,
  tcp: ports(),
  tcp_flags: flags('tcpFlags', TCP_FLAG_NAMES, false),
  udp: ports(),
  sctp: ports(),
  icmp: message(),
  icmpv6: message(),
  nd: group(part('target', 'ndTarget', ipv6), part('sll', 'arpSha', mac), part('tll', 'arpTha', mac)),
  nd_ext: ndExtensions,
} as const satisfies Record<string, AttributeText>;

export type AttributeName = keyof typeof attributes;

/** The tag behind the first one. */
export const innerVlan = vlan('innerVlanTci');
