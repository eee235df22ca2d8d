import { expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { Reason } from '../../src/util/reason.js';
import * as icmp from '../../src/wire/icmp.js';
import { testProtocol } from './contract.js';

testProtocol('icmp', {
  module: icmp,
  vectors: [
    {
      origin: 'by hand: echo request',
      hex: '0800 f7ff 1234 0001 00',
      needs: 8,
      value: { type: 'icmp', icmpType: 8, code: 0, checksum: 0xf7ff, identifier: 0x1234, sequence: 1 },
    },
    {
      origin: 'by hand: fragmentation needed (RFC 1191) with an MTU of 1450',
      hex: '0304 abcd 0000 05aa',
      value: { type: 'icmp', icmpType: 3, code: 4, checksum: 0xabcd, rest: 1450 },
    },
    {
      origin: 'by hand: redirect to 10.10.10.254',
      hex: '0501 0000 0a0a0afe',
      value: { type: 'icmp', icmpType: 5, code: 1, checksum: 0, rest: 0x0a0a0afe },
    },
    {
      origin: 'by hand: timestamp reply',
      hex: '0e00 0000 ffff 0002',
      value: { type: 'icmp', icmpType: 14, code: 0, checksum: 0, identifier: 65535, sequence: 2 },
    },
  ],
  spoilt: [],
  accessors: {
    icmpType: icmp.icmpType,
    code: icmp.code,
    checksum: icmp.checksum,
    identifier: icmp.identifier,
    sequence: icmp.sequence,
    rest: icmp.rest,
    mtu: icmp.mtu,
    checkChecksum: icmp.checkChecksum,
  },
  setters: { icmpType: [icmp.setType, 0] },
  unwritable: [
    ['icmpType', 256],
    ['code', 256],
    ['checksum', 65536],
    ['identifier', 65536],
    ['sequence', 65536],
  ],
});

it('does not write a second word that does not fit', () => {
  expect(() => icmp.write(new Uint8Array(8), 0, { type: 'icmp', icmpType: 3, rest: 2 ** 32 })).toThrow(/rest/);
});

it('has the checksum of the recording seed-1, step 8: an echo request of ping', () => {
  const recorded =
    '0800db2c25bf0001' +
    '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637';
  const message = fromHex(recorded);
  expect(icmp.checkChecksum(message, 0, message.length)).toBe(Reason.sound);
  message[63] ^= 1;
  expect(icmp.checkChecksum(message, 0, message.length)).toBe(Reason.badChecksum);
  message[63] ^= 1;
  message.set([0xa5, 0xa5], 2);
  icmp.writeChecksum(message, 0, message.length);
  expect(toHex(message)).toBe(recorded);
});
