/**
 * The addresses of an `IpHost`: which it has, which of them it speaks from, and where a packet goes next. Addresses are
 * 4 or 16 bytes here. A host has no routes but its prefixes and one gateway a family.
 */
import { parseIp, parsePrefix } from '../util/address.js';
import { toHex } from '../util/bytes.js';
import { MegaflowError } from '../util/errors.js';

/** An IPv4 or IPv6 address: 4 or 16 bytes. */
export type Address = Uint8Array;

/** Where a packet goes: from which address, and to whose MAC. */
export interface Route {
  readonly source: Address;
  readonly nextHop: Address;
}

/** An address as a key of a `Map`; IPv4 addresses become numbers, which costs no text. */
export type AddressKey = number | string;

export function keyOf(address: Address): AddressKey {
  if (address.length !== 4) return toHex(address);
  return ((address[0] << 24) | (address[1] << 16) | (address[2] << 8) | address[3]) >>> 0;
}

export function sameAddress(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** Whether the first `length` bits are the same. */
function sharesPrefix(a: Address, b: Address, length: number): boolean {
  const whole = length >> 3;
  for (let at = 0; at < whole; at++) if (a[at] !== b[at]) return false;
  return (length & 7) === 0 || (a[whole] ^ b[whole]) >> (8 - (length & 7)) === 0;
}

const LINK_LOCAL = Uint8Array.of(0xfe, 0x80);

/** Of either family; not a broadcast address. */
export function isMulticast(address: Address): boolean {
  return address.length === 4 ? address[0] >> 4 === 14 : address[0] === 0xff;
}

/** `0.0.0.0` or `::`. */
export function isUnspecified(address: Address): boolean {
  return address.every((byte) => byte === 0);
}

/** The solicited-node group of an IPv6 address: ff02::1:ffXX:XXXX (RFC 4291, section 2.7.1). */
export function solicitedNode(address: Address): Address {
  const group = parseIp('ff02::1:ff00:0');
  group.set(address.subarray(13), 13);
  return group;
}

/** The MAC address of a group: 01:00:5e and 23 bits (RFC 1112), or 33:33 and 32 bits (RFC 2464). */
export function multicastMac(group: Address): number {
  if (group.length === 4) return 0x01005e000000 + ((group[1] & 0x7f) << 16) + (group[2] << 8) + group[3];
  return 0x333300000000 + (keyOf(group.subarray(12)) as number);
}

export interface AddressBook {
  /** In the order in which they were given. */
  readonly addresses: readonly Address[];
  has(address: Address): boolean;
  /**
   * Whether a host with these addresses has joined an IPv6 group: all nodes, and the solicited-node groups of its own.
   */
  isMember(group: Address): boolean;
  /** 255.255.255.255, or the last address of a prefix of at most 30 bits. */
  isBroadcast(address: Address): boolean;
  /** Where a packet for `destination` goes; `undefined` without an address of the family, or without a way to it. */
  route(destination: Address): Route | undefined;
}

/** Parses addresses with prefix lengths and gateways. Throws `bad-address`, `bad-config`. */
export function createAddressBook(addresses: readonly string[], gateways: readonly string[]): AddressBook {
  const prefixes = addresses.map((text) => {
    const prefix = parsePrefix(text);
    if (isMulticast(prefix.bytes) || isUnspecified(prefix.bytes)) {
      throw new MegaflowError('bad-config', `a host cannot have the address ${text}`, text, 'a unicast address');
    }
    const broadcast = prefix.bytes.slice();
    for (let bit = prefix.length; bit < broadcast.length * 8; bit++) broadcast[bit >> 3] |= 0x80 >> (bit & 7);
    return { ...prefix, broadcast };
  });
  const own = new Set(prefixes.map((prefix) => keyOf(prefix.bytes)));
  const groups = prefixes.filter(({ bytes }) => bytes.length === 16).map(({ bytes }) => solicitedNode(bytes));
  if (groups.length > 0) groups.push(parseIp('ff02::1'));

  /** The prefix with the most bits that holds the address. */
  const lookupPrefix = (address: Address): (typeof prefixes)[number] | undefined => {
    let best: (typeof prefixes)[number] | undefined;
    for (const prefix of prefixes) {
      if (prefix.bytes.length !== address.length || (best !== undefined && best.length >= prefix.length)) continue;
      if (sharesPrefix(prefix.bytes, address, prefix.length)) best = prefix;
    }
    return best;
  };

  const gatewayRoutes = new Map<number, Route>();
  for (const text of gateways) {
    const gateway = parseIp(text);
    const prefix = lookupPrefix(gateway);
    if (prefix === undefined || own.has(keyOf(gateway))) {
      throw new MegaflowError(
        'bad-config',
        `the gateway ${text} is not on the link`,
        text,
        'another address within a prefix of the host',
      );
    }
    if (gatewayRoutes.has(gateway.length)) {
      throw new MegaflowError('bad-config', `a second gateway: ${text}`, text, 'one gateway for IPv4, one for IPv6');
    }
    gatewayRoutes.set(gateway.length, { source: prefix.bytes, nextHop: gateway });
  }

  const isBroadcast = (address: Address): boolean =>
    address.length === 4 &&
    (keyOf(address) === 0xffff_ffff ||
      prefixes.some((prefix) => prefix.length <= 30 && sameAddress(prefix.broadcast, address)));

  return {
    addresses: prefixes.map((prefix) => prefix.bytes),
    has: (address) => own.has(keyOf(address)),
    isMember: (group) => groups.some((each) => sameAddress(each, group)),
    isBroadcast,
    route(destination) {
      const prefix = lookupPrefix(destination);
      if (prefix !== undefined) return { source: prefix.bytes, nextHop: destination };
      // Groups, and link-local addresses (RFC 4291, section 2.5.6), are on the link of whoever has any address there.
      const isLinkLocal = destination.length === 16 && sharesPrefix(destination, LINK_LOCAL, 10);
      if (isMulticast(destination) || isBroadcast(destination) || isLinkLocal) {
        const first = prefixes.find(({ bytes }) => bytes.length === destination.length);
        return first && { source: first.bytes, nextHop: destination };
      }
      return gatewayRoutes.get(destination.length);
    },
  };
}

/** 4 or 16 bytes from text or bytes, which are not copied. Throws `bad-address`. */
export function toAddress(address: string | Address): Address {
  if (typeof address === 'string') return parseIp(address);
  if (address instanceof Uint8Array && (address.length === 4 || address.length === 16)) return address;
  throw new MegaflowError('bad-address', `not an address: ${String(address)}`, address, 'text, or 4 or 16 bytes');
}
