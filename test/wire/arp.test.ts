import { Reason } from '../../src/util/reason.js';
import * as arp from '../../src/wire/arp.js';
import { testProtocol } from './contract.js';

testProtocol('arp', {
  module: arp,
  vectors: [
    {
      origin: 'recording rx-1, step 1: inner frame, without its Ethernet header',
      hex: '0001 0800 06 04 0002 02000000001b ac1002d3 02000000000c ac100170',
      value: {
        type: 'arp',
        operation: 2,
        senderMac: '02:00:00:00:00:1b',
        senderIp: '172.16.2.211',
        targetMac: '02:00:00:00:00:0c',
        targetIp: '172.16.1.112',
      },
    },
    {
      origin: 'by hand: a request of RFC 826 with an unknown operation, followed by padding',
      hex: '0001 0800 06 04 ffff 020000000001 01010101 000000000000 01010102 0000',
      needs: 28,
      value: {
        type: 'arp',
        operation: 0xffff,
        senderMac: '02:00:00:00:00:01',
        senderIp: '1.1.1.1',
        targetMac: '00:00:00:00:00:00',
        targetIp: '1.1.1.2',
      },
    },
  ],
  spoilt: [
    ['another hardware type', 0, '0006', Reason.badHardwareType],
    ['another protocol type', 2, '86dd', Reason.badType],
    ['another hardware length', 4, '08', Reason.badAddressLength],
    ['another protocol length', 5, '10', Reason.badAddressLength],
  ],
  accessors: {
    operation: arp.operation,
    senderMac: arp.senderMac,
    senderIp: arp.senderIp,
    targetMac: arp.targetMac,
    targetIp: arp.targetIp,
  },
  unwritable: [
    ['operation', 65536],
    ['senderMac', '02:00:00:00:00:zz'],
    ['senderIp', '1.1.1.256'],
    ['targetMac', ''],
    ['targetIp', '1.1.1'],
  ],
});
