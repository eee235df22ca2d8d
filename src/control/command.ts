/**
 * What a command of `appctl` is, and what commands share: how they refuse, and how they read addresses and numbers (as
 * Open vSwitch reads them, which is more lenient in places than the rest of this package). The commands themselves are
 * in the files beside it.
 */
import { takeMac, type Cursor } from '../flow/scan.js';
import type { Bridge, SwitchPort } from '../switch/model.js';
import type { VSwitch } from '../switch/vswitch.js';
import { parseIp } from '../util/address.js';
import { MegaflowError } from '../util/errors.js';

export interface Command {
  /** As `list-commands` prints it. */
  readonly usage: string;
  /** Least and most arguments; options count. */
  readonly least: number;
  readonly most: number;
  readonly run: (vswitch: VSwitch, words: readonly string[]) => string;
}

export type Commands = Readonly<Record<string, Command>>;

/** What the datapath is called; `dpctl/show` begins with it. */
export const DATAPATH_TYPE = 'netdev';
export const DATAPATH_NAME = `${DATAPATH_TYPE}@ovs-netdev`;

/** Refuses with the text that `ovs-appctl` would print. */
export function fail(text: string, value: unknown, allowed: string): never {
  throw new MegaflowError('command-failed', text, value, allowed);
}

/** The bridge with that name, or `no such bridge`. */
export function findBridge(vswitch: VSwitch, name: string): Bridge {
  const bridges = vswitch.bridges();
  return (
    bridges.find((bridge) => bridge.name === name) ??
    fail('no such bridge', name, bridges.map((bridge) => bridge.name).join(', '))
  );
}

/** Orders names as `strcmp` does. */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** An OpenFlow port number as text. */
export function portText({ ofPort }: SwitchPort): string {
  return ofPort === 65534 ? 'LOCAL' : String(ofPort);
}

/** A MAC address, or undefined. Bytes have any number of hexadecimal digits, of which the last two count. */
export function readMac(text: string): number | undefined {
  const cursor: Cursor = { text, at: 0 };
  const mac = takeMac(cursor);
  return cursor.at === text.length ? mac : undefined;
}

/** An address as 4 or 16 bytes, or undefined; an IPv4 address mapped into IPv6 is an IPv4 address. */
export function readIp(text: string): Uint8Array | undefined {
  // A leading zero is octal to some and decimal to others: inet_pton refuses it.
  if (/(^|[.:])0\d*\d\./.test(text) || /\.0\d+$/.test(text)) return undefined;
  let ip: Uint8Array;
  try {
    ip = parseIp(text);
  } catch {
    return undefined;
  }
  return ip.length === 16 && isMapped(ip) ? ip.slice(12) : ip;
}

function isMapped(ip: Uint8Array): boolean {
  return ip.every((byte, index) => index >= 12 || byte === (index < 10 ? 0 : 0xff));
}

/**
 * A decimal number as `atoi` reads it: what precedes the first character that is no digit, 0 for nothing. 32 bits,
 * signed.
 */
export function readInteger(text: string): number {
  const match = /^\s*([+-]?\d+)/.exec(text);
  return match ? Number(BigInt.asIntN(32, BigInt(match[1].replace('+', '')))) : 0;
}
