// Frames by chance: mostly what is parsed far down, with flaws where parsing decides. Every choice comes from `random`.
import { mutate } from '../wire/contract.js';

export type Below = (below: number) => number;

const bytesOf = (random: Below, length: number): number[] =>
  Array.from({ length }, () => (random(4) === 0 ? 0 : random(256)));
const be16 = (value: number): number[] => [(value >> 8) & 0xff, value & 0xff];
const pick = <T>(random: Below, values: readonly T[]): T => values[random(values.length)];

/** Right nearly always, else a little off, else anything. */
function nearly(random: Below, value: number, most: number): number {
  if (random(8) !== 0) return value;
  const off = random(2) === 0 ? value + random(9) - 4 : random(most + 1);
  return Math.min(most, Math.max(0, off));
}

function transport(random: Below, protocol: number): number[] {
  const data = bytesOf(random, random(24));
  const ports = [...be16(random(65536)), ...be16(random(65536))];
  switch (protocol) {
    case 6: {
      const words = nearly(random, 5 + random(3), 15);
      const options = bytesOf(random, Math.max(0, words - 5) * 4);
      return [
        ...ports,
        ...bytesOf(random, 8),
        (words << 4) | random(16),
        random(256),
        ...bytesOf(random, 6),
        ...options,
        ...data,
      ];
    }
    case 17:
      return [...ports, ...be16(nearly(random, 8 + data.length, 65535)), ...bytesOf(random, 2), ...data];
    case 132:
      return [...ports, ...bytesOf(random, 8), ...data];
    case 58:
      return random(3) === 0 ? [...bytesOf(random, 8), ...data] : neighbourDiscovery(random);
    default:
      return [...bytesOf(random, 8), ...data];
  }
}

function neighbourDiscovery(random: Below): number[] {
  const bytes = [135 + random(2), nearly(random, 0, 255), ...bytesOf(random, 6), ...bytesOf(random, 16)];
  for (let options = random(4); options > 0; options--) {
    const units = pick(random, [1, 1, 1, 1, 2, 0]);
    const address = random(5) === 0 ? [0, 0, 0, 0, 0, 0] : bytesOf(random, 6);
    bytes.push(pick(random, [1, 2, 1, 2, 5]), units, ...address, ...bytesOf(random, Math.max(0, units - 1) * 8));
  }
  return bytes.concat(bytesOf(random, random(3) === 0 ? random(8) : 0));
}

const PROTOCOLS = [6, 17, 132, 1, 58, 2, 47, 50, 59, 4];

function ipv4(random: Below): number[] {
  const protocol = pick(random, PROTOCOLS);
  const options = bytesOf(random, random(3) === 0 ? 4 * random(11) : 0);
  const words = nearly(random, 5 + options.length / 4, 15);
  const payload = transport(random, protocol);
  const total = nearly(random, 20 + options.length + payload.length, 65535);
  const fragment = pick(random, [0, 0, 0, 0x4000, 0x2000, 0x2001, 0x0010, 0x8000]);
  const header = [
    0x40 | words,
    random(256),
    ...be16(total),
    ...bytesOf(random, 2),
    ...be16(fragment),
    random(256),
    protocol,
  ];
  return [...header, ...bytesOf(random, 2), ...bytesOf(random, 8), ...options, ...payload];
}

function ipv6(random: Below): number[] {
  const chain: number[] = [];
  for (let count = pick(random, [0, 0, 0, 1, 1, 2, 3]); count > 0; count--)
    chain.push(pick(random, [0, 43, 60, 51, 44]));
  const last = pick(random, PROTOCOLS);
  const extensions = chain.flatMap((type, index) => {
    const next = chain[index + 1] ?? last;
    if (type === 44)
      return [next, random(256), ...be16(pick(random, [0, 0, 1, 1, 2, 8, 9, 0x1230])), ...bytesOf(random, 4)];
    const units = random(3);
    const size = type === 51 ? (units + 2) * 4 : (units + 1) * 8;
    return [next, nearly(random, units, 255), ...bytesOf(random, Math.max(6, size - 2))];
  });
  const payload = [...extensions, ...transport(random, last)];
  const length = nearly(random, payload.length, 65535);
  return [
    ...[0x60 | random(16), random(256), random(256), random(256)],
    ...be16(length),
    chain[0] ?? last,
    random(256),
    ...bytesOf(random, 32),
    ...payload,
  ];
}

function arp(random: Below): number[] {
  const start = random(8) === 0 ? bytesOf(random, 6) : [0, 1, 8, 0, 6, 4];
  return [...start, ...be16(pick(random, [1, 2, 1, 2, 6, 17, 255, 256, 513])), ...bytesOf(random, 20)];
}

function nsh(random: Below): number[] {
  const mdtype = pick(random, [1, 1, 2, 2, 0, 0x11]);
  const words = nearly(random, mdtype === 1 ? 6 : 2 + random(4), 63);
  const control = (random(6) === 0 ? random(4) << 14 : 0) | (random(4) << 12) | (random(64) << 6) | words;
  return [...be16(control), mdtype, random(256), ...bytesOf(random, 4 + random(40))];
}

const TYPES: readonly (readonly [type: number, make: (random: Below) => number[]])[] = [
  [0x0800, ipv4],
  [0x0800, ipv4],
  [0x86dd, ipv6],
  [0x86dd, ipv6],
  [0x0806, arp],
  [0x8035, arp],
  [0x8847, (random) => bytesOf(random, random(20))],
  [0x8848, (random) => bytesOf(random, random(20))],
  [0x894f, nsh],
  [0x9100, (random) => bytesOf(random, random(40))],
  [0x88b5, (random) => bytesOf(random, random(40))],
];

/** A frame of 14 bytes or more. */
export function randomFrame(random: Below): Uint8Array {
  const [type, make] = pick(random, TYPES);
  let bytes = make(random);
  let before = be16(type);
  if (random(8) === 0) {
    // 802.3, with SNAP or nearly so.
    const oui = random(4) === 0 ? bytesOf(random, 3) : [0, 0, 0];
    bytes = [...(random(6) === 0 ? bytesOf(random, 3) : [0xaa, 0xaa, 3]), ...oui, ...before, ...bytes];
    before = be16(nearly(random, Math.min(bytes.length, 1500), 0x05ff));
  }
  for (let tags = pick(random, [0, 0, 0, 1, 1, 2, 3]); tags > 0; tags--) {
    bytes = [...be16(random(65536)), ...before, ...bytes];
    before = be16(pick(random, [0x8100, 0x8100, 0x88a8, 0x9100]));
  }
  const frame = Uint8Array.from([
    ...bytesOf(random, 12),
    ...before,
    ...bytes,
    ...bytesOf(random, random(3) === 0 ? random(20) : 0),
  ]);
  const changed = random(3) === 0 ? mutate(frame, random) : frame;
  const least = new Uint8Array(Math.max(14, changed.length));
  least.set(changed);
  return random(6) === 0 ? least.slice(0, Math.max(14, random(least.length + 1))) : least;
}
