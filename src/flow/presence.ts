/**
 * Which attributes the text of a key has, by what the key holds: the same rules for printing and for reading.
 */
import { getField, type FlowWords } from './fields.js';

/** `inPort` of a key that came in on no port. */
export const NO_PORT = 0xffff_ffff;

export const isVlanType = (ethType: number): boolean => ethType === 0x8100 || ethType === 0x88a8;

/** The transport attribute of a protocol number. */
export function transportOf(ethType: number, protocol: number): 'tcp' | 'udp' | 'sctp' | 'icmp' | 'icmpv6' | undefined {
  if (ethType !== 0x0800 && ethType !== 0x86dd) return undefined;
  if (protocol === 6) return 'tcp';
  if (protocol === 17) return 'udp';
  if (protocol === 132) return 'sctp';
  if (protocol === 1 && ethType === 0x0800) return 'icmp';
  return protocol === 58 && ethType === 0x86dd ? 'icmpv6' : undefined;
}

/** The network attribute of an Ethernet type. */
export function networkOf(ethType: number): 'ipv4' | 'ipv6' | 'arp' | 'mpls' | 'nsh' | undefined {
  if (ethType === 0x0800) return 'ipv4';
  if (ethType === 0x86dd) return 'ipv6';
  if (ethType === 0x0806 || ethType === 0x8035) return 'arp';
  if (ethType === 0x8847 || ethType === 0x8848) return 'mpls';
  return ethType === 0x894f ? 'nsh' : undefined;
}

/** Whether a key is of a neighbour solicitation or advertisement. */
export function isNeighbourDiscovery(key: FlowWords): boolean {
  const type = getField(key, 'tpSrc') & 0xff;
  return (type === 135 || type === 136) && (getField(key, 'tpDst') & 0xff) === 0;
}

/** Whether a mask covers type and code of ICMPv6, without which 3.1 does not match on what lies behind them. */
export function coversNeighbourDiscovery(mask: FlowWords): boolean {
  return (getField(mask, 'tpSrc') & 0xff) === 0xff && (getField(mask, 'tpDst') & 0xff) === 0xff;
}
