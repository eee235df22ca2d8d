// @ts-check
// Sound packets and frames, built from the ground up, as lists of bytes. Nothing here imports the library: a fault in
// its builders must not hide a fault in its parsers.

/** @param {number} value */
export const be16 = (value) => [(value >>> 8) & 255, value & 255];
/** @param {number} value */
export const be32 = (value) => [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
/** @param {string} text */
export const macBytes = (text) => text.split(':').map((part) => parseInt(part, 16));
/** @param {string} text */
export const ipv4Bytes = (text) => text.split('.').map(Number);
/** @param {string} text */
export function ipv6Bytes(text) {
  const [head, tail] = text.split('::');
  /** @param {string | undefined} part */
  const words = (part) => (part ? part.split(':').map((word) => parseInt(word, 16)) : []);
  const before = words(head);
  const after = tail === undefined ? [] : words(tail);
  const middle = tail === undefined ? [] : new Array(8 - before.length - after.length).fill(0);
  return [...before, ...middle, ...after].flatMap(be16);
}
/** @param {readonly number[]} bytes */
export const toHex = (bytes) => Buffer.from(bytes).toString('hex');
/** @param {number} index */
export const hostMac = (index) => `02:00:00:00:00:${index.toString(16).padStart(2, '0')}`;

/**
 * The Internet checksum (RFC 1071).
 * @param {readonly number[]} bytes
 */
export function checksum(bytes) {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** @typedef {{ type?: number, vid: number, pcp?: number, dei?: number }} Tag */

/**
 * @param {{ destination: string, source: string, tags?: Tag[], type: number, payload: number[], pad?: boolean }} frame
 * @returns {number[]}
 */
export function ethernet({ destination, source, tags = [], type, payload, pad = false }) {
  const bytes = [...macBytes(destination), ...macBytes(source)];
  for (const tag of tags) {
    bytes.push(...be16(tag.type ?? 0x8100), ...be16(((tag.pcp ?? 0) << 13) | ((tag.dei ?? 0) << 12) | tag.vid));
  }
  bytes.push(...be16(type), ...payload);
  while (pad && bytes.length < 60) bytes.push(0);
  return bytes;
}

/**
 * @param {{ operation: number, sha: string, spa: string, tha?: string, tpa: string }} arp
 * @returns {number[]}
 */
export function arp({ operation, sha, spa, tha = '00:00:00:00:00:00', tpa }) {
  return [
    0,
    1,
    8,
    0,
    6,
    4,
    ...be16(operation),
    ...macBytes(sha),
    ...ipv4Bytes(spa),
    ...macBytes(tha),
    ...ipv4Bytes(tpa),
  ];
}

/**
 * @param {{ source: string, destination: string, protocol: number, payload: number[], tos?: number, ttl?: number,
 *   id?: number, fragment?: number, options?: number[], wrongChecksum?: boolean }} packet
 * @returns {number[]}
 */
export function ipv4(packet) {
  const { source, destination, protocol, payload, tos = 0, ttl = 64, id = 0, fragment = 0, options = [] } = packet;
  const length = 20 + options.length;
  const header = [
    0x40 | (length / 4),
    tos,
    ...be16(length + payload.length),
    ...be16(id),
    ...be16(fragment),
    ttl,
    protocol,
    0,
    0,
    ...ipv4Bytes(source),
    ...ipv4Bytes(destination),
    ...options,
  ];
  const sum = checksum(header) ^ (packet.wrongChecksum ? 0x5555 : 0);
  header[10] = sum >>> 8;
  header[11] = sum & 255;
  return [...header, ...payload];
}

/**
 * @param {{ source: string, destination: string, next: number, payload: number[], tos?: number, label?: number,
 *   hops?: number }} packet
 * @returns {number[]}
 */
export function ipv6({ source, destination, next, payload, tos = 0, label = 0, hops = 64 }) {
  return [
    ...be32((0x60000000 | (tos << 20) | label) >>> 0),
    ...be16(payload.length),
    next,
    hops,
    ...ipv6Bytes(source),
    ...ipv6Bytes(destination),
    ...payload,
  ];
}

/**
 * The pseudo header that TCP, UDP and ICMPv6 sum up (RFC 768, RFC 8200 section 8.1).
 * @param {string} source @param {string} destination @param {number} protocol @param {number} length
 */
function pseudoHeader(source, destination, protocol, length) {
  return source.includes(':')
    ? [...ipv6Bytes(source), ...ipv6Bytes(destination), ...be32(length), ...be32(protocol)]
    : [...ipv4Bytes(source), ...ipv4Bytes(destination), 0, protocol, ...be16(length)];
}

/** @typedef {{ source: string, destination: string }} Addresses */

/**
 * @param {Addresses | null} addresses null: checksum zero @param {number} sourcePort @param {number} destinationPort
 * @param {number[]} payload
 */
export function udp(addresses, sourcePort, destinationPort, payload) {
  const bytes = [...be16(sourcePort), ...be16(destinationPort), ...be16(8 + payload.length), 0, 0, ...payload];
  if (addresses) {
    const pseudo = pseudoHeader(addresses.source, addresses.destination, 17, bytes.length);
    const sum = checksum([...pseudo, ...bytes]) || 0xffff;
    bytes[6] = sum >>> 8;
    bytes[7] = sum & 255;
  }
  return bytes;
}

/**
 * @param {Addresses} addresses @param {number} sourcePort @param {number} destinationPort @param {number} flags
 * @param {number[]} payload
 */
export function tcp(addresses, sourcePort, destinationPort, flags, payload) {
  const bytes = [
    ...be16(sourcePort),
    ...be16(destinationPort),
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0x50 | (flags >>> 8),
    flags & 255,
    0x20,
    0,
    0,
    0,
    0,
    0,
    ...payload,
  ];
  const sum = checksum([...pseudoHeader(addresses.source, addresses.destination, 6, bytes.length), ...bytes]);
  bytes[16] = sum >>> 8;
  bytes[17] = sum & 255;
  return bytes;
}

/** @param {number} sourcePort @param {number} destinationPort @param {number[]} check @param {number[]} payload */
export function sctp(sourcePort, destinationPort, check, payload) {
  return [...be16(sourcePort), ...be16(destinationPort), 0, 0, 0, 0, ...check, ...payload];
}

/** @param {number} type @param {number} code @param {number[]} body after the checksum */
export function icmp(type, code, body) {
  const bytes = [type, code, 0, 0, ...body];
  const sum = checksum(bytes);
  return [type, code, ...be16(sum), ...body];
}

/** @param {Addresses} addresses @param {number} type @param {number} code @param {number[]} body */
export function icmpv6(addresses, type, code, body) {
  const bytes = [type, code, 0, 0, ...body];
  const sum = checksum([...pseudoHeader(addresses.source, addresses.destination, 58, bytes.length), ...bytes]);
  return [type, code, ...be16(sum), ...body];
}

/**
 * Neighbour solicitation (135) or advertisement (136) with its link-layer address option (RFC 4861).
 * @param {Addresses} addresses @param {number} type @param {string} target @param {string | null} mac null: no option
 * @param {number} [flags] the first byte after the checksum: router, solicited, override
 */
export function neighbor(addresses, type, target, mac, flags = type === 136 ? 0xa0 : 0) {
  const option = mac === null ? [] : [type === 136 ? 2 : 1, 1, ...macBytes(mac)];
  return icmpv6(addresses, type, 0, [flags, 0, 0, 0, ...ipv6Bytes(target), ...option]);
}

/**
 * @typedef {object} Outer what a VXLAN packet wears
 * @property {string} destinationMac
 * @property {string} sourceMac
 * @property {string} source
 * @property {string} destination
 * @property {number} sourcePort
 * @property {number} destinationPort
 * @property {number} vni
 * @property {number} [flags] the first word of the VXLAN header
 * @property {number} [reserved] the last byte of the VXLAN header
 * @property {number} [tos]
 * @property {number} [ttl]
 * @property {number} [fragment]
 * @property {'none' | 'right' | 'wrong'} [checksum] of UDP
 * @property {boolean} [wrongIpChecksum]
 * @property {number[]} [ipOptions]
 * @property {Tag[]} [tags]
 */

/**
 * @param {Outer} outer @param {number[]} inner
 * @returns {number[]}
 */
export function vxlan(outer, inner) {
  const header = [
    ...be32((outer.flags ?? 0x08000000) >>> 0),
    ...be32(((outer.vni << 8) | (outer.reserved ?? 0)) >>> 0),
  ];
  const addresses = outer.checksum === 'right' ? outer : null;
  const segment = udp(addresses, outer.sourcePort, outer.destinationPort, [...header, ...inner]);
  if (outer.checksum === 'wrong') segment.splice(6, 2, 0xbe, 0xef);
  const six = outer.source.includes(':');
  const payload = six
    ? ipv6({ ...outer, next: 17, payload: segment, hops: outer.ttl ?? 64 })
    : ipv4({
        ...outer,
        protocol: 17,
        payload: segment,
        fragment: outer.fragment ?? 0x4000,
        options: outer.ipOptions ?? [],
        wrongChecksum: outer.wrongIpChecksum ?? false,
      });
  return ethernet({
    destination: outer.destinationMac,
    source: outer.sourceMac,
    tags: outer.tags ?? [],
    type: six ? 0x86dd : 0x0800,
    payload,
  });
}
