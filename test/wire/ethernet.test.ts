import { Reason } from '../../src/util/reason.js';
import * as ethernet from '../../src/wire/ethernet.js';
import { testProtocol } from './contract.js';

testProtocol('ethernet', {
  module: ethernet,
  vectors: [
    {
      origin: 'recording tx-1, step 3: outer header of the first frame on ens8',
      hex: '5254009fe802 aa55aa550001 0800 4520',
      needs: 14,
      value: {
        type: 'ethernet',
        destination: '52:54:00:9f:e8:02',
        source: 'aa:55:aa:55:00:01',
        etherType: 0x0800,
      },
    },
    {
      origin: 'recording ipv6-1, step 2: 802.3 frame (inner), shortened to a length of 3 and one byte of padding',
      hex: '020000000008 02000000007a 0003 424203 ec',
      needs: 17,
      value: { type: 'ethernet', destination: '02:00:00:00:00:08', source: '02:00:00:00:00:7a', etherType: 3 },
    },
  ],
  spoilt: [
    ['a length one beyond the end', 12, '0003', Reason.truncated],
    ['the greatest length', 12, '05ff', Reason.truncated],
  ],
  accessors: {
    destination: ethernet.destination,
    source: ethernet.source,
    etherType: ethernet.etherType,
    payloadEnd: ethernet.payloadEnd,
  },
  setters: {
    destination: [ethernet.setDestination, 0xfedcba987654, 'fe:dc:ba:98:76:54'],
    source: [ethernet.setSource, 0x0200_0000_0001, '02:00:00:00:00:01'],
    etherType: [ethernet.setEtherType, 0x88b5],
  },
  unwritable: [
    ['destination', '02:00:00:00:00'],
    ['source', 'x'],
    ['etherType', 0x10000],
    ['etherType', -1],
    ['etherType', 1.5],
  ],
});
