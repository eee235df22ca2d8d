import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { Reason } from '../../src/util/reason.js';
import * as ipv6 from '../../src/wire/ipv6.js';
import * as udp from '../../src/wire/udp.js';
import { testProtocol } from './contract.js';

testProtocol('udp', {
  module: udp,
  vectors: [
    {
      origin: 'by hand: 1111 to 53, three bytes of data',
      hex: '0457 0035 000b 1234 010203',
      value: { type: 'udp', sourcePort: 1111, destinationPort: 53, length: 11, checksum: 0x1234 },
    },
    {
      origin: 'by hand: no data, and padding behind it',
      hex: 'ffff 12b5 0008 0000 0000',
      needs: 8,
      value: { type: 'udp', sourcePort: 65535, destinationPort: 4789, length: 8, checksum: 0 },
    },
  ],
  spoilt: [
    ['a length of 0', 4, '0000', Reason.badTotalLength],
    ['a length below the header', 4, '0007', Reason.badTotalLength],
    ['a length beyond the end', 4, '000c', Reason.truncated],
  ],
  accessors: {
    sourcePort: udp.sourcePort,
    destinationPort: udp.destinationPort,
    length: udp.length,
    checksum: udp.checksum,
    payloadEnd: udp.payloadEnd,
    checkChecksum: (bytes, offset) => udp.checkChecksum(bytes, offset, 17, true),
  },
  setters: {
    sourcePort: [udp.setSourcePort, 0xfedc],
    destinationPort: [udp.setDestinationPort, 0xfedc],
    length: [udp.setLength, 10],
    checksum: [udp.setChecksum, 0xfedc],
  },
  unwritable: [
    ['sourcePort', 65536],
    ['destinationPort', -1],
    ['length', 65536],
    ['checksum', NaN],
  ],
});

describe('the checksum of UDP', () => {
  // Recording ipv6-1, step 0: the first outer packet on ens8, behind its Ethernet header. Open vSwitch computed 0x2c3a.
  const packet = fromHex(
    '60000000005a1140fd000010000000000000000000000001fd000010000000000000000000000002a72a12b5005a2c3a0800000000004200' +
      '02000000000402000000001608004500003c337e00000202296cac1001e9ac1001cd5b57b6f7e6ac9c925b4b5b10389f134af8331e90c' +
      'e92c1e940381ddc028fd2f5f23b20cb57e9eb43',
  );
  const sum = ipv6.pseudoSum(packet, 0, 17, 90);

  it('agrees with the recording, and leaves the packet as it was', () => {
    const before = toHex(packet);
    expect(udp.checkChecksum(packet, 40, sum, false)).toBe(Reason.sound);
    expect(toHex(packet)).toBe(before);
    const copy = packet.slice();
    udp.setChecksum(copy, 40, 0xa5a5);
    udp.writeChecksum(copy, 40, copy.length, sum);
    expect(toHex(copy)).toBe(before);
  });

  it('misses no flipped bit of data, ports or length', () => {
    for (const at of [40, 43, 48, 60, packet.length - 1]) {
      const copy = packet.slice();
      copy[at] ^= 4;
      expect(udp.checkChecksum(copy, 40, sum, true)).toBe(Reason.badChecksum);
    }
  });

  it('may be 0 only where the caller says so', () => {
    const copy = packet.slice();
    udp.setChecksum(copy, 40, 0);
    expect(udp.checkChecksum(copy, 40, sum, true)).toBe(Reason.sound);
    expect(udp.checkChecksum(copy, 40, sum, false)).toBe(Reason.badChecksum);
  });

  it('is sent as 0xffff when it comes out as 0', () => {
    // By hand: 1 + 2 + 10 + 0xfff2 is 0xffff, whose complement is 0.
    const bytes = fromHex('0001 0002 000a 0000 fff2');
    udp.writeChecksum(bytes, 0, 10, 0);
    expect(udp.checksum(bytes, 0)).toBe(0xffff);
    expect(udp.checkChecksum(bytes, 0, 0, true)).toBe(Reason.sound);
  });
});
