import { expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { Reason } from '../../src/util/reason.js';
import * as sctp from '../../src/wire/sctp.js';
import { randomFrom, seed, testProtocol } from './contract.js';

testProtocol('sctp', {
  module: sctp,
  vectors: [
    {
      origin: 'by hand: ports 5 and 6, with the first bytes of a chunk',
      hex: '0005 0006 89abcdef fedcba98 0003',
      needs: 12,
      value: {
        type: 'sctp',
        sourcePort: 5,
        destinationPort: 6,
        verificationTag: 0x89abcdef,
        checksum: 0xfedcba98,
      },
    },
  ],
  spoilt: [],
  accessors: {
    sourcePort: sctp.sourcePort,
    destinationPort: sctp.destinationPort,
    verificationTag: sctp.verificationTag,
    checksum: sctp.checksum,
    checkChecksum: sctp.checkChecksum,
  },
  setters: {
    sourcePort: [sctp.setSourcePort, 0xfedc],
    destinationPort: [sctp.setDestinationPort, 0xfedc],
  },
  unwritable: [
    ['sourcePort', 65536],
    ['destinationPort', 65536],
    ['verificationTag', 2 ** 32],
    ['checksum', 2 ** 32],
  ],
});

/** CRC32c bit by bit, as four bytes in the order of the wire. */
function slowCrc(bytes: Uint8Array): string {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  crc = ~crc;
  return toHex(Uint8Array.of(crc, crc >>> 8, crc >>> 16, crc >>> 24));
}

it('has the CRC32c of RFC 3720, appendix B.4, in its oracle', () => {
  expect(slowCrc(new Uint8Array(32))).toBe('aa36918a');
  expect(slowCrc(new Uint8Array(32).fill(0xff))).toBe('43aba862');
  expect(slowCrc(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe('4e79dd46');
});

it('has the checksum of RFC 3720, appendix B.4, for a packet of 32 zeros', () => {
  const bytes = fromHex('a5'.repeat(8) + '00'.repeat(32));
  bytes.set([0xa5, 0xa5, 0xa5, 0xa5], 16);
  sctp.writeChecksum(bytes, 8, 40);
  expect(toHex(bytes, 16, 20)).toBe('aa36918a');
  expect(sctp.checkChecksum(bytes, 8, 40)).toBe(Reason.sound);
});

it(`has the checksum of the oracle for random packets (seed ${seed})`, () => {
  const random = randomFrom(seed);
  for (let round = 0; round < 200; round++) {
    const bytes = Uint8Array.from({ length: 12 + random(100) }, () => random(256));
    sctp.writeChecksum(bytes, 0, bytes.length);
    const zeroed = bytes.slice().fill(0, 8, 12);
    expect(toHex(bytes, 8, 12)).toBe(slowCrc(zeroed));
    expect(sctp.checkChecksum(bytes, 0, bytes.length)).toBe(Reason.sound);
    bytes[random(bytes.length)] ^= 1 << random(8);
    expect(sctp.checkChecksum(bytes, 0, bytes.length)).toBe(Reason.badChecksum);
  }
});
