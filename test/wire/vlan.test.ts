import { expect, it } from 'vitest';
import { Reason } from '../../src/util/reason.js';
import * as vlan from '../../src/wire/vlan.js';
import { testProtocol } from './contract.js';

testProtocol('vlan', {
  module: vlan,
  vectors: [
    {
      origin: 'by hand: IEEE 802.1Q, priority 5, drop eligible, VLAN 10, IPv4',
      hex: 'b00a 0800 45',
      needs: 4,
      value: { type: 'vlan', vid: 10, priority: 5, dropEligible: true, etherType: 0x0800 },
    },
    {
      origin: 'by hand: VLAN 4095, 802.3 data of two bytes',
      hex: '0fff 0002 4242',
      value: { type: 'vlan', vid: 4095, priority: 0, dropEligible: false, etherType: 2 },
    },
  ],
  spoilt: [['a length one beyond the end', 2, '0002', Reason.truncated]],
  accessors: {
    tci: vlan.tci,
    vid: vlan.vid,
    priority: vlan.priority,
    dropEligible: vlan.dropEligible,
    etherType: vlan.etherType,
    payloadEnd: vlan.payloadEnd,
  },
  setters: {
    vid: [vlan.setTci, 0xb00b, 11],
    etherType: [vlan.setEtherType, 0x86dd],
  },
  unwritable: [
    ['vid', 4096],
    ['priority', 8],
    ['etherType', 65536],
  ],
});

it('takes 0x8100 and 0x88a8 for tags, and 0x9100 not', () => {
  expect([0x8100, 0x88a8, 0x9100, 0x0800].map(vlan.isTag)).toEqual([true, true, false, false]);
});
