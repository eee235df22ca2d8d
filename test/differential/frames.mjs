// @ts-check
// Frames at random: sound ones of every protocol that Open vSwitch looks into, and the ways to spoil them.
import { arp, be16, ethernet, hostMac, icmp, icmpv6, ipv4, ipv6, neighbor, sctp, tcp, udp } from './packets.mjs';

/** @typedef {import('./random.mjs').Random} Random */
/** @typedef {import('./packets.mjs').Tag} Tag */

/**
 * @typedef {object} FrameOptions
 * @property {string} source
 * @property {string} destination
 * @property {Tag[]} [tags]
 * @property {readonly string[]} [sorts] what to choose from, default all of `sorts`
 * @property {string} [ipv4Source]
 * @property {string} [ipv4Destination]
 */

/** All sorts of frames, with how often each comes. @type {ReadonlyArray<readonly [number, string]>} */
export const sorts = [
  [10, 'arp-request'],
  [7, 'arp-reply'],
  [14, 'udp'],
  [12, 'tcp'],
  [12, 'icmp'],
  [5, 'sctp'],
  [6, 'other'],
  [6, 'fragment'],
  [4, 'options'],
  [8, 'udp6'],
  [6, 'tcp6'],
  [7, 'echo6'],
  [5, 'hops6'],
  [5, 'fragment6'],
  [4, 'solicitation'],
  [4, 'advertisement'],
  [5, 'ethertype'],
  [5, 'bpdu'],
  [5, 'snap'],
  [1, 'rarp'],
  [1, 'odd6'],
];

/** @param {Random} random */
export const randomIpv4 = (random) => `172.16.${random.below(4)}.${random.between(1, 250)}`;
/** @param {Random} random */
export const randomIpv6 = (random) => `2001:db8::${random.between(1, 8)}:${random.between(1, 0xffff).toString(16)}`;
/** @param {Random} random */
export const randomTos = (random) =>
  random.weigh([
    [8, 0],
    [2, 1],
    [3, 2],
    [3, 3],
    [2, 0x10],
    [2, 0x2e],
    [2, 0xb8],
  ]);
/** @param {Random} random */
const randomTtl = (random) =>
  random.weigh([
    [4, 64],
    [1, 1],
    [1, 2],
    [1, 128],
    [1, 255],
  ]);
/** @param {Random} random */
const randomLength = (random) => random.pick([0, 6, 18, 32, 64, 200]);
/** @param {Random} random */
const randomPort = (random) => (random.chance(0.2) ? random.between(1, 65535) : random.pick([53, 80, 443]));
/** @param {Random} random */
const randomMac = (random) => hostMac(random.between(1, 39));

/**
 * A sound frame of some sort.
 * @param {Random} random @param {FrameOptions} options
 * @returns {number[]}
 */
export function randomFrame(random, options) {
  const allowed = options.sorts ? sorts.filter(([, sort]) => options.sorts?.includes(sort)) : sorts;
  const sort = random.weigh(allowed);
  const { source, destination, tags = [] } = options;
  const pad = random.chance(0.4);
  /** @param {number} type @param {number[]} payload */
  const frame = (type, payload) => ethernet({ destination, source, tags, type, payload, pad });
  const four = {
    source: options.ipv4Source ?? randomIpv4(random),
    destination: options.ipv4Destination ?? randomIpv4(random),
  };
  const six = { source: randomIpv6(random), destination: randomIpv6(random) };
  const ip = {
    ...four,
    tos: randomTos(random),
    ttl: randomTtl(random),
    id: random.below(65536),
    fragment: random.pick([0, 0x4000]),
  };
  const ip6 = {
    ...six,
    tos: randomTos(random),
    hops: randomTtl(random),
    label: random.pick([0, random.below(1 << 20)]),
  };
  const sourcePort = random.between(1, 65535);
  const destinationPort = randomPort(random);
  const data = random.bytes(randomLength(random));
  switch (sort) {
    case 'arp-request':
      return frame(0x0806, arp({ operation: 1, sha: randomMac(random), spa: four.source, tpa: four.destination }));
    case 'arp-reply':
      return frame(
        0x0806,
        arp({
          operation: random.weigh([
            [9, 2],
            [1, random.pick([0, 3, 8, 256, 257])],
          ]),
          sha: randomMac(random),
          spa: four.source,
          tha: randomMac(random),
          tpa: four.destination,
        }),
      );
    case 'rarp':
      return frame(0x8035, arp({ operation: 3, sha: source, spa: '0.0.0.0', tha: source, tpa: '0.0.0.0' }));
    case 'udp':
      return frame(
        0x0800,
        ipv4({
          ...ip,
          protocol: 17,
          payload: udp(random.chance(0.1) ? null : four, sourcePort, destinationPort, data),
        }),
      );
    case 'tcp': {
      const flags = random.pick([0x02, 0x10, 0x18, 0x04, 0x01, 0x12, 0x02, 0x10, 0x18, 0x1c2]);
      return frame(0x0800, ipv4({ ...ip, protocol: 6, payload: tcp(four, sourcePort, destinationPort, flags, data) }));
    }
    case 'icmp':
      return frame(
        0x0800,
        ipv4({
          ...ip,
          protocol: 1,
          payload: icmp(random.pick([0, 3, 8, 11]), random.below(2), [0, 0, 0, 0, ...data]),
        }),
      );
    case 'sctp':
      return frame(
        0x0800,
        ipv4({ ...ip, protocol: 132, payload: sctp(sourcePort, destinationPort, random.bytes(4), data) }),
      );
    case 'other':
      return frame(0x0800, ipv4({ ...ip, protocol: random.pick([2, 47, 50, 89, 112]), payload: random.bytes(40) }));
    case 'fragment':
      return frame(
        0x0800,
        ipv4({
          ...ip,
          fragment: random.pick([0x2000, 0x2001, 0x0001, 0x00b9, 0x20b9]),
          protocol: 17,
          payload: [...be16(sourcePort), ...be16(destinationPort), 0, 8, 0, 0, ...new Array(40).fill(0)],
        }),
      );
    case 'options':
      return frame(
        0x0800,
        ipv4({
          ...ip,
          fragment: 0,
          id: 1,
          protocol: 17,
          options: [1, 1, 1, 0],
          payload: udp(four, sourcePort, destinationPort, data),
        }),
      );
    case 'udp6':
      return frame(0x86dd, ipv6({ ...ip6, next: 17, payload: udp(six, sourcePort, destinationPort, data) }));
    case 'tcp6':
      return frame(
        0x86dd,
        ipv6({
          ...ip6,
          next: 6,
          payload: tcp(six, sourcePort, destinationPort, random.pick([0x02, 0x10, 0x12, 0x01]), data),
        }),
      );
    case 'echo6':
      return frame(
        0x86dd,
        ipv6({
          ...ip6,
          next: 58,
          payload: icmpv6(six, random.pick([128, 128, 129]), 0, [0, 1, 0, random.below(100), ...data]),
        }),
      );
    case 'hops6':
      return frame(
        0x86dd,
        ipv6({
          ...ip6,
          next: 0,
          payload: [17, 0, 1, 4, 0, 0, 0, 0, ...udp(six, sourcePort, destinationPort, data)],
        }),
      );
    case 'fragment6': {
      const offset = random.pick([0x0000, 0x0001, 0x0018, 0x0019]);
      const rest = [...be16(sourcePort), ...be16(destinationPort), 0, 8, 0, 0, ...new Array(24).fill(0)];
      return frame(0x86dd, ipv6({ ...ip6, next: 44, payload: [17, 0, ...be16(offset), 0, 0, 0, 7, ...rest] }));
    }
    case 'solicitation': {
      const to = random.chance(0.7) ? `ff02::1:ff00:${random.below(65536).toString(16)}` : six.destination;
      const addresses = { source: six.source, destination: to };
      const mac = random.chance(0.9) ? randomMac(random) : null;
      return frame(
        0x86dd,
        ipv6({
          ...addresses,
          next: 58,
          hops: 255,
          payload: neighbor(addresses, 135, randomIpv6(random), mac),
        }),
      );
    }
    case 'advertisement': {
      const mac = random.chance(0.9) ? randomMac(random) : null;
      return frame(0x86dd, ipv6({ ...six, next: 58, hops: 255, payload: neighbor(six, 136, randomIpv6(random), mac) }));
    }
    case 'ethertype':
      return frame(random.pick([0x8809, 0x88cc, 0x9000, 0x88b5, 0x8847]), random.bytes(46));
    case 'bpdu':
      return frame(43, [0x42, 0x42, 0x03, ...random.bytes(40)]);
    case 'snap': {
      const packet = ipv4({ ...four, protocol: 17, payload: udp(four, sourcePort, destinationPort, random.bytes(20)) });
      return frame(56, [0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00, ...packet]);
    }
    case 'odd6': {
      // Chains that a parser must walk: routing, destination options, authentication; and headers of no length.
      const chain = random.pick([
        [43, [17, 0, 0, 0, 0, 0, 0, 0]],
        [60, [17, 0, 1, 4, 0, 0, 0, 0]],
        [51, [17, 4, 0, 0, ...new Array(20).fill(1)]],
        [60, [43, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0]],
        [59, []],
        [0, [17, 200, 1, 4, 0, 0, 0, 0]],
        [99, []],
      ]);
      const [next, extension] = /** @type {[number, number[]]} */ (chain);
      return frame(
        0x86dd,
        ipv6({
          ...ip6,
          next,
          payload: [...extension, ...udp(six, sourcePort, destinationPort, data)],
        }),
      );
    }
    default:
      throw new Error(`no such sort of frame: ${sort}`);
  }
}

/**
 * Spoil a frame: cut it, change bytes of its headers, or let rubbish follow it. At least 14 bytes are left.
 * @param {Random} random @param {number[]} bytes
 * @returns {number[]}
 */
export function spoil(random, bytes) {
  const out = [...bytes];
  switch (
    random.weigh([
      [4, 'cut'],
      [5, 'change'],
      [3, 'append'],
      [1, 'leave'],
      [1, 'both'],
    ])
  ) {
    case 'cut':
      return out.slice(0, random.between(14, out.length));
    case 'change':
      for (let i = random.between(1, 3); i > 0; i--)
        out[random.between(12, Math.min(out.length - 1, 60))] = random.below(256);
      return out;
    case 'append':
      return [...out, ...random.bytes(random.between(1, 30))];
    case 'both':
      out[random.between(12, Math.min(out.length - 1, 60))] = random.below(256);
      return out.slice(0, random.between(14, out.length));
    default:
      return out;
  }
}
