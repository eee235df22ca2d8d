import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { Reason } from '../../src/util/reason.js';
import * as ipv4 from '../../src/wire/ipv4.js';
import { testProtocol } from './contract.js';

// Recording tx-1, step 3: IPv4 header of the first outer frame on ens8, its total length made that of the header and
// two bytes of data, its checksum kept.
const OUTER = '4520 0016 0000 0000 0a11 883d 0a0a0a01 0a0a0a02 0102';

const plain = {
  type: 'ipv4',
  version: 4,
  headerLength: 20,
  tos: 0x20,
  totalLength: 22,
  identification: 0,
  reservedFlag: false,
  dontFragment: false,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 10,
  protocol: 17,
  checksum: 0x883d,
  source: '10.10.10.1',
  destination: '10.10.10.2',
  options: new Uint8Array(0),
};

testProtocol('ipv4', {
  module: ipv4,
  vectors: [
    { origin: 'recording tx-1, step 3', hex: OUTER, value: plain },
    {
      origin: 'by hand: all flags, the last fragment offset, router alert (RFC 2113), end of list; padding',
      hex: '47ff 001c ffff ffff ff06 ffff ffffffff 00000000 94040000 01000000 a5',
      needs: 28,
      value: {
        ...plain,
        headerLength: 28,
        tos: 255,
        totalLength: 28,
        identification: 65535,
        reservedFlag: true,
        dontFragment: true,
        moreFragments: true,
        fragmentOffset: 65528,
        ttl: 255,
        protocol: 6,
        checksum: 65535,
        source: '255.255.255.255',
        destination: '0.0.0.0',
        options: fromHex('94040000 01000000'),
      },
    },
  ],
  spoilt: [
    ['version 6', 0, '65', Reason.badVersion],
    ['version 0', 0, '05', Reason.badVersion],
    ['a header length of 16', 0, '44', Reason.badHeaderLength],
    ['a header longer than the packet', 0, '4f', Reason.badTotalLength],
    ['a header beyond the end', 0, '4f20003c', Reason.truncated],
    ['a total length of 0', 2, '0000', Reason.badTotalLength],
    ['a total length below the header', 2, '0013', Reason.badTotalLength],
    ['a total length beyond the end', 2, '0017', Reason.truncated],
  ],
  accessors: {
    version: ipv4.version,
    headerLength: ipv4.headerLength,
    tos: ipv4.tos,
    totalLength: ipv4.totalLength,
    identification: ipv4.identification,
    reservedFlag: ipv4.reservedFlag,
    dontFragment: ipv4.dontFragment,
    moreFragments: ipv4.moreFragments,
    fragmentOffset: ipv4.fragmentOffset,
    isFragment: ipv4.isFragment,
    ttl: ipv4.ttl,
    protocol: ipv4.protocol,
    checksum: ipv4.checksum,
    source: ipv4.source,
    destination: ipv4.destination,
    payloadOffset: ipv4.payloadOffset,
    payloadEnd: ipv4.payloadEnd,
    checkChecksum: ipv4.checkChecksum,
    checkOptions: ipv4.checkOptions,
    parseOptions: ipv4.parseOptions,
    pseudoSum: (bytes, offset) => ipv4.pseudoSum(bytes, offset, 17, 8),
  },
  setters: {
    tos: [ipv4.setTos, 0xfe],
    totalLength: [ipv4.setTotalLength, 21],
    ttl: [ipv4.setTtl, 0xfe],
    checksum: [ipv4.setChecksum, 0xfedc],
    source: [ipv4.setSource, 0xfedcba98, '254.220.186.152'],
    destination: [ipv4.setDestination, 0xfedcba98, '254.220.186.152'],
  },
  unwritable: [
    ['version', 16],
    ['headerLength', 64],
    ['headerLength', 22],
    ['tos', 256],
    ['totalLength', 65536],
    ['identification', 65536],
    ['fragmentOffset', 65536],
    ['fragmentOffset', 12],
    ['ttl', 256],
    ['protocol', 256],
    ['checksum', 65536],
    ['source', 'fd00::1'],
    ['destination', '1.2.3'],
    ['options', new Uint8Array(3)],
    ['options', new Uint8Array(44)],
  ],
});

describe('the checksum of IPv4', () => {
  // Recording tx-1, step 3: as Open vSwitch sent it.
  const header = fromHex('4520007a000000000a11883d0a0a0a010a0a0a02');

  it('agrees with the recording', () => {
    expect(ipv4.checkChecksum(header, 0)).toBe(Reason.sound);
    const copy = header.slice();
    copy.set([0xa5, 0xa5], 10);
    expect(ipv4.checkChecksum(copy, 0)).toBe(Reason.badChecksum);
    ipv4.writeChecksum(copy, 0);
    expect(toHex(copy)).toBe(toHex(header));
  });

  it('is computed by `write` when it is left out, over options too, and kept when given', () => {
    const bytes = new Uint8Array(28).fill(0xa5);
    const fields = { type: 'ipv4', source: '1.1.1.1', destination: '1.1.1.2' } as const;
    ipv4.write(bytes, 0, { ...fields, options: fromHex('9404000001000000') });
    expect(ipv4.checkChecksum(bytes, 0)).toBe(Reason.sound);
    ipv4.write(bytes, 0, { ...fields, checksum: 0 });
    expect(ipv4.checksum(bytes, 0)).toBe(0);
  });
});

it.each([
  [false, false, 0, false],
  [false, true, 0, true],
  [true, true, 0, true],
  [false, false, 8, true],
  [false, true, 1480, true],
  [true, false, 0, false],
])('tells a fragment: DF %s, MF %s, offset %s', (dontFragment, moreFragments, fragmentOffset, isFragment) => {
  const bytes = new Uint8Array(20);
  const flags = { dontFragment, moreFragments, fragmentOffset };
  ipv4.write(bytes, 0, { type: 'ipv4', source: '1.1.1.1', destination: '1.1.1.2', ...flags });
  expect(ipv4.isFragment(bytes, 0)).toBe(isFragment);
  expect(ipv4.parse(bytes)).toMatchObject(flags);
});

describe('options of IPv4', () => {
  const withOptions = (hex: string): Uint8Array => {
    const options = fromHex(hex);
    const bytes = new Uint8Array(20 + options.length + 4).fill(0xff);
    ipv4.write(bytes, 0, { type: 'ipv4', source: '1.1.1.1', destination: '1.1.1.2', options });
    return bytes;
  };

  it.each([
    ['none', '', Reason.sound, []],
    ['router alert', '94040000', Reason.sound, [[0x94, '0000']]],
    ['no-operation, timestamp, end, rubbish', '0144040500 00ffff', Reason.sound, [[0x44, '0500']]],
    ['only no-operations', '01010101', Reason.sound, []],
    ['a length of 0', '9400 0101', Reason.badOption, []],
    ['a length of 1', '0194 0101', Reason.badOption, []],
    ['a length one beyond the header', '94040000 0705ff01', Reason.badOption, [[0x94, '0000']]],
    ['a kind without a length', '010101 94', Reason.badOption, []],
  ])('%s', (_, hex, reason, expected) => {
    const bytes = withOptions(hex);
    expect(ipv4.checkOptions(bytes, 0)).toBe(reason);
    expect(ipv4.parseOptions(bytes, 0).map(({ kind, data }) => [kind, toHex(data)])).toEqual(expected);
  });
});
