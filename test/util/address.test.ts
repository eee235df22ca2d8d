// Addresses as text: what is read, what is refused, what is printed, and that each survives the other.
import { describe, expect, it } from 'vitest';
import {
  formatIp,
  formatIpv4,
  formatIpv6,
  formatMac,
  parseIp,
  parseIpv4,
  parseIpv6,
  parseMac,
  parsePrefix,
} from '../../src/util/address.js';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { MegaflowError } from '../../src/util/errors.js';
import { randomFrom, seed } from '../wire/contract.js';

/** The error that `act` throws, reduced to what programs look at. */
function refusal(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof MegaflowError)) throw error;
    return { code: error.code, value: error.value, hasAllowed: error.allowed.length > 0 };
  }
}

const refused = (value: unknown): unknown => ({ code: 'bad-address', value, hasAllowed: true });

describe('MAC addresses', () => {
  it.each([
    ['aa:55:aa:55:00:01', 0xaa55aa550001],
    ['00:00:00:00:00:00', 0],
    ['ff:ff:ff:ff:ff:ff', 0xffffffffffff],
    ['02:00:00:00:00:0a', 0x02000000000a],
  ])('%s is a number and back', (text, mac) => {
    expect(parseMac(text)).toBe(mac);
    expect(formatMac(mac)).toBe(text);
  });

  it('reads either case and single digits', () => {
    expect(formatMac(parseMac('A:B:c:0D:eE:f'))).toBe('0a:0b:0c:0d:ee:0f');
  });

  it.each([
    '',
    'aa:55:aa:55:00',
    'aa:55:aa:55:00:01:02',
    'aa-55-aa-55-00-01',
    'aa:55:aa:55:00:1g',
    'aaa:5:aa:55:00:1',
    ' aa:55:aa:55:00:01',
    'aa:55:aa:55:00:01\n',
  ])('refuses %j', (text) => {
    expect(refusal(() => parseMac(text))).toEqual(refused(text));
  });
});

describe('IPv4 addresses', () => {
  it.each([
    ['10.10.10.1', 0x0a0a0a01],
    ['0.0.0.0', 0],
    ['255.255.255.255', 0xffffffff],
    ['128.0.0.1', 0x80000001],
  ])('%s is a number and back', (text, ip) => {
    expect(parseIpv4(text)).toBe(ip);
    expect(formatIpv4(ip)).toBe(text);
    expect(formatIpv4(ip | 0)).toBe(text);
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.x',
    '1.2.3.-4',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '0x1.2.3.4',
    '1..2.3',
  ])('refuses %j', (text) => {
    expect(refusal(() => parseIpv4(text))).toEqual(refused(text));
  });
});

describe('IPv6 addresses', () => {
  // The text is what inet_ntop of glibc prints for the bytes; the rules are RFC 5952 section 4, except where IPv4 is
  // embedded.
  it.each([
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['fd00:10::1', 'fd000010000000000000000000000001'],
    ['2001:db8::1', '20010db8000000000000000000000001'], // 4.2.1: as short as can be
    ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001'], // 4.2.2: one group of zeros is no run
    ['2001:0:0:1::1', '20010000000000010000000000000001'], // 4.2.3: the longest run
    ['2001:db8::1:0:0:1', '20010db8000000000001000000000001'], // 4.2.3: the first of two that are equally long
    ['2001:db8::aaaa:bbbb:cccc:dddd', '20010db800000000aaaabbbbccccdddd'], // 4.3: lower case
    ['1::', '00010000000000000000000000000000'],
    ['1:2:3:4:5:6:7:0', '00010002000300040005000600070000'],
    ['0:2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['::3:4:5:6:7:8', '00000000000300040005000600070008'],
    ['1:2:3:4:5:6::', '00010002000300040005000600000000'],
    ['ff02::1:ff00:8', 'ff0200000000000000000001ff000008'],
    ['::ffff:10.0.0.1', '00000000000000000000ffff0a000001'], // mapped
    ['::10.0.0.1', '0000000000000000000000000a000001'], // compatible
    ['::0.1.0.2', '00000000000000000000000000010002'],
    ['::ffff:0:a00:1', '0000000000000000ffff00000a000001'], // not embedded: the run is 4 groups
    ['::fffe:a00:1', '00000000000000000000fffe0a000001'],
    ['64:ff9b::a00:1', '0064ff9b00000000000000000a000001'],
  ])('%s', (text, hex) => {
    expect(toHex(parseIpv6(text))).toBe(hex);
    expect(formatIpv6(fromHex(hex))).toBe(text);
    expect(formatIpv6(fromHex(`a5a5a5${hex}a5`), 3)).toBe(text);
  });

  it.each([
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['FD00:10::A', 'fd00001000000000000000000000000a'],
    ['0001:02::', '00010002000000000000000000000000'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['1::8', '00010000000000000000000000000008'],
    ['1:2:3:4:5:6:1.2.3.4', '00010002000300040005000601020304'],
    ['64:ff9b::10.0.0.1', '0064ff9b00000000000000000a000001'],
  ])('also reads %s', (text, hex) => {
    expect(toHex(parseIpv6(text))).toBe(hex);
  });

  it.each([
    '',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '1:2:3:4::5:6:7:8',
    '1::2::3',
    '12345::',
    'g::',
    ':1::',
    '1:',
    '::1%eth0',
    '1.2.3.4',
    '1.2.3.4::',
    '1.2.3.4::1',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
  ])('refuses %j', (text) => {
    expect(refusal(() => parseIpv6(text))).toEqual(refused(text));
  });

  it('refuses a wrong IPv4 part, and names it', () => {
    expect(refusal(() => parseIpv6('::1.2.3.400'))).toEqual(refused('1.2.3.400'));
  });

  it(`prints what it reads, whatever the zeros (seed ${seed})`, () => {
    const random = randomFrom(seed);
    for (let round = 0; round < 5000; round++) {
      const bytes = new Uint8Array(16);
      // Each pattern of zero groups comes about 20 times.
      const pattern = random(256);
      for (let at = 0; at < 16; at++) if (pattern & (1 << (at >> 1))) bytes[at] = random(4) === 0 ? 0xff : random(256);
      const text = formatIpv6(bytes);
      expect([text, toHex(parseIpv6(text))]).toEqual([text, toHex(bytes)]);
      expect(text).toMatch(/^[0-9a-f:.]+$/);
      expect(text).not.toMatch(/(^|:)0[0-9a-f]/);
    }
  });
});

describe('addresses of either family', () => {
  it.each(['10.0.0.1', 'fd00::1', '::', '0.0.0.0'])('%s as bytes and back', (text) => {
    expect(parseIp(text)).toHaveLength(text.includes(':') ? 16 : 4);
    expect(formatIp(parseIp(text))).toBe(text);
  });

  it.each([
    ['10.10.10.1/24', '0a0a0a01', 24],
    ['10.10.10.1', '0a0a0a01', 32],
    ['0.0.0.0/0', '00000000', 0],
    ['fd00::1/64', 'fd000000000000000000000000000001', 64],
    ['fd00::1', 'fd000000000000000000000000000001', 128],
    ['::/128', '00000000000000000000000000000000', 128],
  ])('%s is a prefix', (text, hex, length) => {
    const prefix = parsePrefix(text);
    expect([toHex(prefix.bytes), prefix.length]).toEqual([hex, length]);
  });

  it.each(['10.0.0.1/33', 'fd00::1/129', '10.0.0.1/', '10.0.0.1/-1', '10.0.0.1/8/8', '10.0.0.1/ 8', '10.0.0.1/1e1'])(
    'refuses the prefix %j',
    (text) => {
      expect(refusal(() => parsePrefix(text))).toEqual(refused(text));
    },
  );

  it('refuses a prefix of no address', () => {
    expect(refusal(() => parsePrefix('/24'))).toEqual(refused(''));
  });
});

describe('the text of many addresses', () => {
  it(`is that of each, however many share a place (seed ${seed})`, () => {
    const random = randomFrom(seed);
    const bytes = (count: number): number[] => Array.from({ length: count }, () => random(256));
    for (let round = 0; round < 20_000; round++) {
      const mac = random(4) === 0 ? [0, 0, 0, 0, ...bytes(2)] : bytes(6);
      const text = mac.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
      expect(formatMac(mac.reduce((number, byte) => number * 256 + byte, 0))).toBe(text);
      const ip = bytes(4);
      const number = (ip[0] << 24) | (ip[1] << 16) | (ip[2] << 8) | ip[3];
      expect(formatIpv4(random(2) === 0 ? number : number >>> 0)).toBe(ip.join('.'));
    }
  });
});
