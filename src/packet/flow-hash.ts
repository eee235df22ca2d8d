/**
 * Which conversation a frame belongs to, as a number: for spreading frames over workers, queues or links, so that those of one conversation
 * keep their order. Addresses, protocol and ports of IP behind up to two tags; the MACs of other frames. Fragments have no ports, so all
 * of a packet go one way. What is inside a tunnel is not looked at: its outer source port tells conversations apart (RFC 7348, section 5).
 */
import { hashAdd, hashFinish } from '../util/hash.js';
import { get32 } from '../util/bytes.js';
import { Reason } from '../util/reason.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as vlan from '../wire/vlan.js';

const MOST_TAGS = 2;

/** 32 bits, unsigned; for the frame in `bytes` from `offset` to `end`, whatever is in it. The two directions have different ones. */
export function flowHash(bytes: Uint8Array, offset = 0, end = bytes.length): number {
  if (end - offset < ethernet.HEADER_LENGTH) return 0;
  let type = ethernet.etherType(bytes, offset);
  let at = offset + ethernet.HEADER_LENGTH;
  for (let tags = 0; tags < MOST_TAGS && vlan.isTag(type) && end - at >= vlan.HEADER_LENGTH; tags++) {
    type = vlan.etherType(bytes, at);
    at += vlan.HEADER_LENGTH;
  }
  if (type === ethernet.EtherType.ipv4 && ipv4.check(bytes, at, end) === Reason.sound) {
    const hash = hashAdd(hashAdd(0, ipv4.source(bytes, at)), ipv4.destination(bytes, at));
    const hasPorts = !ipv4.isFragment(bytes, at);
    return finish(hash, ipv4.protocol(bytes, at), bytes, ipv4.payloadOffset(bytes, at), end, hasPorts);
  }
  if (type === ethernet.EtherType.ipv6 && ipv6.check(bytes, at, end) === Reason.sound) {
    let hash = 0;
    for (let word = 8; word < ipv6.HEADER_LENGTH; word += 4) hash = hashAdd(hash, get32(bytes, at + word));
    const hasPorts = !ipv6.isFragment(bytes, at);
    return finish(hash, ipv6.protocol(bytes, at), bytes, ipv6.payloadOffset(bytes, at), end, hasPorts);
  }
  let hash = 0;
  for (let word = 0; word < 12; word += 4) hash = hashAdd(hash, get32(bytes, offset + word));
  return hashFinish(hash, type) >>> 0;
}

/** Protocol and ports, which TCP, UDP and SCTP have in the same place. */
function finish(hash: number, protocol: number, bytes: Uint8Array, at: number, end: number, isWhole: boolean): number {
  const { tcp, udp, sctp } = ipv4.Protocol;
  const hasPorts = isWhole && end - at >= 4 && (protocol === tcp || protocol === udp || protocol === sctp);
  return hashFinish(hasPorts ? hashAdd(hash, get32(bytes, at)) : hash, protocol) >>> 0;
}
