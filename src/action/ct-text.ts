/**
 * `ct(...)` and the `nat(...)` in it as text, both ways. 3.1 drops what has no effect when it reads (a mark or label
 * whose mask is 0, options of a translation without addresses, the end of a range that is its beginning), and so does
 * this.
 */
import { formatHash } from '../flow/flag-text.js';
import {
  skipDelimiters,
  take,
  takeBytes,
  takeInteger,
  takeIpv4,
  takeIpv6,
  takePattern,
  type Cursor,
} from '../flow/scan.js';
import { formatBytes } from '../flow/value-text.js';
import { formatIp } from '../util/address.js';
import { put32 } from '../util/bytes.js';
import type { ConntrackAction, NatRange } from './types.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
const isOnes = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0xff);

export function formatConntrack(ct: ConntrackAction): string {
  const items: string[] = [];
  if (ct.commit) items.push('commit');
  if (ct.force) items.push('force_commit');
  if (ct.zone) items.push(`zone=${ct.zone}`);
  if (ct.mark) items.push(`mark=${formatHash(ct.mark.value >>> 0)}/${formatHash(ct.mark.mask >>> 0)}`);
  if (ct.label)
    items.push(`label=${formatBytes(ct.label.value)}${isOnes(ct.label.mask) ? '' : `/${formatBytes(ct.label.mask)}`}`);
  if (ct.helper) items.push(`helper=${ct.helper}`);
  if (ct.timeout) items.push(`timeout=${ct.timeout}`);
  if (ct.nat) items.push(formatNat(ct.nat));
  return items.length === 0 ? 'ct' : `ct(${items.join(',')})`;
}

function formatNat(nat: NatRange): string {
  const { direction, minAddress, maxAddress, minPort, maxPort } = nat;
  if (!direction) return 'nat';
  let range = '';
  if (minAddress) {
    const bracket = (address: Uint8Array): string =>
      address.length === 16 && minPort ? `[${formatIp(address)}]` : formatIp(address);
    range = `=${bracket(minAddress)}`;
    if (maxAddress && compareBytes(maxAddress, minAddress) !== 0) range += `-${bracket(maxAddress)}`;
    if (minPort) range += `:${minPort}${maxPort && maxPort !== minPort ? `-${maxPort}` : ''}`;
  }
  const options = (['persistent', 'hash', 'random'] as const).filter((option) => nat[option]);
  return `nat(${[direction + range, ...options].join(',')})`;
}

function compareBytes(first: Uint8Array, second: Uint8Array): number {
  const index = first.findIndex((byte, at) => byte !== second[at]);
  return index < 0 ? 0 : first[index] - second[index];
}

/** Reads behind `ct`; `undefined` where the text does not fit. */
export function takeConntrack(cursor: Cursor): ConntrackAction | undefined {
  const ct: Writable<ConntrackAction> = { commit: false, force: false };
  if (!take(cursor, '(')) return ct;
  while (!take(cursor, ')')) {
    skipDelimiters(cursor);
    if (take(cursor, 'commit')) ct.commit = true;
    else if (take(cursor, 'force_commit')) ct.force = true;
    else if (!takeItem(cursor, ct)) return undefined;
  }
  return ct.commit && ct.force ? undefined : ct;
}

function takeItem(cursor: Cursor, ct: Writable<ConntrackAction>): boolean {
  if (take(cursor, 'zone=')) {
    const zone = takeInteger(cursor, 10, 16);
    if (zone) ct.zone = zone;
    else delete ct.zone;
    return zone !== undefined;
  }
  if (take(cursor, 'mark=')) {
    const value = takeInteger(cursor, 16, 32);
    const mask = value !== undefined && take(cursor, '/') ? takeInteger(cursor, 16, 32) : 0xffff_ffff;
    if (value === undefined || mask === undefined) return false;
    if (mask !== 0) ct.mark = { value, mask };
    else delete ct.mark;
    return true;
  }
  if (take(cursor, 'label=')) {
    const value = takeBytes(cursor, 16);
    const mask = value && take(cursor, '/') ? takeBytes(cursor, 16) : new Uint8Array(16).fill(0xff);
    if (!value || !mask) return false;
    if (!isZero(mask)) ct.label = { value, mask };
    else delete ct.label;
    return true;
  }
  if (take(cursor, 'helper=')) return (ct.helper = takePattern(cursor, NAME_15)) !== undefined;
  if (take(cursor, 'timeout=')) return (ct.timeout = takePattern(cursor, NAME_31)) !== undefined;
  return take(cursor, 'nat') && (ct.nat = takeNat(cursor)) !== undefined;
}

/** Names end where an action could; the longest are one byte shorter than the structures of the datapath. */
const NAME_15 = /[^, \t\r\n)]{1,15}(?![^, \t\r\n)])/y;
const NAME_31 = /[^, \t\r\n)]{1,31}(?![^, \t\r\n)])/y;

/** Reads behind `nat`. */
function takeNat(cursor: Cursor): NatRange | undefined {
  const nat: Writable<NatRange> = {};
  if (!take(cursor, '(')) return nat;
  let directions = 0;
  while (!take(cursor, ')')) {
    skipDelimiters(cursor);
    const direction = take(cursor, 'src') ? 'src' : take(cursor, 'dst') ? 'dst' : undefined;
    if (direction) {
      directions |= direction === 'src' ? 1 : 2;
      nat.direction = direction;
      if (take(cursor, '=') && !takeRange(cursor, nat)) return undefined;
    } else if (take(cursor, 'persistent')) nat.persistent = true;
    else if (take(cursor, 'hash')) nat.hash = true;
    else if (take(cursor, 'random')) nat.random = true;
    else return undefined;
  }
  if (directions === 3 || (nat.hash && nat.random) || !checkRange(nat)) return undefined;
  if (!nat.direction) return {};
  return nat.minAddress ? nat : { direction: nat.direction };
}

function takeNatAddress(cursor: Cursor, version: 4 | 6): Uint8Array | undefined {
  if (version === 6) {
    const start = cursor.at;
    const bracketed = take(cursor, '[');
    const address = takeIpv6(cursor);
    if (address && (!bracketed || take(cursor, ']'))) return address;
    cursor.at = start;
    return undefined;
  }
  const address = takeIpv4(cursor);
  if (address === undefined) return undefined;
  const bytes = new Uint8Array(4);
  put32(bytes, 0, address);
  return bytes;
}

function takeRange(cursor: Cursor, nat: Writable<NatRange>): boolean {
  const ipv4 = takeNatAddress(cursor, 4);
  nat.minAddress = ipv4 ?? takeNatAddress(cursor, 6);
  if (!nat.minAddress) return false;
  if (take(cursor, '-')) {
    nat.maxAddress = takeNatAddress(cursor, ipv4 ? 4 : 6);
    if (!nat.maxAddress) return false;
  }
  if (take(cursor, ':')) {
    nat.minPort = takeInteger(cursor, 10, 16);
    if (nat.minPort === undefined) return false;
    if (take(cursor, '-')) {
      nat.maxPort = takeInteger(cursor, 10, 16);
      if (nat.maxPort === undefined) return false;
    }
  }
  return true;
}

/** Whether the range is one; drops ends that are not there (all zero) or are its beginning. */
function checkRange(nat: Writable<NatRange>): boolean {
  const { minAddress, maxAddress, minPort, maxPort } = nat;
  if (minAddress && maxAddress && !isZero(maxAddress) && compareBytes(maxAddress, minAddress) < 0) return false;
  if (maxPort && maxPort < (minPort ?? 0)) return false;
  if (!minAddress || !maxAddress || compareBytes(maxAddress, minAddress) <= 0) delete nat.maxAddress;
  if (!minPort || !maxPort || maxPort === minPort) delete nat.maxPort;
  if (!minPort) delete nat.minPort;
  return true;
}
