import { describe, expect, it } from 'vitest';
import { fromHex } from '../../src/util/bytes.js';
import { Reason } from '../../src/util/reason.js';
import * as ipv6 from '../../src/wire/ipv6.js';
import { testProtocol } from './contract.js';

const ADDRESSES = 'fd000010000000000000000000000001 fd000010000000000000000000000002';

const plain = {
  type: 'ipv6',
  version: 6,
  trafficClass: 0x02,
  flowLabel: 0,
  payloadLength: 2,
  protocol: 17,
  hopLimit: 64,
  source: 'fd00:10::1',
  destination: 'fd00:10::2',
  extensions: [],
};

testProtocol('ipv6', {
  module: ipv6,
  vectors: [
    {
      origin: 'recording ipv6-1, step 6: outer header on ens8, with two bytes of data instead of the datagram',
      hex: `60200000 0002 11 40 ${ADDRESSES} 0102`,
      value: plain,
    },
    {
      origin: 'by hand: hop-by-hop, routing, authentication (12 bytes), destination, fragment, no data; padding',
      hex:
        `6abcdef1 0034 00 ff ${ADDRESSES} 2b00050200000100 3c01aabbccddeeff00112233445566 77` +
        '3300010402040000 2c01 0000 11223344 55667788 11ff 0007 01020304 a5a5',
      needs: 92,
      value: {
        ...plain,
        trafficClass: 0xab,
        flowLabel: 0xcdef1,
        payloadLength: 52,
        protocol: 17,
        hopLimit: 255,
        extensions: [
          { type: 'hop-by-hop', data: fromHex('050200000100') },
          { type: 'routing', data: fromHex('aabbccddeeff0011223344556677') },
          { type: 'destination', data: fromHex('010402040000') },
          { type: 'authentication', data: fromHex('00001122334455667788') },
          { type: 'fragment', offset: 0, more: true, identification: 0x01020304, reserved: 0x3ff },
        ],
      },
    },
    {
      origin: 'by hand: a later fragment, whose data look like an extension header',
      hex: `60000000 0009 2c 01 ${ADDRESSES} 00 00 0008 00000001 ff`,
      value: {
        ...plain,
        trafficClass: 0,
        payloadLength: 9,
        protocol: 0,
        hopLimit: 1,
        extensions: [{ type: 'fragment', offset: 8, more: false, identification: 1, reserved: 0 }],
      },
    },
  ],
  spoilt: [
    ['version 4', 0, '45', Reason.badVersion],
    ['a payload length beyond the end', 4, '0003', Reason.truncated],
    ['an extension header longer than the payload', 6, '00', Reason.badHeaderLength],
    ['a fragment header longer than the payload', 6, '2c', Reason.badHeaderLength],
    ['an empty payload with an extension header', 4, '00003c', Reason.badHeaderLength],
  ],
  accessors: {
    version: ipv6.version,
    trafficClass: ipv6.trafficClass,
    flowLabel: ipv6.flowLabel,
    payloadLength: ipv6.payloadLength,
    nextHeader: ipv6.nextHeader,
    hopLimit: ipv6.hopLimit,
    source: ipv6.source,
    destination: ipv6.destination,
    protocol: ipv6.protocol,
    payloadOffset: ipv6.payloadOffset,
    payloadEnd: ipv6.payloadEnd,
    isFragment: ipv6.isFragment,
    fragmentOffset: ipv6.fragmentOffset,
    moreFragments: ipv6.moreFragments,
    identification: ipv6.identification,
    pseudoSum: (bytes, offset) => ipv6.pseudoSum(bytes, offset, 17, 8),
  },
  setters: {
    trafficClass: [ipv6.setTrafficClass, 0xa5],
    payloadLength: [ipv6.setPayloadLength, 1],
    hopLimit: [ipv6.setHopLimit, 0xfe],
  },
  unwritable: [
    ['version', 16],
    ['trafficClass', 256],
    ['flowLabel', 0x100000],
    ['payloadLength', 65536],
    ['protocol', 256],
    ['hopLimit', 256],
    ['source', '1.1.1.1'],
    ['destination', 'fd00::1::2'],
    ['extensions', [{ type: 'routing', data: new Uint8Array(7) }]],
    ['extensions', [{ type: 'hop-by-hop', data: new Uint8Array(2054) }]],
    ['extensions', [{ type: 'authentication', data: new Uint8Array(8) }]],
    ['extensions', [{ type: 'fragment', offset: 7, more: true, identification: 0 }]],
    ['extensions', [{ type: 'fragment', offset: 8, more: true, identification: 2 ** 32 }]],
    ['extensions', [{ type: 'fragment', offset: 8, more: true, identification: 0, reserved: 1024 }]],
  ],
});

describe('extension headers', () => {
  const build = (extensions: ipv6.Ipv6Extension[], protocol = 17): Uint8Array => {
    const bytes = new Uint8Array(200);
    const length = ipv6.write(bytes, 0, { type: 'ipv6', source: '::1', destination: '::2', protocol, extensions });
    return bytes.slice(0, length);
  };
  const fragment = (offset: number, more: boolean): ipv6.Ipv6Extension => ({
    type: 'fragment',
    offset,
    more,
    identification: 7,
  });

  it.each([
    ['atomic', [fragment(0, false)], false, 0, false, 0],
    ['first', [fragment(0, true)], true, 0, true, 7],
    ['middle', [fragment(1480, true)], true, 1480, true, 7],
    ['last', [fragment(65528, false)], true, 65528, false, 7],
    ['atomic before a later one', [fragment(0, false), fragment(8, false)], true, 8, false, 7],
  ])('tell a fragment: %s', (_, extensions, isFragment, offset, more, identification) => {
    const bytes = build(extensions);
    expect(ipv6.isFragment(bytes, 0)).toBe(isFragment);
    expect(ipv6.fragmentOffset(bytes, 0)).toBe(offset);
    expect(ipv6.moreFragments(bytes, 0)).toBe(more);
    expect(ipv6.identification(bytes, 0)).toBe(identification);
    expect(ipv6.payloadOffset(bytes, 0)).toBe(40 + 8 * extensions.length);
  });

  it('end where ESP or no next header begins', () => {
    for (const protocol of [50, 59, 58]) {
      const bytes = build([{ type: 'hop-by-hop', data: new Uint8Array(6) }], protocol);
      expect(ipv6.protocol(bytes, 0)).toBe(protocol);
      expect(ipv6.payloadOffset(bytes, 0)).toBe(48);
    }
  });

  it('are padded to their least length', () => {
    expect(build([{ type: 'destination', data: new Uint8Array(0) }])).toHaveLength(48);
  });
});
