/**
 * `tunnel(...)`, of a match and of `set(tunnel(...))`: which parts of the tunnel's key are written, Geneve's options,
 * ERSPAN, GTP-U and VXLAN's group policy, and the flags that stand at the end.
 */
import { anyBit, getField, setField, type FieldName, type FlowWords } from './fields.js';
import { TUNNEL_FLAG_NAMES, formatFlags, formatHash, formatMaskedFlags, takeFlags } from './flag-text.js';
import type { GeneveOption } from './match.js';
import { take, takeBytes, takeInteger, takeInteger64, type Cursor } from './scan.js';
import {
  decimal16,
  decimal8,
  formatBytes,
  formatMasked,
  hash32,
  hash8,
  ipv4,
  ipv6,
  type ValueText,
} from './value-text.js';

const KEY = 8;
const ALL_FLAGS = 15;
const ALL_64 = 0xffff_ffff_ffff_ffffn;

interface TunnelWords {
  readonly key: FlowWords;
  readonly mask: FlowWords | undefined;
  geneve?: readonly GeneveOption[];
}

type NamedField = readonly [name: string, field: FieldName, form: ValueText];

/** Every field of a tunnel's key. */
export const TUNNEL_FIELDS = [
  'tunId',
  'tunIdHigh',
  'tunSrc',
  'tunDst',
  'tunIpv6Src',
  'tunIpv6Dst',
  'tunFlags',
  'tunTos',
  'tunTtl',
  'tunTpSrc',
  'tunTpDst',
  'tunGbpId',
  'tunGbpFlags',
  'tunErspanVersion',
  'tunErspanDirection',
  'tunErspanHardwareId',
  'tunErspanIndex',
  'tunGtpuFlags',
  'tunGtpuType',
] as const satisfies readonly FieldName[];

/** Parts that are in the key unless they are zero, before and behind the time to live. */
const ADDRESSES: readonly NamedField[] = [
  ['src', 'tunSrc', ipv4],
  ['dst', 'tunDst', ipv4],
  ['ipv6_src', 'tunIpv6Src', ipv6],
  ['ipv6_dst', 'tunIpv6Dst', ipv6],
  ['tos', 'tunTos', hash8],
];
const PORTS: readonly NamedField[] = [
  ['tp_src', 'tunTpSrc', decimal16],
  ['tp_dst', 'tunTpDst', decimal16],
];
const SCANNED = [...ADDRESSES, ['ttl', 'tunTtl', decimal8], ...PORTS] as const;

const tunnelId = (words: FlowWords): bigint =>
  (BigInt(getField(words, 'tunIdHigh')) << 32n) | BigInt(getField(words, 'tunId'));
const hash64 = (value: bigint): string => (value === 0n ? '0' : `0x${value.toString(16)}`);

function setTunnelId(words: FlowWords, value: bigint): void {
  setField(words, 'tunIdHigh', Number(value >> 32n));
  setField(words, 'tunId', Number(value & 0xffff_ffffn));
}

/** Whether a key says that its packet came through a tunnel. */
export function hasTunnel(key: FlowWords): boolean {
  return TUNNEL_FIELDS.some((field) => anyBit(key, field));
}

export function formatTunnel(words: TunnelWords, verbose: boolean): string {
  const { key, mask } = words;
  const items: string[] = [];
  const show = (name: string, field: FieldName, form: ValueText): void => {
    if (!mask || verbose || !form.isWild(mask, field)) items.push(`${name}=${formatMasked(form, key, mask, field)}`);
  };
  const keyFlags = getField(key, 'tunFlags') & ALL_FLAGS;
  const hasId = (keyFlags & KEY) !== 0 || tunnelId(key) !== 0n;
  const idMask = mask ? tunnelId(mask) : ALL_64;
  if (hasId && (verbose || idMask !== 0n)) {
    items.push(`tun_id=0x${tunnelId(key).toString(16)}${idMask === ALL_64 ? '' : `/${hash64(idMask)}`}`);
  }
  for (const [name, field, form] of ADDRESSES) if (anyBit(key, field)) show(name, field, form);
  show('ttl', 'tunTtl', decimal8);
  for (const [name, field, form] of PORTS) if (anyBit(key, field)) show(name, field, form);

  const nested = (name: string, parts: readonly NamedField[], always: readonly FieldName[] = []): string => {
    const shown = parts.filter(
      ([, field, form]) => !mask || verbose || always.includes(field) || !form.isWild(mask, field),
    );
    const texts = shown.map(([part, field, form]) => `${part}=${formatMasked(form, key, mask, field)}`);
    return `${name}(${texts.join(',')})`;
  };
  if (anyBit(key, 'tunGbpId') || anyBit(key, 'tunGbpFlags')) items.push(`vxlan(${nested('gbp', GROUP_POLICY)})`);
  if (words.geneve !== undefined)
    items.push(`geneve(${words.geneve.map((option) => formatOption(option, mask !== undefined, verbose)).join('')})`);
  const version = getField(key, 'tunErspanVersion');
  // The version stands before what is matched of the rest; where nothing is, 3.1 prints the index alone.
  const isWild = !mask || ERSPAN_FIELDS.every((field) => !anyBit(mask, field));
  if (version === 1)
    items.push(nested('erspan', ERSPAN_1, isWild ? ['tunErspanIndex'] : ['tunErspanVersion', 'tunErspanIndex']));
  else if (version === 2) items.push(nested('erspan', ERSPAN_2, isWild ? [] : ['tunErspanVersion']));
  if (anyBit(key, 'tunGtpuFlags') && anyBit(key, 'tunGtpuType')) items.push(nested('gtpu', GTPU));

  // KEY has no attribute of its own: it is matched where there is an id.
  const flags = (keyFlags & ~KEY) | (hasId ? KEY : 0);
  if (!mask) items.push(`flags(${formatFlags(flags, TUNNEL_FLAG_NAMES, '|')})`);
  else {
    const flagMask = (getField(mask, 'tunFlags') & ALL_FLAGS & ~KEY) | (hasId ? KEY : 0);
    if (verbose || flagMask !== 0) items.push(`flags(${formatMaskedFlags(flags, flagMask, TUNNEL_FLAG_NAMES)})`);
  }
  return items.join(',');
}

const GROUP_POLICY = [
  ['id', 'tunGbpId', decimal16],
  ['flags', 'tunGbpFlags', hash8],
] as const;
const ERSPAN_1 = [
  ['ver', 'tunErspanVersion', decimal8],
  ['idx', 'tunErspanIndex', hash32],
] as const;
/** What is read has a place of fewer bits in 3.1. */
const narrow = (form: ValueText, all: number): ValueText => ({
  ...form,
  scan(cursor, key, mask, field) {
    const isRead = form.scan(cursor, key, mask, field);
    setField(key, field, getField(key, field) & all);
    return isRead;
  },
});
const ERSPAN_2 = [
  ['ver', 'tunErspanVersion', decimal8],
  ['dir', 'tunErspanDirection', narrow(decimal8, 1)],
  ['hwid', 'tunErspanHardwareId', narrow(hash8, 0xf)],
] as const;
const ERSPAN_FIELDS = [
  'tunErspanVersion',
  'tunErspanIndex',
  'tunErspanDirection',
  'tunErspanHardwareId',
] as const satisfies readonly FieldName[];
const GTPU = [
  ['flags', 'tunGtpuFlags', hash8],
  ['msgtype', 'tunGtpuType', decimal8],
] as const;

/** Takes one part whose name fits: true, false where its value does not, `undefined` where no name fits. */
function scanOneOf(cursor: Cursor, parts: readonly NamedField[], key: FlowWords, mask: FlowWords): boolean | undefined {
  const found = parts.find(([name]) => take(cursor, `${name}=`));
  return found && found[2].scan(cursor, key, mask, found[1]);
}

/** Reads parts that stand in their order, each of which may be missing, with a comma after each but the last. */
function scanOrdered(cursor: Cursor, parts: readonly NamedField[], key: FlowWords, mask: FlowWords): boolean {
  for (const part of parts) {
    if (scanOneOf(cursor, [part], key, mask) === false) return false;
    if (part !== parts[parts.length - 1]) take(cursor, ',');
  }
  return true;
}

/**
 * Lets a key show that something is there of which text mentions no value: unless one of the fields holds something,
 * the first of them that is not matched is given a value.
 */
export function keepPlace(
  key: FlowWords,
  mask: FlowWords,
  values: readonly (readonly [field: FieldName, value: number])[],
): void {
  if (values.some(([field]) => anyBit(key, field))) return;
  const free = values.find(([field]) => !anyBit(mask, field));
  if (free) setField(key, free[0], free[1]);
}

export interface TunnelRules {
  /**
   * What is mentioned without a value that would show it keeps its place: the flag `key` says that there is an id, and
   * GTP-U or a group policy of which nothing is matched is given values that the mask does not cover. ERSPAN keeps its
   * mask, and may lack its version, which 3.1 does not print where it is not matched. Otherwise 3.1's rules hold, which
   * forget all of this.
   */
  readonly keepsMentioned: boolean;
}

/** Reads behind `tunnel(`. */
export function scanTunnel(
  cursor: Cursor,
  words: { key: FlowWords; mask: FlowWords; geneve?: readonly GeneveOption[] },
  { keepsMentioned }: TunnelRules,
): boolean {
  const { key, mask } = words;
  let hasId = false;
  const seen = new Set<string>();
  for (;;) {
    let found: boolean | undefined = scanOneOf(cursor, SCANNED, key, mask);
    if (found === undefined && take(cursor, 'tun_id=')) {
      found = scanTunnelId(cursor, key, mask);
      hasId = true;
    } else if (found === undefined && take(cursor, 'vxlan(gbp(')) {
      seen.add('gbp');
      found = scanOrdered(cursor, GROUP_POLICY, key, mask) && take(cursor, '))');
    } else if (found === undefined && take(cursor, 'geneve(')) {
      words.geneve = scanOptions(cursor, keepsMentioned);
      found = words.geneve !== undefined;
    } else if (found === undefined && take(cursor, 'erspan(')) found = scanErspan(cursor, key, mask, keepsMentioned);
    else if (found === undefined && take(cursor, 'gtpu(')) {
      seen.add('gtpu');
      found = scanOrdered(cursor, GTPU, key, mask) && take(cursor, ')');
    } else if (found === undefined && take(cursor, 'flags(')) {
      const flags = takeFlags(cursor, TUNNEL_FLAG_NAMES, true);
      found = flags !== undefined && take(cursor, ')');
      if (keepsMentioned && flags) hasId ||= (flags.flags & flags.mask & KEY) !== 0;
      setField(key, 'tunFlags', (flags?.flags ?? 0) & ~KEY);
      setField(mask, 'tunFlags', (flags?.mask ?? 0) & ALL_FLAGS & ~KEY);
    }
    if (found === false) return false;
    if (found === undefined || !take(cursor, ',')) break;
  }
  if (keepsMentioned && seen.has('gbp'))
    keepPlace(key, mask, [
      ['tunGbpFlags', 1],
      ['tunGbpId', 1],
    ]);
  if (keepsMentioned && seen.has('gtpu')) {
    // Version 1, and a packet of its user; each of the two must be there.
    keepPlace(key, mask, [['tunGtpuFlags', 0x30]]);
    keepPlace(key, mask, [['tunGtpuType', 0xff]]);
  }
  if (hasId) {
    setField(key, 'tunFlags', getField(key, 'tunFlags') | KEY);
    setField(mask, 'tunFlags', getField(mask, 'tunFlags') | KEY);
  }
  return take(cursor, ')');
}

function scanTunnelId(cursor: Cursor, key: FlowWords, mask: FlowWords): boolean {
  const id = takeInteger64(cursor, 0);
  const idMask = id === undefined || !take(cursor, '/') ? ALL_64 : takeInteger64(cursor, 0);
  if (id === undefined || idMask === undefined) return false;
  setTunnelId(key, id);
  setTunnelId(mask, idMask);
  return true;
}

function scanErspan(cursor: Cursor, key: FlowWords, mask: FlowWords, keepsMentioned: boolean): boolean {
  const isGiven = scanOneOf(cursor, [ERSPAN_1[0]], key, mask);
  if (isGiven === undefined && keepsMentioned) {
    setField(key, 'tunErspanVersion', cursor.text.startsWith('idx=', cursor.at) ? 1 : 2);
  } else if (!isGiven) return false;
  const version = getField(key, 'tunErspanVersion');
  if (version !== 1 && version !== 2) return false;
  take(cursor, ',');
  if (!scanOrdered(cursor, version === 1 ? ERSPAN_1.slice(1) : ERSPAN_2.slice(1), key, mask)) return false;
  // 3.1 reads the mask of the version as a version, finds none that it knows, and forgets the rest.
  if (!keepsMentioned) for (const field of ERSPAN_FIELDS) setField(mask, field, 0);
  return take(cursor, ')');
}

/** `{class=0xffff,type=0x80,len=4,0xa/0xff}`; without masks when nothing is masked anywhere. */
export function formatOption(option: GeneveOption, masked: boolean, verbose: boolean): string {
  const items: string[] = [];
  const number = (name: string, text: (value: number) => string, value: number, mask: number, all: number): void => {
    if (!masked || mask === all) items.push(`${name}=${text(value)}`);
    else if (verbose || mask !== 0) items.push(`${name}=${text(value)}/${formatHash(mask)}`);
  };
  number('class', formatHash, option.optionClass, option.optionClassMask, 0xffff);
  number('type', formatHash, option.type, option.typeMask, 0xff);
  number('len', String, option.data.length, option.lengthMask, 0x1f);
  const { data, dataMask } = option;
  if (data.length > 0 && (!masked || verbose || dataMask.some((byte) => byte !== 0))) {
    items.push(
      formatBytes(data) + (!masked || dataMask.every((byte) => byte === 0xff) ? '' : `/${formatBytes(dataMask)}`),
    );
  }
  return `{${items.join(',')}}`;
}

/** All options together, headers included, take at most this many bytes. */
const MOST_OPTION_BYTES = 252;

/**
 * Reads options up to behind the closing parenthesis, as 3.1 does: parts in their order, each of which may be missing.
 * Data that are not mentioned are zeros that count, or (`keepsMentioned`) do not count, which is what 3.1 prints so.
 */
export function scanOptions(cursor: Cursor, keepsMentioned: boolean): readonly GeneveOption[] | undefined {
  const options: GeneveOption[] = [];
  let left = MOST_OPTION_BYTES;
  while (left >= 4 && take(cursor, '{')) {
    left -= 4;
    const number = (name: string, bits: number, missing: number): readonly [number, number] | undefined => {
      if (!take(cursor, name)) return [0, missing];
      const value = takeInteger(cursor, 0, bits);
      const mask = value !== undefined && take(cursor, '/') ? takeInteger(cursor, 0, bits) : 2 ** bits - 1;
      return value === undefined || mask === undefined ? undefined : [value, mask];
    };
    const optionClass = number('class=', 16, 0);
    take(cursor, ',');
    const type = optionClass && number('type=', 8, 0);
    take(cursor, ',');
    const hasLength = cursor.text.startsWith('len=', cursor.at);
    const length = type && number('len=', 8, 0xff);
    if (!optionClass || !type || !length || length[0] > 124 || length[0] % 4 !== 0 || length[0] > left)
      return undefined;
    let data: Uint8Array | undefined = new Uint8Array(length[0]);
    const hasData = cursor.text[cursor.at] === ',';
    let dataMask: Uint8Array | undefined = new Uint8Array(length[0]).fill(hasData || !keepsMentioned ? 0xff : 0);
    if (take(cursor, ',')) data = takeBytes(cursor, length[0]);
    if (data && take(cursor, '/')) dataMask = takeBytes(cursor, length[0]);
    if (!data || !dataMask || !take(cursor, '}')) return undefined;
    left -= data.length;
    options.push({
      optionClass: optionClass[0],
      optionClassMask: optionClass[1],
      type: type[0],
      // 3.1 forgets the type where there is no length.
      typeMask: hasLength ? type[1] : 0,
      lengthMask: length[1] & 0x1f,
      data,
      dataMask,
    });
  }
  return take(cursor, ')') ? options : undefined;
}
