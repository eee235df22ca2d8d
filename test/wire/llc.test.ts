import { expect, it } from 'vitest';
import * as llc from '../../src/wire/llc.js';
import { testProtocol } from './contract.js';

testProtocol('llc', {
  module: llc,
  vectors: [
    {
      origin: 'by hand: SNAP (RFC 1042) with IPv4',
      hex: 'aaaa03 000000 0800 45',
      needs: 8,
      value: { type: 'llc', dsap: 0xaa, ssap: 0xaa, control: 3, oui: 0, protocol: 0x0800 },
    },
    {
      origin: 'recording ipv6-1, step 2: spanning tree of the inner frame, first bytes',
      hex: '424203 ecbf',
      needs: 3,
      value: { type: 'llc', dsap: 0x42, ssap: 0x42, control: 3 },
    },
    {
      origin: 'by hand: an I frame, N(S) 1, N(R) 2, with its control field of two bytes',
      hex: 'e0e0 0204 00',
      needs: 4,
      value: { type: 'llc', dsap: 0xe0, ssap: 0xe0, control: 0x0402 },
    },
  ],
  spoilt: [],
  accessors: {
    dsap: llc.dsap,
    ssap: llc.ssap,
    control: llc.control,
    hasSnap: llc.hasSnap,
    oui: (bytes, offset) => llc.hasSnap(bytes, offset) && llc.oui(bytes, offset),
    protocol: (bytes, offset) => llc.hasSnap(bytes, offset) && llc.protocol(bytes, offset),
    headerLength: llc.headerLength,
  },
  unwritable: [
    ['dsap', 256],
    ['ssap', 256],
    ['control', 0x103],
    ['oui', 0x1000000],
    ['protocol', 0x10000],
  ],
});

it('writes SNAP by default', () => {
  const bytes = new Uint8Array(8).fill(0xa5);
  expect(llc.write(bytes, 0, { type: 'llc' })).toBe(8);
  expect([...bytes]).toEqual([0xaa, 0xaa, 3, 0, 0, 0, 0x88, 0xb5]);
});
