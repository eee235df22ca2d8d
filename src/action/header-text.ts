/**
 * The header of `tnl_push(...)` as text, both ways: `header(size=50,type=4,eth(...),ipv4(...),udp(...),vxlan(...))` and
 * the bytes that are put before a packet. All of Open vSwitch's tunnels with a header of their own: VXLAN and its GPE,
 * Geneve, GRE, ERSPAN, GTP-U, SRv6. What completes a header for each packet is in `push.ts`.
 *
 * The parts stand in a fixed order and must all be there; lengths are left 0, and the checksum of the IPv4 header is
 * that of a header with length 0, as 3.1 leaves it (`lib/odp-util.c` there: `ovs_parse_tnl_push`).
 */
import { formatHash } from '../flow/flag-text.js';
import type { GeneveOption } from '../flow/match.js';
import { take, takeInteger, takeIpv4, takeIpv6, takeMac, type Cursor } from '../flow/scan.js';
import { formatOption, scanOptions } from '../flow/tunnel-text.js';
import { formatIpv4, formatIpv6, formatMac } from '../util/address.js';
import { get16, get24, get32, get48, put16, put24, put32, put48 } from '../util/bytes.js';
import { checksum } from '../util/checksum.js';
import type { TunnelHeader } from './types.js';

/** Open vSwitch's `enum ovs_vport_type`. */
const Vport = { gre: 3, vxlan: 4, geneve: 5, erspan: 107, ip6erspan: 108, ip6gre: 109, gtpu: 110, srv6: 112 } as const;

const ETHERNET = 14;
const MOST_BYTES = 512;
const MOST_SEGMENTS = 6;
const GRE_CHECKSUM = 0x8000;
const GRE_KEY = 0x2000;
const GRE_SEQUENCE = 0x1000;
/** EtherTypes within GRE of ERSPAN version 1 and 2. */
const ERSPAN_TYPES = [0x88be, 0x22eb] as const;

const hex = (value: number): string => `0x${value.toString(16)}`;

/** `header(...)`. A header shorter than its parts reads as if zeros followed. */
export function formatHeader(header: TunnelHeader): string {
  const bytes = new Uint8Array(Math.max(MOST_BYTES, header.bytes.length) + ETHERNET);
  bytes.set(header.bytes);
  const etherType = get16(bytes, 12);
  const isIpv4 = etherType === 0x0800;
  const addresses = `dst=${formatMac(get48(bytes, 0))},src=${formatMac(get48(bytes, 6))}`;
  const ethernet = `eth(${addresses},dl_type=0x${etherType.toString(16).padStart(4, '0')})`;
  const network = isIpv4 ? formatIpv4Header(bytes) : formatIpv6Header(bytes);
  const tunnel = formatTunnelHeader(bytes, ETHERNET + (isIpv4 ? 20 : 40), header.type);
  return `header(size=${header.bytes.length},type=${header.type},${ethernet},${network},${tunnel})`;
}

function formatIpv4Header(bytes: Uint8Array): string {
  const at = ETHERNET;
  const addresses = `src=${formatIpv4(get32(bytes, at + 12))},dst=${formatIpv4(get32(bytes, at + 16))}`;
  const rest = `tos=${formatHash(bytes[at + 1])},ttl=${bytes[at + 8]},frag=${hex(get16(bytes, at + 6))}`;
  return `ipv4(${addresses},proto=${bytes[at + 9]},${rest})`;
}

function formatIpv6Header(bytes: Uint8Array): string {
  const at = ETHERNET;
  const first = get32(bytes, at);
  const addresses = `src=${formatIpv6(bytes, at + 8)},dst=${formatIpv6(bytes, at + 24)}`;
  const rest = `tclass=${hex((first >>> 20) & 0xff)},hlimit=${bytes[at + 7]}`;
  return `ipv6(${addresses},label=${first & 0xfffff},proto=${bytes[at + 6]},${rest})`;
}

/** The tunnel's own header, with its UDP header where it has one; nothing for a type that has none. */
function formatTunnelHeader(bytes: Uint8Array, at: number, type: number): string {
  const udp = `udp(src=${get16(bytes, at)},dst=${get16(bytes, at + 2)},csum=${hex(get16(bytes, at + 6))})`;
  const inner = at + 8;
  switch (type) {
    case Vport.vxlan:
      return `${udp},vxlan(flags=${hex(get32(bytes, inner))},vni=${hex(get24(bytes, inner + 4))})`;
    case Vport.geneve:
      return `${udp},${formatGeneve(bytes, inner)}`;
    case Vport.gtpu:
      return `${udp},gtpu(flags=${hex(bytes[inner])},msgtype=${bytes[inner + 1]},teid=${hex(get32(bytes, inner + 4))})`;
    case Vport.gre:
    case Vport.ip6gre:
      return formatGre(bytes, at);
    case Vport.erspan:
    case Vport.ip6erspan:
      return formatErspan(bytes, at + 8);
    case Vport.srv6:
      return formatSegments(bytes, at);
    default:
      return '';
  }
}

function formatGeneve(bytes: Uint8Array, at: number): string {
  const flags = `${bytes[at + 1] & 0x80 ? 'oam,' : ''}${bytes[at + 1] & 0x40 ? 'crit,' : ''}`;
  const end = at + 8 + (bytes[at] & 0x3f) * 4;
  let options = '';
  for (let option = at + 8; option + 4 <= end; ) {
    const length = Math.min((bytes[option + 3] & 0x1f) * 4, end - option - 4);
    const data = bytes.slice(option + 4, option + 4 + length);
    options += formatOption(
      { optionClass: get16(bytes, option), type: bytes[option + 2], data, ...EXACT_OPTION, dataMask: data },
      false,
      false,
    );
    option += 4 + length;
  }
  return `geneve(${flags}vni=${hex(get24(bytes, at + 4))}${options === '' ? '' : `,options(${options})`})`;
}

const EXACT_OPTION = { optionClassMask: 0xffff, typeMask: 0xff, lengthMask: 0x1f } as const;

function formatGre(bytes: Uint8Array, at: number): string {
  const flags = get16(bytes, at);
  let text = `gre((flags=${hex(flags)},proto=${hex(get16(bytes, at + 2))})`;
  let word = at + 4;
  for (const [bit, name] of GRE_WORDS) {
    if ((flags & bit) === 0) continue;
    text += `,${name}=${hex(bit === GRE_CHECKSUM ? get16(bytes, word) : get32(bytes, word))}`;
    word += 4;
  }
  return `${text})`;
}

/** Optional words of a GRE header, in their order. */
const GRE_WORDS = [
  [GRE_CHECKSUM, 'csum'],
  [GRE_KEY, 'key'],
  [GRE_SEQUENCE, 'seq'],
] as const;

/** `at` is the ERSPAN header, behind GRE's four bytes and its sequence number. */
function formatErspan(bytes: Uint8Array, at: number): string {
  const version = bytes[at] >>> 4;
  const session = hex(get16(bytes, at + 2) & 0x3ff);
  if (version === 1) return `erspan(ver=1,sid=${session},idx=${hex(get32(bytes, at + 4))})`;
  if (version !== 2) return '';
  const last = get16(bytes, at + 10);
  return `erspan(ver=2,sid=${session},dir=${(last >>> 3) & 1},hwid=${hex((last >>> 4) & 0x3f)})`;
}

/** Segments are written from the first to the last; in the header (RFC 8754) they lie the other way round. */
function formatSegments(bytes: Uint8Array, at: number): string {
  const count = Math.min(bytes[at + 4] + 1, Math.floor((bytes.length - at - 8) / 16));
  const segments = Array.from({ length: count }, (_, index) => formatIpv6(bytes, at + 8 + 16 * (count - 1 - index)));
  return `srv6(segments_left=${bytes[at + 3]},segs(${segments.join(',')}))`;
}

/** A number with `0x` before it, which is mandatory. */
function takeHex(cursor: Cursor, prefix: string, bits: number): number | undefined {
  return take(cursor, `${prefix}0x`) ? takeInteger(cursor, 16, bits) : undefined;
}

function takeNumber(cursor: Cursor, prefix: string, bits: number): number | undefined {
  return take(cursor, prefix) ? takeInteger(cursor, 0, bits) : undefined;
}

/**
 * Reads from `header(` to behind the parenthesis that closes it; `undefined` where the text does not fit, or where size
 * or type are not those of what follows. `strict`: refuses what 3.1 prints but cannot read (ERSPAN, GTP-U) or does not
 * have (SRv6).
 */
export function takeHeader(cursor: Cursor, strict: boolean): TunnelHeader | undefined {
  const bytes = new Uint8Array(MOST_BYTES);
  const size = takeNumber(cursor, 'header(size=', 32);
  const type = takeNumber(cursor, ',type=', 32);
  const destination = take(cursor, ',eth(dst=') ? takeMac(cursor) : undefined;
  const source = take(cursor, ',src=') ? takeMac(cursor) : undefined;
  const etherType = takeHex(cursor, ',dl_type=', 16);
  if (
    size === undefined ||
    type === undefined ||
    destination === undefined ||
    source === undefined ||
    etherType === undefined
  )
    return undefined;
  if (!take(cursor, '),')) return undefined;
  put48(bytes, 0, destination);
  put48(bytes, 6, source);
  put16(bytes, 12, etherType);
  const isIpv4 = etherType === 0x0800;
  if (!(isIpv4 ? takeIpv4Header(cursor, bytes) : takeIpv6Header(cursor, bytes)) || !take(cursor, '),'))
    return undefined;
  const found = takeTunnelHeader(cursor, bytes, ETHERNET + (isIpv4 ? 20 : 40), isIpv4, strict);
  if (!found || !take(cursor, '))') || found.type !== type || found.end !== size) return undefined;
  return { type, bytes: bytes.slice(0, size) };
}

function takeIpv4Header(cursor: Cursor, bytes: Uint8Array): boolean {
  const at = ETHERNET;
  const source = take(cursor, 'ipv4(src=') ? takeIpv4(cursor) : undefined;
  const destination = take(cursor, ',dst=') ? takeIpv4(cursor) : undefined;
  const protocol = takeNumber(cursor, ',proto=', 8);
  const tos = takeNumber(cursor, ',tos=', 8);
  const ttl = takeNumber(cursor, ',ttl=', 8);
  const fragment = takeHex(cursor, ',frag=', 16);
  if (source === undefined || destination === undefined || protocol === undefined) return false;
  if (tos === undefined || ttl === undefined || fragment === undefined) return false;
  bytes[at] = 0x45;
  bytes[at + 1] = tos;
  put16(bytes, at + 6, fragment);
  bytes[at + 8] = ttl;
  bytes[at + 9] = protocol;
  put32(bytes, at + 12, source);
  put32(bytes, at + 16, destination);
  put16(bytes, at + 10, checksum(bytes, at, at + 20));
  return true;
}

function takeIpv6Header(cursor: Cursor, bytes: Uint8Array): boolean {
  const at = ETHERNET;
  const source = take(cursor, 'ipv6(src=') ? takeIpv6(cursor) : undefined;
  const destination = take(cursor, ',dst=') ? takeIpv6(cursor) : undefined;
  const label = takeNumber(cursor, ',label=', 32);
  const protocol = takeNumber(cursor, ',proto=', 8);
  const trafficClass = takeHex(cursor, ',tclass=', 8);
  const hopLimit = takeNumber(cursor, ',hlimit=', 8);
  if (!source || !destination || label === undefined || label > 0xfffff) return false;
  if (protocol === undefined || trafficClass === undefined || hopLimit === undefined) return false;
  put32(bytes, at, 0x6000_0000 + trafficClass * 0x10_0000 + label);
  bytes[at + 6] = protocol;
  bytes[at + 7] = hopLimit;
  bytes.set(source, at + 8);
  bytes.set(destination, at + 24);
  return true;
}

/** What a tunnel header turned out to be, and where it ends. */
interface Found {
  readonly type: number;
  readonly end: number;
}

/** Reads up to before the two parentheses that close the tunnel's header and `header(`. */
function takeTunnelHeader(
  cursor: Cursor,
  bytes: Uint8Array,
  at: number,
  isIpv4: boolean,
  strict: boolean,
): Found | undefined {
  if (take(cursor, 'gre((')) return takeGre(cursor, bytes, at, isIpv4);
  if (!strict && take(cursor, 'erspan(ver=')) return takeErspan(cursor, bytes, at, isIpv4);
  if (!strict && !isIpv4 && take(cursor, 'srv6(')) return takeSegments(cursor, bytes, at);
  const source = takeNumber(cursor, 'udp(src=', 16);
  const destination = takeNumber(cursor, ',dst=', 16);
  const sum = takeHex(cursor, ',csum=', 16);
  if (source === undefined || destination === undefined || sum === undefined || !take(cursor, '),')) return undefined;
  put16(bytes, at, source);
  put16(bytes, at + 2, destination);
  put16(bytes, at + 6, sum);
  const inner = at + 8;
  if (take(cursor, 'vxlan(')) {
    const flags = takeHex(cursor, 'flags=', 32);
    const vni = takeHex(cursor, ',vni=', 32);
    if (flags === undefined || vni === undefined) return undefined;
    put32(bytes, inner, flags);
    put24(bytes, inner + 4, vni & 0xff_ffff);
    return { type: Vport.vxlan, end: inner + 8 };
  }
  if (take(cursor, 'geneve(')) return takeGeneve(cursor, bytes, inner);
  if (strict || !take(cursor, 'gtpu(')) return undefined;
  const flags = takeNumber(cursor, 'flags=', 8);
  const message = takeNumber(cursor, ',msgtype=', 8);
  const endpoint = takeHex(cursor, ',teid=', 32);
  if (flags === undefined || message === undefined || endpoint === undefined) return undefined;
  bytes[inner] = flags;
  bytes[inner + 1] = message;
  put32(bytes, inner + 4, endpoint);
  return { type: Vport.gtpu, end: inner + 8 };
}

function takeGeneve(cursor: Cursor, bytes: Uint8Array, at: number): Found | undefined {
  if (take(cursor, 'oam,')) bytes[at + 1] |= 0x80;
  if (take(cursor, 'crit,')) bytes[at + 1] |= 0x40;
  const vni = takeNumber(cursor, 'vni=', 32);
  if (vni === undefined) return undefined;
  put16(bytes, at + 2, 0x6558);
  put24(bytes, at + 4, vni & 0xff_ffff);
  let end = at + 8;
  if (take(cursor, ',options(')) {
    const options: readonly GeneveOption[] | undefined = scanOptions(cursor, false);
    if (!options) return undefined;
    for (const { optionClass, type, data } of options) {
      put16(bytes, end, optionClass);
      bytes[end + 2] = type;
      bytes[end + 3] = data.length / 4;
      bytes.set(data, end + 4);
      end += 4 + data.length;
    }
    bytes[at] = (end - at - 8) / 4;
  }
  return { type: Vport.geneve, end };
}

function takeGre(cursor: Cursor, bytes: Uint8Array, at: number, isIpv4: boolean): Found | undefined {
  const flags = takeHex(cursor, 'flags=', 16);
  const protocol = takeHex(cursor, ',proto=', 16);
  if (flags === undefined || protocol === undefined || !take(cursor, ')')) return undefined;
  put16(bytes, at, flags);
  put16(bytes, at + 2, protocol);
  let end = at + 4;
  for (const [bit, name] of GRE_WORDS) {
    if ((flags & bit) === 0) continue;
    const value = takeHex(cursor, `,${name}=`, bit === GRE_CHECKSUM ? 16 : 32);
    if (value === undefined) return undefined;
    if (bit === GRE_CHECKSUM) put16(bytes, end, value);
    else put32(bytes, end, value);
    end += 4;
  }
  return { type: isIpv4 ? Vport.gre : Vport.ip6gre, end };
}

function takeErspan(cursor: Cursor, bytes: Uint8Array, at: number, isIpv4: boolean): Found | undefined {
  const version = takeInteger(cursor, 0, 8);
  const session = takeHex(cursor, ',sid=', 16);
  if ((version !== 1 && version !== 2) || session === undefined) return undefined;
  put16(bytes, at, GRE_SEQUENCE);
  put16(bytes, at + 2, ERSPAN_TYPES[version - 1]);
  const header = at + 8;
  bytes[header] = version << 4;
  put16(bytes, header + 2, session & 0x3ff);
  const type = isIpv4 ? Vport.erspan : Vport.ip6erspan;
  if (version === 1) {
    const index = takeHex(cursor, ',idx=', 32);
    if (index === undefined) return undefined;
    put32(bytes, header + 4, index);
    return { type, end: header + 8 };
  }
  const direction = takeNumber(cursor, ',dir=', 8);
  const hardware = takeHex(cursor, ',hwid=', 8);
  if (direction === undefined || hardware === undefined) return undefined;
  put16(bytes, header + 10, ((hardware & 0x3f) << 4) | ((direction & 1) << 3));
  return { type, end: header + 12 };
}

function takeSegments(cursor: Cursor, bytes: Uint8Array, at: number): Found | undefined {
  const left = takeNumber(cursor, 'segments_left=', 8);
  if (left === undefined || left >= MOST_SEGMENTS || !take(cursor, ',segs(')) return undefined;
  bytes[ETHERNET + 6] = 43;
  bytes[at + 1] = 2 * (left + 1);
  bytes[at + 2] = 4;
  bytes[at + 3] = left;
  bytes[at + 4] = left;
  for (let segment = left; segment >= 0; segment--) {
    const address = segment < left && !take(cursor, ',') ? undefined : takeIpv6(cursor);
    if (!address) return undefined;
    bytes.set(address, at + 8 + 16 * segment);
  }
  return take(cursor, ')') ? { type: Vport.srv6, end: at + 8 + 16 * (left + 1) } : undefined;
}
