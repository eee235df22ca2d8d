/**
 * Tunnel metadata of a packet: where each value lies in `pool.tunnel`, and the same as a plain object for those who are
 * not in a hurry. A slot has `TUNNEL_WORDS` words, the words 12 to 29 of a flow key, in its layout: addresses, ports
 * and bytes lie as on the wire (a word is four wire bytes read little-endian), the two halves of the id are numbers.
 *
 *     word  bytes                            word  bytes
 *       0   IPv4 source                        5   transport source · destination
 *       1   IPv4 destination                   6   IPv6 source, 4 words
 *       2   tunnel id, low half (number)      10   IPv6 destination, 4 words
 *       3   flags · 0 · tos · ttl             14   GBP id (2 bytes) · GBP flags · 0
 *       4   tunnel id, high half (number)     15   ERSPAN, GTP-U: 3 words, which no port fills
 *
 * `pool.extras` says what of it is valid: with `Extras.tunnel` alone the first four words and (for those who show flows,
 * not for keys) the transport ports, with `Extras.tunnelWide` all. This file decides nothing about tunnels; which packet gets which metadata is the business of ports and of
 * actions.
 */
import { formatIpv4, formatIpv6, parseIp } from '../util/address.js';
import { swap16, swap32 } from '../util/bytes.js';
import { MegaflowError } from '../util/errors.js';
import { Extras, TUNNEL_WORDS, type PacketHandle, type PacketPool } from './pool.js';

/** Words within a slot of `pool.tunnel`. */
export const TunnelWord = {
  ipv4Source: 0,
  ipv4Destination: 1,
  idLow: 2,
  /** Flags in bits 0 to 7, TOS in bits 16 to 23, TTL in bits 24 to 31. */
  flagsTosTtl: 3,
  idHigh: 4,
  /** Source port in the low half, destination port in the high half, each with its bytes as on the wire. */
  ports: 5,
  ipv6Source: 6,
  ipv6Destination: 10,
  gbp: 14,
} as const;

/** The flags in bits 0 to 7 of `TunnelWord.flagsTosTtl`. */
export const TunnelFlag = { oam: 1, dontFragment: 2, checksum: 4, key: 8 } as const;

const EITHER = Extras.tunnel | Extras.tunnelWide;

/** Tunnel metadata as an object. What is left out is 0, false or no address. */
export interface TunnelMetadata {
  /** Outer source address as text; left out: the sender chooses. */
  source?: string;
  /** Outer destination address as text, of the family of `source`. */
  destination?: string;
  /** Tunnel id (the VNI of VXLAN), 0 to 2^53 - 1. */
  id?: number;
  /** TOS or traffic class, 0 to 255. */
  tos?: number;
  /** TTL or hop limit, 0 to 255. */
  ttl?: number;
  dontFragment?: boolean;
  checksum?: boolean;
  /** Whether there is a tunnel id at all. */
  key?: boolean;
  oam?: boolean;
  sourcePort?: number;
  destinationPort?: number;
  /** Group policy id, 0 to 65,535, and its flags. */
  gbpId?: number;
  gbpFlags?: number;
}

/** Whether a packet carries tunnel metadata. */
export function hasTunnel(pool: PacketPool, handle: PacketHandle): boolean {
  return (pool.extras[handle] & EITHER) !== 0;
}

/** Takes the tunnel metadata off a packet. */
export function clearTunnel(pool: PacketPool, handle: PacketHandle): void {
  pool.extras[handle] &= ~EITHER;
}

/** Gives a packet the tunnel metadata of another, which may be in another pool; none if that one has none. */
export function copyTunnel(from: PacketPool, source: PacketHandle, to: PacketPool, target: PacketHandle): void {
  const bits = from.extras[source] & EITHER;
  to.extras[target] = (to.extras[target] & ~EITHER) | bits;
  if (bits === 0) return;
  const words = (bits & Extras.tunnelWide) !== 0 ? TUNNEL_WORDS : TunnelWord.ports + 1;
  const first = source * TUNNEL_WORDS;
  const place = target * TUNNEL_WORDS;
  for (let word = 0; word < words; word++) to.tunnel[place + word] = from.tunnel[first + word];
}

/** The tunnel metadata of a packet as a new object with only what is not 0; `null` when it has none. Allocates. */
export function parseTunnel(pool: PacketPool, handle: PacketHandle): TunnelMetadata | null {
  if (!hasTunnel(pool, handle)) return null;
  const wide = (pool.extras[handle] & Extras.tunnelWide) !== 0;
  const first = handle * TUNNEL_WORDS;
  const word = (index: number): number => (wide || index < TunnelWord.idHigh ? pool.tunnel[first + index] >>> 0 : 0);
  const address = (ipv4Word: number, ipv6Word: number): string | undefined => {
    if (word(ipv4Word) !== 0) return formatIpv4(swap32(word(ipv4Word)));
    const bytes = new Uint8Array(16);
    for (let at = 0; at < 16; at++) bytes[at] = word(ipv6Word + (at >> 2)) >>> ((at & 3) << 3);
    return bytes.some((byte) => byte !== 0) ? formatIpv6(bytes) : undefined;
  };
  const bits = word(TunnelWord.flagsTosTtl);
  const ports = word(TunnelWord.ports);
  const gbp = word(TunnelWord.gbp);
  const found: TunnelMetadata = {};
  const source = address(TunnelWord.ipv4Source, TunnelWord.ipv6Source);
  const destination = address(TunnelWord.ipv4Destination, TunnelWord.ipv6Destination);
  const id = word(TunnelWord.idHigh) * 0x1_0000_0000 + word(TunnelWord.idLow);
  if (source !== undefined) found.source = source;
  if (destination !== undefined) found.destination = destination;
  if (id !== 0) found.id = id;
  if (((bits >>> 16) & 0xff) !== 0) found.tos = (bits >>> 16) & 0xff;
  if (bits >>> 24 !== 0) found.ttl = bits >>> 24;
  if ((bits & TunnelFlag.dontFragment) !== 0) found.dontFragment = true;
  if ((bits & TunnelFlag.checksum) !== 0) found.checksum = true;
  if ((bits & TunnelFlag.key) !== 0) found.key = true;
  if ((bits & TunnelFlag.oam) !== 0) found.oam = true;
  if ((ports & 0xffff) !== 0) found.sourcePort = swap16(ports & 0xffff);
  if (ports >>> 16 !== 0) found.destinationPort = swap16(ports >>> 16);
  if ((gbp & 0xffff) !== 0) found.gbpId = swap16(gbp & 0xffff);
  if (((gbp >>> 16) & 0xff) !== 0) found.gbpFlags = (gbp >>> 16) & 0xff;
  return found;
}

/**
 * Gives a packet tunnel metadata. Throws `bad-address` for addresses that are none, `out-of-range` for numbers that do
 * not fit, `bad-argument` when one address is IPv4 and the other IPv6; the packet is then as it was. Allocates.
 */
export function writeTunnel(pool: PacketPool, handle: PacketHandle, metadata: TunnelMetadata): void {
  const words = new Int32Array(TUNNEL_WORDS);
  const source = metadata.source === undefined ? undefined : parseIp(metadata.source);
  const destination = metadata.destination === undefined ? undefined : parseIp(metadata.destination);
  if (source !== undefined && destination !== undefined && source.length !== destination.length) {
    const given = `${metadata.source} and ${metadata.destination}`;
    throw new MegaflowError(
      'bad-argument',
      `tunnel addresses of two families: ${given}`,
      given,
      'two addresses of one family',
    );
  }
  if (source !== undefined) putAddress(words, source, TunnelWord.ipv4Source, TunnelWord.ipv6Source);
  if (destination !== undefined) putAddress(words, destination, TunnelWord.ipv4Destination, TunnelWord.ipv6Destination);
  const id = checkRange('id', metadata.id, Number.MAX_SAFE_INTEGER);
  words[TunnelWord.idLow] = id % 0x1_0000_0000;
  words[TunnelWord.idHigh] = Math.floor(id / 0x1_0000_0000);
  words[TunnelWord.flagsTosTtl] =
    (metadata.oam ? TunnelFlag.oam : 0) |
    (metadata.dontFragment ? TunnelFlag.dontFragment : 0) |
    (metadata.checksum ? TunnelFlag.checksum : 0) |
    (metadata.key ? TunnelFlag.key : 0) |
    (checkRange('tos', metadata.tos, 0xff) << 16) |
    (checkRange('ttl', metadata.ttl, 0xff) << 24);
  words[TunnelWord.ports] =
    swap16(checkRange('sourcePort', metadata.sourcePort, 0xffff)) |
    (swap16(checkRange('destinationPort', metadata.destinationPort, 0xffff)) << 16);
  words[TunnelWord.gbp] =
    swap16(checkRange('gbpId', metadata.gbpId, 0xffff)) | (checkRange('gbpFlags', metadata.gbpFlags, 0xff) << 16);
  let wide = false;
  for (let word: number = TunnelWord.idHigh; word < TUNNEL_WORDS; word++) if (words[word] !== 0) wide = true;
  pool.tunnel.set(words, handle * TUNNEL_WORDS);
  pool.extras[handle] = (pool.extras[handle] & ~EITHER) | (wide ? EITHER : Extras.tunnel);
}

function putAddress(words: Int32Array, address: Uint8Array, ipv4Word: number, ipv6Word: number): void {
  const first = (address.length === 4 ? ipv4Word : ipv6Word) * 4;
  for (let at = 0; at < address.length; at++) words[(first + at) >> 2] |= address[at] << ((at & 3) << 3);
}

function checkRange(name: string, value: number | undefined, most: number): number {
  if (value === undefined) return 0;
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new MegaflowError(
      'out-of-range',
      `tunnel ${name} cannot be ${value}`,
      value,
      `a whole number from 0 to ${most}`,
    );
  }
  return value;
}
