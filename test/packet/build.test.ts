import { describe, expect, it } from 'vitest';
import { buildFrame, type Layer } from '../../src/packet/build.js';
import { dissect } from '../../src/packet/dissect.js';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { MegaflowError } from '../../src/util/errors.js';
import { Reason, reasonName } from '../../src/util/reason.js';
import * as icmp from '../../src/wire/icmp.js';
import * as icmpv6 from '../../src/wire/icmpv6.js';
import * as ipv4 from '../../src/wire/ipv4.js';
import * as ipv6 from '../../src/wire/ipv6.js';
import { printFrame } from '../../src/wire/print.js';
import * as sctp from '../../src/wire/sctp.js';
import * as tcp from '../../src/wire/tcp.js';
import * as udp from '../../src/wire/udp.js';
import { embed, mutate, randomFrom, seed } from '../wire/contract.js';

const eth = { type: 'ethernet', source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' } as const;
const ip4 = { type: 'ipv4', source: '1.1.1.1', destination: '1.1.1.2' } as const;
const ip6 = { type: 'ipv6', source: 'fe80::1', destination: 'fe80::2' } as const;
const datagram = { type: 'udp', sourcePort: 1111, destinationPort: 53 } as const;
const segment = { type: 'tcp', sourcePort: 1111, destinationPort: 80 } as const;
const payload = (length: number): Layer => ({
  type: 'payload',
  bytes: Uint8Array.from({ length }, (_, index) => index + 1),
});
const padding = (length: number): Layer => ({ type: 'padding', bytes: new Uint8Array(length) });

/** Checksum of the layer `type`, checked by the functions of its protocol. */
function checkLayer(frame: Uint8Array, at: number, end: number, pseudoSum: number, type: string): string {
  switch (type) {
    case 'udp':
      return reasonName(udp.checkChecksum(frame, at, pseudoSum, false));
    case 'tcp':
      return reasonName(tcp.checkChecksum(frame, at, end, pseudoSum));
    case 'icmpv6':
      return reasonName(icmpv6.checkChecksum(frame, at, end, pseudoSum));
    case 'icmp':
      return reasonName(icmp.checkChecksum(frame, at, end));
    default:
      return reasonName(sctp.checkChecksum(frame, at, end));
  }
}

describe('buildFrame', () => {
  it('makes an ARP request of 42 bytes, as in RFC 826, without padding', () => {
    const frame = buildFrame([
      { ...eth, destination: 'ff:ff:ff:ff:ff:ff' },
      { type: 'arp', operation: 1, senderMac: eth.source, senderIp: '1.1.1.1', targetIp: '1.1.1.2' },
    ]);
    expect(toHex(frame)).toBe('ffffffffffff020000000001080600010800060400010200000000010101010100000000000001010102');
  });

  it('makes the ping of recording seed-1, step 8', () => {
    const data = Uint8Array.from({ length: 56 }, (_, index) => index);
    const frame = buildFrame([
      { type: 'ethernet', destination: 'd6:5a:9e:97:39:4f', source: 'b6:7b:1a:1e:79:44' },
      { ...ip4, identification: 0x5cf9, dontFragment: true },
      { type: 'icmp', icmpType: 8, identifier: 0x25bf, sequence: 1 },
      { type: 'payload', bytes: data },
    ]);
    expect(toHex(frame)).toBe(
      'd65a9e97394fb67b1a1e79440800450000545cf940004001d9ab01010101010101020800db2c25bf0001' + toHex(data),
    );
  });

  it('makes the neighbour solicitation of recording tx-1, step 3, and the packet it was sent in', () => {
    const inner: Layer[] = [
      { type: 'ethernet', destination: 'ff:ff:ff:ff:ff:ff', source: '02:00:00:00:00:19' },
      { type: 'ipv6', source: '2001:db8::4:c2c8', destination: 'ff02::1:ff00:43eb', hopLimit: 255 },
      {
        type: 'icmpv6',
        icmpType: 135,
        target: '2001:db8::8:294',
        options: [{ type: 'source-link-layer', mac: '02:00:00:00:00:27' }],
      },
    ];
    const bytes =
      'ffffffffffff02000000001986dd6000000000203aff20010db800000000000000000004c2c8ff0200000000000000000001ff0043eb' +
      '870012b20000000020010db80000000000000000000802940101020000000027';
    expect(toHex(buildFrame(inner))).toBe(bytes);
    const outer: Layer[] = [
      { type: 'ethernet', destination: '52:54:00:9f:e8:02', source: 'aa:55:aa:55:00:01' },
      { type: 'ipv4', source: '10.10.10.1', destination: '10.10.10.2', tos: 0x20, ttl: 10 },
      { type: 'udp', sourcePort: 0x843f, destinationPort: 4789, checksum: 0 },
      { type: 'vxlan', vni: 0 },
    ];
    const head = '5254009fe802aa55aa55000108004520007a000000000a11883d0a0a0a010a0a0a02843f12b5006600000800000000000000';
    expect(toHex(buildFrame([...outer, ...inner]))).toBe(head + bytes);
    // Padding belongs to the inner frame: the tunnel counts it, the inner packet does not.
    const padded = dissect(buildFrame([...outer, ...inner, padding(10)]));
    expect(padded[1]).toMatchObject({ totalLength: 0x7a + 10 });
    expect(padded[2]).toMatchObject({ length: 0x66 + 10 });
    expect(padded[5]).toMatchObject({ payloadLength: 32 });
  });

  it.each([
    datagram,
    segment,
    { type: 'sctp', sourcePort: 1, destinationPort: 2 },
    { type: 'icmp', icmpType: 8 },
    { type: 'icmpv6', icmpType: 128 },
  ] as Layer[])('fills in lengths, numbers and checksums: $type', (layer) => {
    for (const length of [0, 1, 100, 301]) {
      for (const ip of [ip4, ip6]) {
        const frame = buildFrame([eth, ip, layer, payload(length), padding(7)]);
        const wire = ip === ip4 ? ipv4 : ipv6;
        expect(wire.check(frame, 14)).toBe(Reason.sound);
        expect(frame[12]).toBe(ip === ip4 ? 0x08 : 0x86);
        if (ip === ip4) expect(ipv4.checkChecksum(frame, 14)).toBe(Reason.sound);
        const at = wire.payloadOffset(frame, 14);
        const end = wire.payloadEnd(frame, 14);
        expect(end).toBe(frame.length - 7);
        const sum = wire.pseudoSum(frame, 14, wire.protocol(frame, 14), end - at);
        expect(checkLayer(frame, at, end, sum, layer.type)).toBe('sound');
        frame[end - 1] ^= 0x10;
        expect(checkLayer(frame, at, end, sum, layer.type)).toBe('bad-checksum');
        const types = dissect(frame).map(({ type }) => type);
        expect(types.slice(0, 3)).toEqual(['ethernet', ip.type, layer.type]);
      }
    }
  });

  it('keeps what is given, however wrong', () => {
    const frame = buildFrame([
      { ...eth, etherType: 0x1234 },
      { ...ip4, version: 5, headerLength: 60, totalLength: 1, protocol: 99, checksum: 0xabcd },
      { ...datagram, length: 3, checksum: 0x4321 },
    ]);
    const ipv4Header = '5f000001000000004063abcd0101010101010102';
    expect(toHex(frame.subarray(12, 42))).toBe(`1234${ipv4Header}0457003500034321`);
    const other = buildFrame([eth, { ...ip6, payloadLength: 9, protocol: 7 }, { ...segment, checksum: 1 }]);
    expect(toHex(other.subarray(18, 21))).toBe('000907');
    expect(tcp.checksum(other, 54)).toBe(1);
  });

  it('takes checksums over what the lengths say, so that dissected frames can be corrected', () => {
    const inner = [eth, ip4, segment, payload(9)] as Layer[];
    const tunnel = [eth, ip6, { ...datagram, destinationPort: 4789 }, { type: 'vxlan', vni: 1 }, ...inner] as Layer[];
    for (const layers of [tunnel, inner, [eth, ip6, { type: 'icmpv6', icmpType: 128 }, payload(3)] as Layer[]]) {
      const sound = buildFrame(layers);
      // Padding behind everything, of bytes that a sum would notice.
      const frame = new Uint8Array(sound.length + 5).fill(0xa5);
      frame.set(sound);
      const found = dissect(frame).map((layer) => ('checksum' in layer ? { ...layer, checksum: undefined } : layer));
      expect(toHex(buildFrame(found))).toBe(toHex(frame));
    }
  });

  it('takes checksums over all data where the lengths cannot be', () => {
    const sound = buildFrame([eth, ip4, segment, payload(9)]);
    const short = buildFrame([eth, { ...ip4, totalLength: 20 }, segment, payload(9)]);
    const long = buildFrame([eth, { ...ip4, totalLength: 2000 }, segment, payload(9)]);
    expect([short, long].map((frame) => tcp.checksum(frame, 34))).toEqual(Array(2).fill(tcp.checksum(sound, 34)));
  });

  it('puts types before tags: one 0x8100, of two the outer 0x88a8', () => {
    const tag = (vid: number): Layer => ({ type: 'vlan', vid });
    const typesOf = (...layers: Layer[]): string => toHex(buildFrame(layers), 12, 14 + 4 * (layers.length - 1));
    expect(typesOf(eth, tag(5))).toBe('8100000588b5');
    expect(typesOf(eth, tag(6), tag(5))).toBe('88a800068100000588b5');
    expect(typesOf({ ...eth, etherType: 0x9100 }, tag(6), tag(5))).toBe('910000068100000588b5');
    expect(toHex(buildFrame([eth, tag(5), ip6]), 12, 18)).toBe('8100000586dd');
  });

  it('makes 802.3 frames with LLC and SNAP', () => {
    const frame = buildFrame([eth, { type: 'llc' }, ip4, payload(2), padding(4)]);
    expect(toHex(frame.subarray(12, 24))).toBe('001eaaaa030000000800' + '4500');
    expect(dissect(frame).map(({ type }) => type)).toEqual(['ethernet', 'llc', 'ipv4', 'payload', 'padding']);
    const bridge = buildFrame([eth, { type: 'llc', dsap: 0x42, ssap: 0x42 }, payload(1)]);
    expect(toHex(bridge, 12)).toBe('000442420301');
  });

  it('puts packets into packets', () => {
    expect(ipv4.protocol(buildFrame([eth, ip4, ip4, payload(1)]), 14)).toBe(4);
    expect(ipv6.protocol(buildFrame([eth, ip6, ip6, payload(1)]), 14)).toBe(41);
    expect(ipv4.protocol(buildFrame([eth, ip4, payload(1)]), 14)).toBe(253);
  });

  it('refuses what makes no frame', () => {
    expect(() => buildFrame([eth, { type: 'gre' } as unknown as Layer])).toThrow(/no layer of type gre/);
    expect(() => buildFrame([eth, datagram])).toThrow(/needs addresses/);
    expect(() => buildFrame([eth, segment])).toThrow(MegaflowError);
    expect(() => buildFrame([eth, ip4, payload(65536)])).toThrow(/totalLength/);
    expect(buildFrame([eth, { ...datagram, checksum: 0 }])).toHaveLength(22);
    expect(buildFrame([])).toHaveLength(0);
  });
});

/** One frame of each kind, to start mutations from. */
const seeds: Layer[][] = [
  [eth, { type: 'arp', operation: 1, senderMac: eth.source, senderIp: '1.1.1.1', targetIp: '1.1.1.2' }, padding(18)],
  [eth, { type: 'vlan', vid: 6 }, { type: 'vlan', vid: 5, priority: 3 }, ip4, datagram, payload(9)],
  [eth, { type: 'llc' }, ip6, segment, payload(5), padding(3)],
  [eth, { type: 'llc', dsap: 6, ssap: 6, control: 0x102 }, payload(4)],
  [eth, { ...ip4, options: fromHex('9404000001010000') }, { ...segment, options: fromHex('020405b4') }, payload(3)],
  [
    eth,
    {
      ...ip6,
      extensions: [
        { type: 'hop-by-hop', data: new Uint8Array(6) },
        { type: 'fragment', offset: 0, more: false, identification: 1 },
        { type: 'authentication', data: new Uint8Array(10) },
      ],
    },
    { type: 'sctp', sourcePort: 1, destinationPort: 2 },
    payload(8),
  ],
  [eth, ip4, { type: 'icmp', icmpType: 3, code: 4, rest: 1400 }, payload(28)],
  [
    eth,
    ip6,
    {
      type: 'icmpv6',
      icmpType: 136,
      target: 'fe80::1',
      options: [
        { type: 'target-link-layer', mac: eth.source },
        { type: 'mtu', mtu: 1500 },
      ],
    },
  ],
  [eth, ip6, { ...datagram, destinationPort: 4789 }, { type: 'vxlan', vni: 7 }, eth, ip4, datagram, padding(9)],
  [eth, ip4, { ...datagram, destinationPort: 8472 }, { type: 'vxlan', vni: 7, flags: 12, reserved: 2 }, ip6, segment],
];

describe('dissect', () => {
  it('copies what it answers, also from a Buffer of Node', () => {
    const frame = buildFrame([
      { type: 'ethernet', source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02', etherType: 0x9000 },
      { type: 'payload', bytes: Uint8Array.of(1, 2, 3) },
    ]);
    const buffer = Buffer.from(frame);
    const layers = dissect(buffer);
    buffer.fill(0xa5);
    expect(layers).toEqual(dissect(frame));
  });

  it('gives back the layers, filled in', () => {
    for (const layers of seeds) {
      const frame = buildFrame(layers);
      const found = dissect(frame);
      expect(found.map(({ type }) => type)).toEqual(layers.map(({ type }) => type));
      found.forEach((layer, index) => expect(layer).toMatchObject(layers[index]));
    }
  });

  it('ends with what could not be taken apart, and why', () => {
    const frame = buildFrame([eth, { ...ip4, version: 6 }, datagram]);
    expect(dissect(frame)).toEqual([
      { ...eth, etherType: 0x0800 },
      { type: 'payload', bytes: frame.slice(14), reason: Reason.badVersion },
    ]);
    expect(dissect(new Uint8Array(0))).toEqual([
      { type: 'payload', bytes: new Uint8Array(0), reason: Reason.truncated },
    ]);
  });

  it('does not look into fragments', () => {
    for (const ip of [
      { ...ip4, moreFragments: true },
      { ...ip4, fragmentOffset: 8 },
      { ...ip6, extensions: [{ type: 'fragment', offset: 0, more: true, identification: 1 } as const] },
    ]) {
      const types = dissect(buildFrame([eth, ip, datagram])).map(({ type }) => type);
      expect(types).toEqual(['ethernet', ip.type, 'payload']);
    }
  });

  it('does not look for tags behind SNAP, nor at types of a vendor', () => {
    for (const snap of [{ protocol: 0x8100 }, { oui: 1, protocol: 0x0800 }, { protocol: 0x05ff }]) {
      const frame = buildFrame([eth, { type: 'llc', ...snap }, { type: 'vlan', vid: 5 }, ip4]);
      expect(dissect(frame).map(({ type }) => type)).toEqual(['ethernet', 'llc', 'payload']);
    }
  });

  it('expects VXLAN on the ports that it is told', () => {
    const frame = buildFrame([eth, ip4, { ...datagram, destinationPort: 9999 }, { type: 'vxlan', vni: 1 }, eth, ip4]);
    expect(dissect(frame).at(-1)!.type).toBe('payload');
    expect(dissect(frame, [9999]).at(-1)!.type).toBe('ipv4');
    const empty = buildFrame([eth, ip4, { ...datagram, destinationPort: 4789 }]);
    expect(dissect(empty).at(-1)).toMatchObject({ type: 'udp', length: 8 });
  });

  it('shares no memory with the frame', () => {
    for (const layers of seeds) {
      const frame = buildFrame(layers);
      const [found, again] = [dissect(frame), dissect(frame.slice())];
      frame.fill(0xff);
      expect(found).toEqual(again);
    }
  });

  it(`is undone by buildFrame, for anything, and reads nothing else (seed ${seed})`, () => {
    const random = randomFrom(seed);
    const frames = seeds.map(buildFrame);
    for (let round = 0; round < 8_000; round++) {
      const isNoise = round % 8 === 0;
      const bytes = isNoise
        ? Uint8Array.from({ length: random(100) }, () => random(256))
        : mutate(frames[random(frames.length)], random);
      const context = `${toHex(bytes)} (seed ${seed})`;
      const view = embed(bytes, 0xff, 3).subarray(3, 3 + bytes.length);
      const layers = dissect(view);
      expect(toHex(buildFrame(layers)), context).toBe(toHex(bytes));
      expect(dissect(bytes), context).toEqual(layers);
      expect(printFrame(bytes), context).toBe(printFrame(view));
    }
  });

  it('is undone by buildFrame at every cut', () => {
    for (const frame of seeds.map(buildFrame)) {
      for (let length = 0; length <= frame.length; length++) {
        const cut = frame.subarray(0, length);
        expect(toHex(buildFrame(dissect(cut)))).toBe(toHex(cut));
      }
    }
  });
});
