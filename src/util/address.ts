/**
 * Addresses as text and as numbers. MACs are 48-bit numbers, IPv4 addresses 32-bit numbers (the first byte is the
 * highest), IPv6 addresses 16 bytes. Text is parsed strictly and throws `bad-address`.
 */
import { formatByte, get16, get32, put16 } from './bytes.js';
import { MegaflowError } from './errors.js';

function refuse(kind: string, text: unknown, allowed: string): never {
  throw new MegaflowError('bad-address', `not ${kind}: ${String(text).slice(0, 60)}`, text, allowed);
}

/** `'aa:55:aa:55:00:01'` as a number. */
export function parseMac(text: string): number {
  if (!/^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/.test(text))
    refuse('a MAC address', text, 'six hexadecimal bytes with colons');
  return text.split(':').reduce((mac, byte) => mac * 256 + parseInt(byte, 16), 0);
}

/**
 * The text of addresses that came lately: frames come with few, again and again, and their text takes ten times the time of the rest of a header
 * (bench/NOTES.md). An address has one place, by its hash.
 */
class RecentTexts {
  readonly #addresses: Float64Array;
  readonly #texts: string[];
  readonly #format: (address: number) => string;

  constructor(format: (address: number) => string) {
    this.#addresses = new Float64Array(RECENT).fill(-1);
    this.#texts = new Array<string>(RECENT).fill('');
    this.#format = format;
  }

  /** The text of an unsigned number. */
  of(address: number): string {
    const place = Math.imul(address, 0x9e3779b1) >>> RECENT_SHIFT;
    if (this.#addresses[place] === address) return this.#texts[place];
    this.#addresses[place] = address;
    return (this.#texts[place] = this.#format(address));
  }
}

const RECENT = 1024;
const RECENT_SHIFT = 22;

const recentMacs = new RecentTexts((mac) => {
  const high = Math.floor(mac / 0x1_0000_0000);
  const low = mac >>> 0;
  const bytes = [high >>> 8, high & 255, low >>> 24, (low >>> 16) & 255, (low >>> 8) & 255, low & 255];
  return bytes.map(formatByte).join(':');
});

/** A 48-bit number as `'aa:55:aa:55:00:01'`. */
export function formatMac(mac: number): string {
  return recentMacs.of(mac);
}

/** `'10.10.10.1'` as an unsigned number. */
export function parseIpv4(text: string): number {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = match ? match.slice(1).map(Number) : [];
  if (!match || bytes.some((byte) => byte > 255)) refuse('an IPv4 address', text, 'four decimal bytes with dots');
  return ((bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3]) >>> 0;
}

/** A 32-bit number (signed or not) as `'10.10.10.1'`. */
export function formatIpv4(ip: number): string {
  return recentIpv4.of(ip >>> 0);
}

const recentIpv4 = new RecentTexts((ip) => `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`);

/** `'fd00:10::1'` (also `'::ffff:10.0.0.1'`) as 16 new bytes. */
export function parseIpv6(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const allowed = 'an IPv6 address as of RFC 4291 section 2.2';
  const halves = text.split('::');
  if (halves.length > 2) refuse('an IPv6 address', text, allowed);
  const groupsOf = (half: string, isLast: boolean): number[] => {
    if (half === '') return [];
    const groups: number[] = [];
    const parts = half.split(':');
    parts.forEach((part, index) => {
      if (isLast && index === parts.length - 1 && part.includes('.')) {
        const ip = parseIpv4(part);
        groups.push(ip >>> 16, ip & 0xffff);
      } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(parseInt(part, 16));
      else refuse('an IPv6 address', text, allowed);
    });
    return groups;
  };
  const head = groupsOf(halves[0], halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1], true) : [];
  const count = head.length + tail.length;
  if (halves.length === 2 ? count > 7 : count !== 8) refuse('an IPv6 address', text, allowed);
  head.forEach((group, index) => put16(bytes, 2 * index, group));
  tail.forEach((group, index) => put16(bytes, 16 - 2 * (tail.length - index), group));
  return bytes;
}

/** 16 bytes at `offset` as text: RFC 5952, with the forms of `inet_ntop` for addresses that embed IPv4. */
export function formatIpv6(bytes: Uint8Array, offset = 0): string {
  const groups = Array.from({ length: 8 }, (_, index) => get16(bytes, offset + 2 * index));
  let start = -1;
  let length = 1;
  for (let at = 0; at < 8; at++) {
    let run = 0;
    while (at + run < 8 && groups[at + run] === 0) run++;
    if (run > length) [start, length] = [at, run];
    at += run;
  }
  const embedsIpv4 = start === 0 && (length === 6 || (length === 5 && groups[5] === 0xffff));
  const count = embedsIpv4 ? 6 : 8;
  let text = '';
  for (let at = 0; at < count; at++) {
    if (at === start) {
      text += at === 0 ? '::' : ':';
      at += length - 1;
      if (at >= count) break;
      continue;
    }
    text += groups[at].toString(16);
    if (at < 7) text += ':';
  }
  return embedsIpv4 ? text + formatIpv4(get32(bytes, offset + 12)) : text;
}

/** An address with prefix length, `'10.10.10.1/24'` or `'fd00::1/64'`; `bytes` holds 4 or 16 bytes. */
export interface IpPrefix {
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** An IPv4 or IPv6 address as 4 or 16 bytes. */
export function parseIp(text: string): Uint8Array {
  if (text.includes(':')) return parseIpv6(text);
  const ip = parseIpv4(text);
  return Uint8Array.of(ip >>> 24, ip >>> 16, ip >>> 8, ip);
}

/** 4 or 16 bytes as text. */
export function formatIp(bytes: Uint8Array): string {
  return bytes.length === 4 ? formatIpv4(get32(bytes, 0)) : formatIpv6(bytes);
}

/** Parses `ADDRESS/LENGTH`; an address alone is a host (32 or 128). */
export function parsePrefix(text: string): IpPrefix {
  const [address, suffix, rest] = text.split('/');
  const bytes = parseIp(address);
  const most = bytes.length * 8;
  const length = suffix === undefined ? most : Number(suffix);
  if (rest !== undefined || (suffix !== undefined && !/^\d{1,3}$/.test(suffix)) || length > most) {
    refuse('an address with prefix length', text, `a prefix length from 0 to ${most}`);
  }
  return { bytes, length };
}
