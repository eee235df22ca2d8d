// The scanner against C's: `scanf` as Open vSwitch has it. Cases observed with 3.1.0 where its numbers are read, and by
// hand from C's rules for `%i`, `%x` and `strtoull` otherwise.
import { describe, expect, it } from 'vitest';
import {
  atDelimiter,
  skipDelimiters,
  take,
  takeBytes,
  takeHexPairs,
  takeInteger,
  takeInteger64,
  takeIpv4,
  takeIpv6,
  takeMac,
  type Cursor,
} from '../../src/flow/scan.js';
import {
  TCP_FLAG_NAMES,
  TUNNEL_FLAG_NAMES,
  formatFlags,
  formatMaskedFlags,
  takeFlags,
} from '../../src/flow/flag-text.js';

const at = (text: string): Cursor => ({ text, at: 0 });

/** What was taken, and what is left. */
function taken<T>(text: string, scan: (cursor: Cursor) => T): [T, string] {
  const cursor = at(text);
  const value = scan(cursor);
  return [value, text.slice(cursor.at)];
}

describe('integers', () => {
  it.each([
    ['12,', 0, 32, 12, ','],
    ['0x1F)', 0, 32, 31, ')'],
    ['010', 0, 32, 8, ''],
    ['08', 0, 32, 0, '8'],
    ['0', 0, 32, 0, ''],
    ['-1', 0, 32, 0xffff_ffff, ''],
    ['-1', 0, 8, 255, ''],
    ['+7', 0, 16, 7, ''],
    [' \t9', 0, 16, 9, ''],
    ['300', 0, 8, 44, ''],
    ['4294967298', 0, 32, 2, ''],
    ['18446744073709551617', 0, 32, 1, ''],
    ['0x10', 10, 32, 0, 'x10'],
    ['010', 10, 32, 10, ''],
    ['ff', 16, 8, 255, ''],
    ['0xff', 16, 8, 255, ''],
    ['0x', 0, 32, undefined, '0x'],
    ['0xg', 16, 32, undefined, '0xg'],
    ['-', 0, 32, undefined, '-'],
    ['', 0, 32, undefined, ''],
    ['abc', 10, 32, undefined, 'abc'],
  ] as const)('%s in base %i and %i bits', (text, base, bits, value, rest) => {
    expect(taken(text, (cursor) => takeInteger(cursor, base, bits))).toEqual([value, rest]);
  });

  it('of 64 bits wrap', () => {
    expect(taken('0xfedcba9876543210', (cursor) => takeInteger64(cursor, 0))).toEqual([0xfedcba9876543210n, '']);
    expect(taken('-1', (cursor) => takeInteger64(cursor, 0))).toEqual([0xffff_ffff_ffff_ffffn, '']);
    expect(taken('18446744073709551617,', (cursor) => takeInteger64(cursor, 0))).toEqual([1n, ',']);
    expect(taken('x', (cursor) => takeInteger64(cursor, 0))).toEqual([undefined, 'x']);
  });

  it('of many bytes do not wrap', () => {
    const bytes = (text: string, width = 4): [number[] | undefined, string] => {
      const [value, rest] = taken(text, (cursor) => takeBytes(cursor, width));
      return [value && Array.from(value), rest];
    };
    expect(bytes('0xa}')).toEqual([[0, 0, 0, 10], '}']);
    expect(bytes('12')).toEqual([[0, 0, 0, 12], '']);
    expect(bytes('012')).toEqual([[0, 0, 0, 10], '']);
    expect(bytes('0x')).toEqual([[0, 0, 0, 0], '']);
    expect(bytes('0x0000000000001')).toEqual([[0, 0, 0, 1], '']);
    expect(bytes('0x1 2\n3)')).toEqual([[0, 0, 1, 0x23], ')']);
    expect(bytes('0x123456789')).toEqual([undefined, '0x123456789']);
    expect(bytes('4294967296')).toEqual([undefined, '4294967296']);
    expect(bytes('0', 0)).toEqual([[], '']);
    expect(bytes('-1', 16)).toEqual([[0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255], '']);
    expect(bytes('18446744073709551615', 8)).toEqual([[255, 255, 255, 255, 255, 255, 255, 255], '']);
    expect(bytes('18446744073709551616', 16)).toEqual([undefined, '18446744073709551616']);
    expect(bytes('99999999999999999999', 16)).toEqual([undefined, '99999999999999999999']);
    expect(bytes('x')).toEqual([undefined, 'x']);
  });
});

describe('addresses', () => {
  it('take parts as short and as long as C does', () => {
    expect(taken('0a:1:02:3:4:5,', takeMac)).toEqual([0x0a0102030405, ',']);
    expect(taken('fff:0:0:0:0:0', takeMac)).toEqual([0xff0000000000, '']);
    expect(taken('0a:1:02:3:4', takeMac)).toEqual([undefined, '0a:1:02:3:4']);
    expect(taken('1.2.3.300/', takeIpv4)).toEqual([0x0102032c, '/']);
    expect(taken('01.02.03.04', takeIpv4)).toEqual([0x01020304, '']);
    expect(taken('1.2.3', takeIpv4)).toEqual([undefined, '1.2.3']);
  });

  it('of IPv6 are as strict as inet_pton', () => {
    const good = (text: string): boolean => taken(text, takeIpv6)[0] !== undefined;
    expect(
      ['::', '::1', 'fd00::2/64', '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7::', '::ffff:192.0.2.1', '::0.0.0.1'].filter(
        (text) => !good(text),
      ),
    ).toEqual([]);
    expect(
      ['1.2.3.4', '1::2::3', '::01.2.3.4', '::1.2.3.04', '00001::', '1:2:3:4:5:6:7', ':', ''].filter(good),
    ).toEqual([]);
  });
});

it('delimiters and literals', () => {
  const cursor = at(', \t\r\n,x');
  skipDelimiters(cursor);
  expect([cursor.at, atDelimiter(cursor), take(cursor, 'y'), take(cursor, 'x'), atDelimiter(cursor)]).toEqual([
    6,
    false,
    false,
    true,
    true,
  ]);
  expect(taken('0102 03\n0x', (bytes) => Array.from(takeHexPairs(bytes)))).toEqual([[1, 2, 3], '0x']);
});

describe('flags', () => {
  it.each([
    ['df|key)', { flags: 10, mask: 0xffff_ffff }],
    ['0)', { flags: 0, mask: 0xffff_ffff }],
    [')', { flags: 0, mask: 0xffff_ffff }],
    ['df|)', { flags: 2, mask: 0xffff_ffff }],
    ['1|key)', { flags: 9, mask: 0xffff_ffff }],
    ['-df-csum+key)', { flags: 8, mask: 14 }],
    ['0x2/0x6)', { flags: 2, mask: 6 }],
    ['16)', undefined],
    ['16/16)', undefined],
    ['+df+df)', undefined],
    ['+df,key)', undefined],
    ['dfkey)', undefined],
    ['+fin)', undefined],
    ['df', undefined],
    ['+', undefined],
  ] as const)('%s', (text, expected) => {
    const cursor = at(text);
    expect(takeFlags(cursor, TUNNEL_FLAG_NAMES, true)).toEqual(expected);
    expect(text.slice(cursor.at)).toBe(expected ? ')' : text);
  });

  it('are printed from the lowest, those without a name as a number', () => {
    expect(formatFlags(0b1010, TUNNEL_FLAG_NAMES, '|')).toBe('df|key');
    expect(formatFlags(0, TUNNEL_FLAG_NAMES, '|')).toBe('0');
    expect(formatFlags(0xff0081, ['cfm', 'bfd'], ',')).toBe('cfm,0xff0080');
    expect(formatMaskedFlags(0x212, 0xfff, TCP_FLAG_NAMES)).toBe('syn|ack|[200]');
    expect(formatMaskedFlags(0x202, 0x212, TCP_FLAG_NAMES)).toBe('+syn-ack+[200]');
    expect(formatMaskedFlags(2, 0, TCP_FLAG_NAMES)).toBe('0/0');
  });
});
