import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { Reason } from '../../src/util/reason.js';
import * as icmpv6 from '../../src/wire/icmpv6.js';
import * as ipv6 from '../../src/wire/ipv6.js';
import { testProtocol } from './contract.js';

const TARGET = '20010db8000000000000000000080294';

testProtocol('icmpv6', {
  module: icmpv6,
  vectors: [
    {
      origin: 'recording tx-1, step 3: neighbour solicitation with its source link-layer address',
      hex: `8700 12b2 00000000 ${TARGET} 0101020000000027`,
      soundAt: [24],
      value: {
        type: 'icmpv6',
        icmpType: 135,
        code: 0,
        checksum: 0x12b2,
        rest: 0,
        target: '2001:db8::8:294',
        options: [{ type: 'source-link-layer', mac: '02:00:00:00:00:27' }],
      },
    },
    {
      origin: 'recording ipv6-1, step 9: neighbour advertisement with its target link-layer address',
      hex: '8800 f6b9 a0000000 20010db800000000000000000002e282 020102000000 0011',
      soundAt: [24],
      value: {
        type: 'icmpv6',
        icmpType: 136,
        code: 0,
        checksum: 0xf6b9,
        rest: 0xa0000000,
        target: '2001:db8::2:e282',
        options: [{ type: 'target-link-layer', mac: '02:00:00:00:00:11' }],
      },
    },
    {
      origin: 'recording ipv6-1, step 3: echo request without data',
      hex: '8000 7db0 0001 002f',
      value: { type: 'icmpv6', icmpType: 128, code: 0, checksum: 0x7db0, identifier: 1, sequence: 47 },
    },
    {
      origin: 'by hand: packet too big with an MTU of 1430, first bytes of the packet',
      hex: '0200 ffff 00000596 60',
      needs: 8,
      value: { type: 'icmpv6', icmpType: 2, code: 0, checksum: 65535, rest: 1430 },
    },
    {
      origin: 'by hand: router solicitation with an option of unknown kind 14',
      hex: '8500 0000 00000000 0e02 0102030405060708090a0b0c0d0e',
      soundAt: [8],
      value: {
        type: 'icmpv6',
        icmpType: 133,
        code: 0,
        checksum: 0,
        rest: 0,
        options: [{ type: 'other', kind: 14, data: fromHex('0102030405060708090a0b0c0d0e') }],
      },
    },
    {
      origin: 'by hand: router advertisement with link-layer address, MTU, prefix',
      hex:
        '8600 1234 40 c0 0708 00007530 000003e8 0101 020000000001 0501 0000 000005dc' +
        '0304 40 c0 00015180 00003840 00000000 fd000010000000000000000000000000',
      soundAt: [16, 24, 32],
      value: {
        type: 'icmpv6',
        icmpType: 134,
        code: 0,
        checksum: 0x1234,
        hopLimit: 64,
        flags: 0xc0,
        lifetimeS: 1800,
        reachableTimeMs: 30000,
        retransmitTimeMs: 1000,
        options: [
          { type: 'source-link-layer', mac: '02:00:00:00:00:01' },
          { type: 'mtu', mtu: 1500 },
          {
            type: 'prefix',
            prefix: 'fd00:10::',
            prefixLength: 64,
            onLink: true,
            autonomous: true,
            validLifetimeS: 86400,
            preferredLifetimeS: 14400,
          },
        ],
      },
    },
    {
      origin: 'by hand: redirect; an MTU, a prefix and an address that reserved bits or lengths make `other`',
      hex:
        `8900 0000 00000000 ${TARGET} ff020000000000000000000000000001 0501 0001 000005dc` +
        '0304 40 20 00000001 00000002 00000000 fd000010000000000000000000000000 0102 00000000000000000000000000 00',
      soundAt: [40, 48, 80],
      value: {
        type: 'icmpv6',
        icmpType: 137,
        code: 0,
        checksum: 0,
        rest: 0,
        target: '2001:db8::8:294',
        destination: 'ff02::1',
        options: [
          { type: 'other', kind: 5, data: fromHex('0001 000005dc') },
          { type: 'other', kind: 3, data: fromHex('4020 00000001 00000002 00000000 fd000010000000000000000000000000') },
          { type: 'other', kind: 1, data: new Uint8Array(14) },
        ],
      },
    },
    {
      origin: 'by hand: a solicitation with code 1, which is none',
      hex: '8701 0000 12345678 00',
      needs: 8,
      value: { type: 'icmpv6', icmpType: 135, code: 1, checksum: 0, rest: 0x12345678 },
    },
  ],
  spoilt: [
    ['an option without length', 25, '00', Reason.badOption],
    ['an option beyond the end', 25, '02', Reason.badOption],
  ],
  accessors: {
    icmpType: icmpv6.icmpType,
    code: icmpv6.code,
    checksum: icmpv6.checksum,
    identifier: icmpv6.identifier,
    sequence: icmpv6.sequence,
    rest: icmpv6.rest,
    isNeighborDiscovery: icmpv6.isNeighborDiscovery,
    optionsOffset: icmpv6.optionsOffset,
    payloadOffset: icmpv6.payloadOffset,
    targetIfAny: (bytes, offset) => {
      return icmpv6.optionsOffset(bytes, offset) - offset >= 24 ? icmpv6.target(bytes, offset) : undefined;
    },
    linkLayerIfAny: (bytes, offset, end) => {
      if (!icmpv6.isNeighborDiscovery(bytes, offset)) return undefined;
      const at = icmpv6.findOption(bytes, icmpv6.optionsOffset(bytes, offset), end, 1);
      return at < 0 ? undefined : icmpv6.linkLayer(bytes, at);
    },
    checkChecksum: (bytes, offset, end) => icmpv6.checkChecksum(bytes, offset, end, 0),
  },
  unwritable: [
    ['icmpType', 256],
    ['code', 256],
    ['checksum', 65536],
    ['rest', 2 ** 32],
    ['target', '1.1.1.1'],
    ['options', [{ type: 'source-link-layer', mac: '' }]],
    ['options', [{ type: 'mtu', mtu: -1 }]],
    ['options', [{ type: 'other', kind: 256, data: new Uint8Array(6) }]],
    ['options', [{ type: 'other', kind: 1, data: new Uint8Array(7) }]],
    ['options', [{ type: 'other', kind: 1, data: new Uint8Array(2046) }]],
  ],
});

describe('the options of neighbour discovery', () => {
  const advertisement = fromHex('8800 0000 a0000000' + TARGET + '0101020000000001 0501000000000005 0201020000000002');

  it('are found by their kind', () => {
    const start = icmpv6.optionsOffset(advertisement, 0);
    const find = (kind: number): number => icmpv6.findOption(advertisement, start, advertisement.length, kind);
    const { sourceLinkLayer, targetLinkLayer, mtu, prefix } = icmpv6.OptionKind;
    expect([sourceLinkLayer, mtu, targetLinkLayer, prefix].map(find)).toEqual([24, 32, 40, -1]);
    expect(icmpv6.linkLayer(advertisement, 40)).toBe(0x0200_0000_0002);
  });

  it('may be cut only between two of them', () => {
    for (let length = 0; length <= advertisement.length; length++) {
      const reason = icmpv6.check(advertisement, 0, length);
      if (length < 24) expect(reason).toBe(Reason.truncated);
      else expect(reason).toBe(length % 8 === 0 ? Reason.sound : Reason.badOption);
    }
  });
});

describe('the checksum of ICMPv6', () => {
  // Recording ipv6-1, step 9, without the Ethernet header.
  const packet = fromHex(
    '6000000000203aff20010db800000000000000000004cdb720010db800000000000000000007a3658800f6b9a000000020010db8' +
      '00000000000000000002e2820201020000000011',
  );
  const sum = ipv6.pseudoSum(packet, 0, 58, 32);

  it('agrees with the recording', () => {
    expect(icmpv6.checkChecksum(packet, 40, packet.length, sum)).toBe(Reason.sound);
    const copy = packet.slice();
    copy[71] ^= 1;
    expect(icmpv6.checkChecksum(copy, 40, copy.length, sum)).toBe(Reason.badChecksum);
    copy[71] ^= 1;
    copy.set([0xa5, 0xa5], 42);
    icmpv6.writeChecksum(copy, 40, copy.length, sum);
    expect(toHex(copy)).toBe(toHex(packet));
  });
});

it('refuses second words, times and addresses that do not fit', () => {
  const write = (message: Partial<icmpv6.Icmpv6> & { icmpType: number }) => () =>
    icmpv6.write(new Uint8Array(64), 0, { type: 'icmpv6', ...message });
  expect(write({ icmpType: 128, identifier: 65536 })).toThrow(/identifier/);
  expect(write({ icmpType: 128, sequence: 65536 })).toThrow(/sequence/);
  expect(write({ icmpType: 134, hopLimit: 256 })).toThrow(/hopLimit/);
  expect(write({ icmpType: 134, flags: 256 })).toThrow(/flags/);
  expect(write({ icmpType: 134, lifetimeS: 65536 })).toThrow(/lifetimeS/);
  expect(write({ icmpType: 134, reachableTimeMs: 2 ** 32 })).toThrow(/reachableTimeMs/);
  expect(write({ icmpType: 134, retransmitTimeMs: 2 ** 32 })).toThrow(/retransmitTimeMs/);
  expect(write({ icmpType: 137, destination: 'x' })).toThrow(/IPv6/);
});

it('writes what is left out as zeros, over whatever was there', () => {
  for (const [icmpType, length] of [
    [128, 8],
    [133, 8],
    [134, 16],
    [135, 24],
    [136, 24],
    [137, 40],
    [1, 8],
  ]) {
    const bytes = new Uint8Array(64).fill(0xa5);
    expect(icmpv6.write(bytes, 0, { type: 'icmpv6', icmpType })).toBe(length);
    expect(toHex(bytes, 0, length)).toBe(
      icmpType
        .toString(16)
        .padStart(2, '0')
        .padEnd(2 * length, '0'),
    );
  }
});
