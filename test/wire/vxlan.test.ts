import { describe, expect, it } from 'vitest';
import { fromHex, put16, toHex } from '../../src/util/bytes.js';
import { MegaflowError } from '../../src/util/errors.js';
import { Reason, reasonName } from '../../src/util/reason.js';
import * as ipv4 from '../../src/wire/ipv4.js';
import * as ipv6 from '../../src/wire/ipv6.js';
import * as udp from '../../src/wire/udp.js';
import * as vxlan from '../../src/wire/vxlan.js';
import { mutate, randomFrom, seed, testProtocol } from './contract.js';

testProtocol('vxlan', {
  module: vxlan,
  vectors: [
    {
      origin: 'recording ipv6-1, step 0: VNI 66, with two bytes of the inner frame',
      hex: '08000000 000042 00 0200',
      needs: 8,
      value: { type: 'vxlan', vni: 66, flags: 8, reserved: 0, lastReserved: 0 },
    },
    {
      origin: 'by hand: VXLAN-GPE, version 3, next protocol IPv6, the greatest VNI',
      hex: '3c000002 ffffff 00',
      value: { type: 'vxlan', vni: 0xffffff, flags: 0x3c, reserved: 2, lastReserved: 0 },
    },
  ],
  spoilt: [
    ['a VNI that is not valid', 0, '00', Reason.badFlags],
    ['group policy', 0, '88', Reason.badFlags],
    ['a version without the P bit', 0, '18', Reason.badFlags],
    ['the O bit without the P bit', 0, '09', Reason.badFlags],
    ['reserved bits', 1, '01', Reason.badFlags],
    ['a next protocol without the P bit', 3, '03', Reason.badFlags],
    ['operation and maintenance of GPE', 0, '0d000003', Reason.badFlags],
    ['reserved bits of GPE', 0, '0c010003', Reason.badFlags],
    ['more reserved bits of GPE', 0, '0c000103', Reason.badFlags],
    ['GPE with next protocol 0', 0, '0c000000', Reason.badType],
    ['GPE with next protocol 5', 0, '0c000005', Reason.badType],
    ['GPE without a valid VNI', 0, '04000003', Reason.badFlags],
    ['the byte behind the VNI', 7, '01', Reason.badReserved],
  ],
  accessors: { flags: vxlan.flags, vni: vxlan.vni, nextProtocol: vxlan.nextProtocol },
  setters: { vni: [vxlan.setVni, 0xfedcba] },
  unwritable: [
    ['vni', 0x1000000],
    ['flags', 256],
    ['reserved', 0x1000000],
    ['lastReserved', 256],
  ],
});

/** Frames that Open vSwitch sent, with what was put around which frame. */
const recorded: { origin: string; inner: string; outer: vxlan.Outer; packet: string }[] = [
  {
    origin: 'tx-1, step 4: the first frame on ens8 (TTL 10, TOS 0x20, DF off)',
    inner:
      '33330000000102000000001f08004500003a228740004006bc2cac10033aac1000b047f701bb000000000000000050012000c1ef0000' +
      '5e581114adc5238047cdffae8a9a35b2dfa9',
    outer: {
      sourceMac: 'aa:55:aa:55:00:01',
      destinationMac: '52:54:00:9f:e8:02',
      sourceIp: '10.10.10.1',
      destinationIp: '10.10.10.2',
      sourcePort: 48066,
      vni: 0,
      ttl: 10,
      tos: 0x20,
      dontFragment: false,
    },
    packet:
      '5254009fe802aa55aa55000108004520006c000000000a11884b0a0a0a010a0a0a02bbc212b50058000008000000000000003333000000' +
      '0102000000001f08004500003a228740004006bc2cac10033aac1000b047f701bb000000000000000050012000c1ef00005e581114adc5' +
      '238047cdffae8a9a35b2dfa9',
  },
  {
    origin: 'ipv6-1, step 0: the frame to 10.10.10.3 (all defaults, IPv4)',
    inner:
      '02000000000402000000001608004500003c337e00000202296cac1001e9ac1001cd5b57b6f7e6ac9c925b4b5b10389f134af8331e90ce' +
      '92c1e940381ddc028fd2f5f23b20cb57e9eb43',
    outer: {
      sourceMac: 'aa:55:aa:55:00:01',
      destinationMac: '52:54:00:9f:e8:03',
      sourceIp: '10.10.10.1',
      destinationIp: '10.10.10.3',
      sourcePort: 42794,
      vni: 44,
    },
    packet:
      '5254009fe803aa55aa55000108004500006e00004000401112680a0a0a010a0a0a03a72a12b5005a00000800000000002c000200000000' +
      '0402000000001608004500003c337e00000202296cac1001e9ac1001cd5b57b6f7e6ac9c925b4b5b10389f134af8331e90ce92c1e94038' +
      '1ddc028fd2f5f23b20cb57e9eb43',
  },
  {
    origin: 'ipv6-1, step 0: the frame to fd00:10::2 (all defaults, IPv6)',
    inner:
      '02000000000402000000001608004500003c337e00000202296cac1001e9ac1001cd5b57b6f7e6ac9c925b4b5b10389f134af8331e90ce' +
      '92c1e940381ddc028fd2f5f23b20cb57e9eb43',
    outer: {
      sourceMac: 'aa:55:aa:55:00:01',
      destinationMac: '52:54:00:9f:e8:02',
      sourceIp: 'fd00:10::1',
      destinationIp: 'fd00:10::2',
      sourcePort: 42794,
      vni: 66,
    },
    packet:
      '5254009fe802aa55aa55000186dd60000000005a1140fd000010000000000000000000000001fd000010000000000000000000000002a7' +
      '2a12b5005a2c3a080000000000420002000000000402000000001608004500003c337e00000202296cac1001e9ac1001cd5b57b6f7e6ac' +
      '9c925b4b5b10389f134af8331e90ce92c1e940381ddc028fd2f5f23b20cb57e9eb43',
  },
  {
    origin: 'ipv6-1, step 1: an IPv6 frame to fd00:10::2',
    inner:
      'ffffffffffff02000000008286dd60000000001a114020010db800000000000000000008c3b220010db800000000000000000003730389' +
      'e052f0001ab51713c832725f8f6814e93435873a0137303dd3',
    outer: {
      sourceMac: 'aa:55:aa:55:00:01',
      destinationMac: '52:54:00:9f:e8:02',
      sourceIp: 'fd00:10::1',
      destinationIp: 'fd00:10::2',
      sourcePort: 57592,
      destinationPort: 4789,
      vni: 66,
      tos: 0,
      udpChecksum: true,
    },
    packet:
      '5254009fe802aa55aa55000186dd6000000000601140fd000010000000000000000000000001fd000010000000000000000000000002e0' +
      'f812b50060cccc0800000000004200ffffffffffff02000000008286dd60000000001a114020010db800000000000000000008c3b22001' +
      '0db800000000000000000003730389e052f0001ab51713c832725f8f6814e93435873a0137303dd3',
  },
];
const [overIpv4, , overIpv6] = recorded;

describe.each(recorded)('recording $origin', ({ inner, outer, packet }) => {
  it('is what encapsulate makes, from an outer header in words and from one made ready', () => {
    expect(toHex(vxlan.encapsulate(fromHex(inner), outer))).toBe(packet);
    const header = vxlan.compile({ ...outer, sourcePort: 1 });
    expect(toHex(vxlan.encapsulate(fromHex(inner), header, outer.sourcePort))).toBe(packet);
    expect(toHex(vxlan.encapsulate(fromHex(inner), { ...outer, sourcePort: 1 }, outer.sourcePort))).toBe(packet);
  });

  it('is taken apart by decapsulate', () => {
    const bytes = fromHex(packet);
    const { reason, frame, vni, nextProtocol } = vxlan.decapsulate(bytes);
    expect([reasonName(reason), toHex(frame!), vni, nextProtocol]).toEqual(['sound', inner, outer.vni, 3]);
    expect(frame!.buffer).toBe(bytes.buffer);
    const isIpv4 = !outer.sourceIp.includes(':');
    expect(vxlan.decapsulate(bytes).outer).toEqual({
      destinationPort: 4789,
      ttl: 64,
      tos: 0,
      dontFragment: isIpv4,
      udpChecksum: !isIpv4,
      ...outer,
    });
  });
});

describe('encapsulate', () => {
  const outer = overIpv4.outer;

  it.each([
    ['without a checksum over IPv6', overIpv6, { udpChecksum: false }],
    ['with a checksum over IPv4', overIpv4, { udpChecksum: true }],
    ['with everything at its greatest', overIpv4, { vni: 0xffffff, ttl: 255, tos: 255, destinationPort: 65535 }],
    ['with everything at its least', overIpv6, { vni: 0, ttl: 0, tos: 0, destinationPort: 0 }],
  ])('agrees with decapsulate and its outer: %s', (_, base, change) => {
    for (const length of [0, 1, 14, 60, 61, 63, 200, 1500, 1501]) {
      const inner = Uint8Array.from({ length }, (_, index) => index * 7);
      const full = { ...base.outer, ...change };
      const packet = vxlan.encapsulate(inner, full);
      const result = vxlan.decapsulate(packet, full.destinationPort);
      expect([result.reason, toHex(result.frame!)]).toEqual([0, toHex(inner)]);
      expect(result.outer).toMatchObject(change);
      expect(toHex(vxlan.encapsulate(result.frame!, result.outer!))).toBe(toHex(packet));
    }
  });

  it('has checksums that the slow way agrees with, wherever the frame lies', () => {
    for (const { outer: base } of [overIpv4, overIpv6]) {
      for (let shift = 0; shift < 4; shift++) {
        const inner = Uint8Array.from({ length: 300 }, (_, index) => index * 11).subarray(shift);
        const packet = vxlan.encapsulate(inner, { ...base, udpChecksum: true });
        const isIpv4 = packet[12] === 8;
        const at = isIpv4 ? 34 : 54;
        const sum = (isIpv4 ? ipv4 : ipv6).pseudoSum(packet, 14, 17, packet.length - at);
        expect(udp.checkChecksum(packet, at, sum, false)).toBe(Reason.sound);
        expect(vxlan.decapsulate(packet).reason).toBe(Reason.sound);
      }
    }
  });

  it('leaves the frame and the header as they were', () => {
    const inner = fromHex(overIpv4.inner);
    const header = vxlan.compile(outer);
    const before = toHex(header.bytes);
    const first = vxlan.encapsulate(inner, header);
    expect(toHex(inner)).toBe(overIpv4.inner);
    expect(toHex(header.bytes)).toBe(before);
    expect(vxlan.encapsulate(inner, header)).toEqual(first);
  });

  it('takes frames up to what 16 bits of length leave', () => {
    expect(vxlan.encapsulate(new Uint8Array(65535 - 36), outer)).toHaveLength(65535 + 14);
    expect(() => vxlan.encapsulate(new Uint8Array(65535 - 35), outer)).toThrow(/length of the outer packet/);
    expect(vxlan.encapsulate(new Uint8Array(65535 - 16), overIpv6.outer)).toHaveLength(65535 + 54);
    expect(() => vxlan.encapsulate(new Uint8Array(65535 - 15), overIpv6.outer)).toThrow(/length of the outer datagram/);
  });

  it.each([
    [{ sourceMac: 'x' }, 'bad-address'],
    [{ destinationMac: '' }, 'bad-address'],
    [{ sourceIp: '10.0.0' }, 'bad-address'],
    [{ destinationIp: 'fd00::1' }, 'bad-argument'],
    [{ sourceIp: 'fd00::1' }, 'bad-argument'],
    [{ sourcePort: 65536 }, 'out-of-range'],
    [{ destinationPort: -1 }, 'out-of-range'],
    [{ vni: 2 ** 24 }, 'out-of-range'],
    [{ ttl: 256 }, 'out-of-range'],
    [{ tos: 256 }, 'out-of-range'],
  ])('refuses %o', (change, code) => {
    const attempt = (): unknown => vxlan.encapsulate(new Uint8Array(60), { ...outer, ...change });
    expect(attempt).toThrow(MegaflowError);
    expect(attempt).toThrow(expect.objectContaining({ code }));
  });

  it('refuses a source port for one frame that does not fit', () => {
    expect(() => vxlan.encapsulate(new Uint8Array(60), vxlan.compile(outer), 65536)).toThrow(/sourcePort/);
  });
});

describe('decapsulate', () => {
  const reasonOf = (packet: Uint8Array, port?: number): string => reasonName(vxlan.decapsulate(packet, port).reason);
  /** A recorded packet with bytes changed, and its IPv4 header checksum made good. */
  const changed = (hex: string, at: number, bytes: string): Uint8Array => {
    const packet = fromHex(hex);
    packet.set(fromHex(bytes), at);
    if (packet[12] === 8 && packet[14] >>> 4 === 4 && (packet[14] & 15) >= 5) ipv4.writeChecksum(packet, 14);
    return packet;
  };

  it.each([
    ['not IP', 12, '0806', 'bad-type'],
    ['a tag', 12, '8100', 'bad-type'],
    ['IPv6 in name only', 12, '86dd', 'bad-version'],
    ['version 5', 14, '55', 'bad-version'],
    ['a header of 16 bytes', 14, '44', 'bad-header-length'],
    ['options', 14, '46', 'bad-option'],
    ['a total length below the header', 16, '0013', 'bad-total-length'],
    ['a total length beyond the end', 16, '006d', 'truncated'],
    ['no room for VXLAN', 16, '0023', 'truncated'],
    ['room for VXLAN, and nothing more', 16, '0024', 'sound'],
    ['a first fragment', 20, '2000', 'fragmented'],
    ['a later fragment', 20, '0001', 'fragmented'],
    ['DF', 20, '4000', 'sound'],
    ['a TTL of 0', 22, '00', 'sound'],
    ['TCP', 23, '06', 'bad-type'],
    ['another port', 36, '12b6', 'bad-port'],
    ['a UDP length of 0, which nobody looks at', 38, '0000', 'sound'],
    ['a wrong UDP checksum', 40, '0001', 'bad-checksum'],
    ['group policy', 42, '88', 'bad-flags'],
    ['a reserved byte', 49, '01', 'bad-reserved'],
    ['VXLAN-GPE with Ethernet', 42, '0c000003', 'sound'],
    ['VXLAN-GPE with an unknown protocol', 42, '0c000007', 'bad-type'],
  ])('over IPv4: %s', (_, at, bytes, reason) => {
    const packet = changed(overIpv4.packet, at, bytes);
    expect(reasonOf(packet)).toBe(reason);
    const { frame, outer, vni } = vxlan.decapsulate(packet);
    expect([frame === undefined, outer === undefined]).toEqual([reason !== 'sound', reason !== 'sound']);
    expect(vni).toBe(0);
  });

  it.each([
    ['version 4', 14, '40', 'bad-version'],
    ['a payload length beyond the end', 18, '005b', 'truncated'],
    ['no room for VXLAN', 18, '000f', 'truncated'],
    ['TCP', 20, '06', 'bad-type'],
    ['an extension header that does not end', 20, '00', 'bad-header-length'],
    ['another port', 56, '12b6', 'bad-port'],
    ['a wrong UDP checksum', 60, '2c3b', 'bad-checksum'],
    ['no UDP checksum', 60, '0000', 'sound'],
    ['a flipped bit of the inner frame', 100, 'fe', 'bad-checksum'],
  ])('over IPv6: %s', (_, at, bytes, reason) => {
    expect(reasonOf(changed(overIpv6.packet, at, bytes))).toBe(reason);
  });

  it('checks the checksum of the IPv4 header', () => {
    const packet = fromHex(overIpv4.packet);
    packet[24] ^= 1;
    expect(reasonOf(packet)).toBe('bad-checksum');
  });

  it('skips extension headers, and refuses fragments', () => {
    const { outer } = overIpv6;
    const datagram = vxlan.encapsulate(fromHex(overIpv6.inner), { ...outer, udpChecksum: true }).subarray(54);
    const packetWith = (extensions: ipv6.Ipv6Extension[]): Uint8Array => {
      const packet = new Uint8Array(200).fill(0xa5);
      packet.set(fromHex(overIpv6.packet).subarray(0, 14));
      const { sourceIp: source, destinationIp: destination } = outer;
      const header = { protocol: 17, payloadLength: datagram.length + 8, extensions };
      const length = ipv6.write(packet, 14, { type: 'ipv6', source, destination, ...header });
      packet.set(datagram, 14 + length);
      return packet.slice(0, 14 + length + datagram.length);
    };
    const { frame } = vxlan.decapsulate(packetWith([{ type: 'hop-by-hop', data: new Uint8Array(6) }]));
    expect(toHex(frame!)).toBe(overIpv6.inner);
    const fragment = { type: 'fragment', offset: 0, identification: 1 } as const;
    expect(reasonOf(packetWith([{ ...fragment, more: true }]))).toBe('fragmented');
    expect(reasonOf(packetWith([{ ...fragment, more: false }]))).toBe('sound');
  });

  it('gives everything behind the VXLAN header, padding too, to the inner frame', () => {
    const packet = new Uint8Array(fromHex(overIpv4.packet).length + 5);
    packet.set(fromHex(overIpv4.packet));
    expect(toHex(vxlan.decapsulate(packet).frame!)).toBe(`${overIpv4.inner}0000000000`);
  });

  it('takes the UDP checksum over the padding of the outer frame too, as Open vSwitch does', () => {
    const packet = new Uint8Array(fromHex(overIpv6.packet).length + 2);
    packet.set(fromHex(overIpv6.packet));
    expect(reasonOf(packet)).toBe('sound');
    packet[packet.length - 1] = 1;
    expect(reasonOf(packet)).toBe('bad-checksum');
  });

  it('expects the port that it is told', () => {
    const packet = vxlan.encapsulate(fromHex(overIpv4.inner), { ...overIpv4.outer, destinationPort: 8472 });
    expect(reasonOf(packet)).toBe('bad-port');
    expect(reasonOf(packet, 8472)).toBe('sound');
  });

  it('tells what VXLAN-GPE carries', () => {
    for (const [next, bytes] of [
      [1, '0c000001'],
      [2, '0c000002'],
      [3, '0c000003'],
      [4, '0c000004'],
    ] as const) {
      expect(vxlan.decapsulate(changed(overIpv4.packet, 42, bytes)).nextProtocol).toBe(next);
    }
  });

  it('answers for every cut, whatever stands behind it', () => {
    for (const { packet: hex } of recorded) {
      const packet = fromHex(hex);
      for (let length = 0; length < packet.length; length++) {
        const buffer = new Uint8Array(packet.length + 64).fill(0xff);
        buffer.set(packet);
        // The lengths in the headers are those of the whole, so every cut is one too many.
        expect([length, reasonOf(buffer.subarray(0, length))]).toEqual([length, 'truncated']);
      }
    }
  });

  it(`never throws, and what it accepts can be made again (seed ${seed})`, () => {
    const random = randomFrom(seed);
    for (let round = 0; round < 5000; round++) {
      const packet = mutate(fromHex(recorded[random(recorded.length)].packet), random);
      if (packet.length > 34 && random(2) === 0 && packet[14] === 0x45) ipv4.writeChecksum(packet, 14);
      const result = vxlan.decapsulate(packet);
      const { outer, frame } = result;
      expect(outer === undefined).toBe(result.reason !== 0);
      if (outer === undefined) continue;
      const again = vxlan.decapsulate(vxlan.encapsulate(frame!, outer));
      expect({ ...again.outer, frame: toHex(again.frame!) }, toHex(packet)).toEqual({ ...outer, frame: toHex(frame!) });
    }
  });

  it('does not let a checksum of 0xffff pass for none', () => {
    const packet = fromHex(overIpv6.packet);
    put16(packet, 60, 0xffff);
    expect(reasonOf(packet)).toBe('bad-checksum');
  });
});
