import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { Reason } from '../../src/util/reason.js';
import * as ipv4 from '../../src/wire/ipv4.js';
import * as tcp from '../../src/wire/tcp.js';
import { testProtocol } from './contract.js';

testProtocol('tcp', {
  module: tcp,
  vectors: [
    {
      origin: 'by hand: SYN with the maximum segment size and a window scale, one byte of data',
      hex: '0457 0050 89abcdef 00000000 7002 ffff 1234 0000 020405b4 01030307 ff',
      needs: 28,
      value: {
        type: 'tcp',
        sourcePort: 1111,
        destinationPort: 80,
        sequence: 0x89abcdef,
        acknowledgment: 0,
        headerLength: 28,
        flags: 2,
        window: 65535,
        checksum: 0x1234,
        urgentPointer: 0,
        options: fromHex('020405b4 01030307'),
      },
    },
    {
      origin: 'recording tx-1, step 3: inner header',
      hex: '3842 5700 50000000 00000000 5012 2000 091c 0000',
      needs: 20,
      value: {
        type: 'tcp',
        sourcePort: 0x3842,
        destinationPort: 0x5700,
        sequence: 0x50000000,
        acknowledgment: 0,
        headerLength: 20,
        flags: 0x12,
        window: 0x2000,
        checksum: 0x091c,
        urgentPointer: 0,
        options: new Uint8Array(0),
      },
    },
    {
      origin: 'by hand: all flags and reserved bits, an urgent pointer',
      hex: 'ffff 0001 00000001 ffffffff 5fff 0001 ffff fffe',
      value: {
        type: 'tcp',
        sourcePort: 65535,
        destinationPort: 1,
        sequence: 1,
        acknowledgment: 0xffffffff,
        headerLength: 20,
        flags: 0xfff,
        window: 1,
        checksum: 65535,
        urgentPointer: 65534,
        options: new Uint8Array(0),
      },
    },
  ],
  spoilt: [
    ['a data offset of 0', 12, '00', Reason.badHeaderLength],
    ['a data offset of 4 words', 12, '40', Reason.badHeaderLength],
    ['a data offset beyond the end', 12, '80', Reason.truncated],
  ],
  accessors: {
    sourcePort: tcp.sourcePort,
    destinationPort: tcp.destinationPort,
    sequence: tcp.sequence,
    acknowledgment: tcp.acknowledgment,
    headerLength: tcp.headerLength,
    flags: tcp.flags,
    window: tcp.window,
    checksum: tcp.checksum,
    urgentPointer: tcp.urgentPointer,
    payloadOffset: tcp.payloadOffset,
    checkOptions: tcp.checkOptions,
    parseOptions: tcp.parseOptions,
    checkChecksum: (bytes, offset, end) => tcp.checkChecksum(bytes, offset, end, 0),
  },
  setters: {
    sourcePort: [tcp.setSourcePort, 0xfedc],
    destinationPort: [tcp.setDestinationPort, 0xfedc],
  },
  unwritable: [
    ['sourcePort', 65536],
    ['destinationPort', 65536],
    ['sequence', 2 ** 32],
    ['acknowledgment', -1],
    ['headerLength', 64],
    ['headerLength', 21],
    ['flags', 4096],
    ['window', 65536],
    ['checksum', 65536],
    ['urgentPointer', 65536],
    ['options', new Uint8Array(2)],
    ['options', new Uint8Array(44)],
  ],
});

describe('the checksum of TCP', () => {
  // Recording tx-1, step 4: the received packet, without its Ethernet header.
  const packet = fromHex(
    '4500003a228740004006bc2cac10033aac1000b047f701bb000000000000000050012000c1ef00005e581114adc5238047cdffae8a9a35b2' +
      'dfa9',
  );
  const sum = ipv4.pseudoSum(packet, 0, 6, packet.length - 20);

  it('agrees with the recording', () => {
    expect(tcp.checkChecksum(packet, 20, packet.length, sum)).toBe(Reason.sound);
    const copy = packet.slice();
    copy[40] ^= 1;
    expect(tcp.checkChecksum(copy, 20, copy.length, sum)).toBe(Reason.badChecksum);
    copy[40] ^= 1;
    copy.set([0xa5, 0xa5], 36);
    tcp.writeChecksum(copy, 20, copy.length, sum);
    expect(toHex(copy)).toBe(toHex(packet));
  });
});

describe('options of TCP', () => {
  it.each([
    ['none', '', Reason.sound, []],
    ['size, SACK permitted, timestamps', '020405b4 0402 080a 00000001 00000002', Reason.sound, [2, 4, 8]],
    ['no-operations, scale, end, rubbish', '01 030307 00ffffff', Reason.sound, [3]],
    ['a length of 0', '0200 0101', Reason.badOption, []],
    ['a length of 1', '0201 0101', Reason.badOption, []],
    ['a length one beyond the header', '020405b4 08050000', Reason.badOption, [2]],
    ['a kind without a length', '010101 02', Reason.badOption, []],
  ])('%s', (_, hex, reason, kinds) => {
    const options = fromHex(hex);
    const bytes = new Uint8Array(20 + options.length + 4).fill(0xff);
    tcp.write(bytes, 0, { type: 'tcp', sourcePort: 1, destinationPort: 2, options });
    expect(tcp.checkOptions(bytes, 0)).toBe(reason);
    expect(tcp.parseOptions(bytes, 0).map(({ kind }) => kind)).toEqual(kinds);
  });

  it('are handed out as copies of what follows their lengths', () => {
    const bytes = new Uint8Array(28);
    tcp.write(bytes, 0, { type: 'tcp', sourcePort: 1, destinationPort: 2, options: fromHex('020405b4 01030307') });
    expect(tcp.parseOptions(bytes, 0)).toEqual([
      { kind: 2, data: fromHex('05b4') },
      { kind: 3, data: fromHex('07') },
    ]);
  });
});
