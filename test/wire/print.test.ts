import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { printFrame } from '../../src/wire/print.js';
import { embed, mutate, randomFrom, seed } from './contract.js';

const MACS = '020000000002 020000000001';
const IPV4 = (protocol: string, payload: string, fragment = '0000'): string => {
  const length = (20 + payload.replaceAll(' ', '').length / 2).toString(16).padStart(4, '0');
  return `${MACS} 0800 4500 ${length} 0007 ${fragment} 40 ${protocol} 0000 01010101 01010102 ${payload}`;
};
const IPV6 = (next: string, payload: string): string => {
  const length = (payload.replaceAll(' ', '').length / 2).toString(16).padStart(4, '0');
  const addresses = 'fe800000000000000000000000000001 fe800000000000000000000000000002';
  return `${MACS} 86dd 60000000 ${length} ${next} 40 ${addresses} ${payload}`;
};
const TARGET = 'fd000000000000000000000000000009';
const HEAD = '02:00:00:00:00:01 > 02:00:00:00:00:02';

/** Made by hand, unless they say otherwise; the lines follow tcpdump's manual page, section "Output format". */
const lines: [what: string, hex: string, line: string][] = [
  [
    'ARP request',
    `${MACS} 0806 00010800060400010200000000010101010100000000000001010102`,
    'ethertype ARP (0x0806), length 42: ARP, Request who-has 1.1.1.2 tell 1.1.1.1',
  ],
  [
    'ARP reply',
    `${MACS} 0806 00010800060400020200000000010101010102000000000201010102`,
    'ethertype ARP (0x0806), length 42: ARP, Reply 1.1.1.1 is-at 02:00:00:00:00:01',
  ],
  [
    'ARP of another operation',
    `${MACS} 0806 00010800060400090200000000010101010102000000000201010102`,
    'ethertype ARP (0x0806), length 42: ARP, operation 9, 1.1.1.1 to 1.1.1.2',
  ],
  [
    'ARP for other hardware',
    `${MACS} 0806 00060800060400010200000000010101010102000000000201010102`,
    'ethertype ARP (0x0806), length 42: ARP [bad-hardware-type]',
  ],
  [
    'RARP request',
    `${MACS} 8035 00010800060400030200000000010000000002000000000200000000`,
    'ethertype RARP (0x8035), length 42: RARP, Reverse Request who-is 02:00:00:00:00:02 tell 02:00:00:00:00:01',
  ],
  [
    'RARP reply',
    `${MACS} 8035 00010800060400040200000000010101010102000000000201010102`,
    'ethertype RARP (0x8035), length 42: RARP, Reverse Reply 02:00:00:00:00:02 at 1.1.1.2',
  ],
  ['unknown type', `${MACS} 88b5 0102`, 'ethertype unknown (0x88b5), length 16: payload 2 bytes'],
  ['LLDP', `${MACS} 88cc 0102`, 'ethertype LLDP (0x88cc), length 16: payload 2 bytes'],
  ['tag', `${MACS} 8100 a00a 88b5 00`, 'vlan 10, p 5, ethertype unknown (0x88b5), length 19: payload 1 bytes'],
  [
    'two tags',
    `${MACS} 88a8 1064 8100 000a 88b5`,
    '802.1ad vlan 100, p 0, DEI, vlan 10, p 0, ethertype unknown (0x88b5), length 22: payload 0 bytes',
  ],
  ['cut tag', `${MACS} 8100 a00a 88`, '802.1Q (0x8100) [truncated], length 17'],
  ['LLC', `${MACS} 0005 424203 0000 ff`, '802.3, length 20: LLC, dsap 0x42, ssap 0x42, ctrl 0x03, length 2'],
  [
    'SNAP',
    `${MACS} 0009 aaaa03 000000 88b5 ff`,
    '802.3, length 23: SNAP, oui 0x000000, ethertype unknown (0x88b5): payload 1 bytes',
  ],
  [
    'SNAP of a vendor',
    `${MACS} 0009 aaaa03 00000c 2000 ff`,
    '802.3, length 23: SNAP, oui 0x00000c, ethertype unknown (0x2000), length 1',
  ],
  ['cut LLC', `${MACS} 0002 aaaa`, '802.3, length 16: LLC [truncated]'],
  ['cut 802.3', `${MACS} 0004 424203`, '802.3 [truncated], length 17: LLC, dsap 0x42, ssap 0x42, ctrl 0x03, length 0'],
  [
    'UDP',
    IPV4('11', '0457 0035 000a 0000 0102'),
    'ethertype IPv4 (0x0800), length 44: 1.1.1.1.1111 > 1.1.1.2.53: UDP, length 2',
  ],
  [
    'bad UDP',
    IPV4('11', '0457 0035 0007 0000'),
    'ethertype IPv4 (0x0800), length 42: 1.1.1.1 > 1.1.1.2: UDP [bad-total-length]',
  ],
  [
    'TCP',
    IPV4('06', '0457 0050 00000005 00000006 5012 0400 0000 0000 ff'),
    'ethertype IPv4 (0x0800), length 55: 1.1.1.1.1111 > 1.1.1.2.80: Flags [S.], seq 5, ack 6, win 1024, length 1',
  ],
  [
    'TCP with all flags',
    IPV4('06', '0457 0050 00000005 00000006 5fff 0400 0000 0000'),
    'ethertype IPv4 (0x0800), length 54: 1.1.1.1.1111 > 1.1.1.2.80: Flags [FSRP.UEW], seq 5, ack 6, win 1024, length 0',
  ],
  [
    'TCP without flags',
    IPV4('06', '0457 0050 00000005 00000006 5000 0400 0000 0000'),
    'ethertype IPv4 (0x0800), length 54: 1.1.1.1.1111 > 1.1.1.2.80: Flags [none], seq 5, win 1024, length 0',
  ],
  [
    'SCTP',
    IPV4('84', '0005 0006 0000abcd 00000000 0003'),
    'ethertype IPv4 (0x0800), length 48: 1.1.1.1.5 > 1.1.1.2.6: SCTP, tag 0x0000abcd, length 2',
  ],
  [
    'first fragment',
    IPV4('11', '0457 0035 000a 0000', '2000'),
    'ethertype IPv4 (0x0800), length 42: 1.1.1.1 > 1.1.1.2: UDP, fragment id 7, offset 0, length 8, more',
  ],
  [
    'last fragment',
    IPV4('11', '0102', '0002'),
    'ethertype IPv4 (0x0800), length 36: 1.1.1.1 > 1.1.1.2: UDP, fragment id 7, offset 16, length 2',
  ],
  ['known protocol', IPV4('2f', '0102'), 'ethertype IPv4 (0x0800), length 36: 1.1.1.1 > 1.1.1.2: GRE, length 2'],
  ['unknown protocol', IPV4('fd', ''), 'ethertype IPv4 (0x0800), length 34: 1.1.1.1 > 1.1.1.2: protocol 253, length 0'],
  ['bad IPv4', `${MACS} 0800 44`, 'ethertype IPv4 (0x0800), length 15: IP [truncated]'],
  ['bad IPv6', IPV6('11', '').replace('60000000', '50000000'), 'ethertype IPv6 (0x86dd), length 54: IP6 [bad-version]'],
  [
    'IPv6 fragment',
    IPV6('2c', '1100000900000abc ff'),
    'ethertype IPv6 (0x86dd), length 63: fe80::1 > fe80::2: UDP, fragment id 0x00000abc, offset 8, length 1, more',
  ],
  ['no next header', IPV6('3b', ''), 'ethertype IPv6 (0x86dd), length 54: fe80::1 > fe80::2: no next header, length 0'],
  ...(
    [
      ['0800 0000 0001 0002', 'ICMP echo request, id 1, seq 2'],
      ['0000 0000 0001 0002', 'ICMP echo reply, id 1, seq 2'],
      ['0d00 0000 0001 0002', 'ICMP time stamp query, id 1, seq 2'],
      ['0e00 0000 0001 0002', 'ICMP time stamp reply, id 1, seq 2'],
      ['0303 0000 00000000', 'ICMP port unreachable'],
      ['0304 0000 000005aa', 'ICMP unreachable, need to frag (mtu 1450)'],
      ['030d 0000 00000000', 'ICMP unreachable, code 13'],
      ['0501 0000 0a0a0afe', 'ICMP redirect, code 1, gateway 10.10.10.254'],
      ['0b00 0000 00000000', 'ICMP time exceeded in-transit'],
      ['0b01 0000 00000000', 'ICMP time exceeded code 1'],
      ['0c00 0000 14000000', 'ICMP parameter problem, octet 20'],
      ['0900 0000 00000000', 'ICMP type 9, code 0'],
    ] as const
  ).map(([hex, text]): [string, string, string] => {
    return [text, IPV4('01', hex), `ethertype IPv4 (0x0800), length 42: 1.1.1.1 > 1.1.1.2: ${text}, length 8`];
  }),
  ...(
    [
      ['8000 0000 0001 0002', 'echo request, id 1, seq 2'],
      ['8100 0000 0001 0002', 'echo reply, id 1, seq 2'],
      ['0104 0000 00000000', 'destination unreachable, port unreachable'],
      ['0109 0000 00000000', 'destination unreachable, code 9'],
      ['0200 0000 000005aa', 'packet too big, mtu 1450'],
      ['0300 0000 00000000', 'time exceeded in-transit'],
      ['0301 0000 00000000', 'time exceeded code 1'],
      ['0401 0000 00000028', 'parameter problem, code 1, octet 40'],
      ['8f00 0000 00000001', 'type 143, code 0'],
      ['8501 0000 00000000', 'type 133, code 1'],
      ['8500 0000 00000000 0101 020000000001', 'router solicitation, source link-address 02:00:00:00:00:01'],
      [
        '8600 0000 40 00 0708 00000000 00000000 0501 0000 000005dc',
        'router advertisement, hop limit 64, lifetime 1800s, mtu 1500',
      ],
      [
        `8600 0000 40 00 0708 00000000 00000000 0304 40 c0 00000001 00000001 00000000 ${TARGET}`,
        'router advertisement, hop limit 64, lifetime 1800s, prefix fd00::9/64',
      ],
      [`8700 0000 00000000 ${TARGET} 0e01 000000000000`, 'neighbor solicitation, who has fd00::9, option 14'],
      [
        `8800 0000 e0000000 ${TARGET} 0201 020000000001`,
        'neighbor advertisement, tgt is fd00::9, Flags [router, solicited, override], ' +
          'destination link-address 02:00:00:00:00:01',
      ],
      [`8800 0000 00000000 ${TARGET}`, 'neighbor advertisement, tgt is fd00::9, Flags [none]'],
      [`8900 0000 00000000 ${TARGET} ff020000000000000000000000000001`, 'redirect, ff02::1 to fd00::9'],
    ] as const
  ).map(([hex, text]): [string, string, string] => {
    const length = hex.replaceAll(' ', '').length / 2;
    const head = `ethertype IPv6 (0x86dd), length ${54 + length}: fe80::1 > fe80::2: ICMP6, `;
    return [text, IPV6('3a', hex), `${head}${text}, length ${length}`];
  }),
  [
    'bad ICMPv6',
    IPV6('3a', `8700 0000 00000000 ${TARGET} 0e00 000000000000`),
    'ethertype IPv6 (0x86dd), length 86: fe80::1 > fe80::2: ICMP6 [bad-option]',
  ],
  [
    'VXLAN',
    IPV4('11', `8000 12b5 001e 0000 08000000 00000500 ${MACS} 88b5`),
    'ethertype IPv4 (0x0800), length 64: 1.1.1.1.32768 > 1.1.1.2.4789: VXLAN, vni 5 | ' +
      `${HEAD}, ethertype unknown (0x88b5), length 14: payload 0 bytes`,
  ],
  [
    'VXLAN on the old port',
    IPV4('11', `8000 2118 0010 0000 08000000 00000500`),
    'ethertype IPv4 (0x0800), length 50: 1.1.1.1.32768 > 1.1.1.2.8472: VXLAN, vni 5 | Ethernet [truncated], length 0',
  ],
  [
    'bad VXLAN',
    IPV4('11', '8000 12b5 0010 0000 88000000 00000500'),
    'ethertype IPv4 (0x0800), length 50: 1.1.1.1.32768 > 1.1.1.2.4789: VXLAN [bad-flags], length 8',
  ],
  [
    'VXLAN-GPE, IPv4',
    IPV4('11', '8000 12b5 0010 0000 0c000001 00000500'),
    'ethertype IPv4 (0x0800), length 50: 1.1.1.1.32768 > 1.1.1.2.4789: VXLAN, vni 5 | IP [truncated]',
  ],
  [
    'VXLAN-GPE, IPv6',
    IPV4('11', '8000 12b5 0010 0000 0c000002 00000500'),
    'ethertype IPv4 (0x0800), length 50: 1.1.1.1.32768 > 1.1.1.2.4789: VXLAN, vni 5 | IP6 [truncated]',
  ],
  [
    'VXLAN-GPE, NSH',
    IPV4('11', '8000 12b5 0010 0000 0c000004 00000500'),
    'ethertype IPv4 (0x0800), length 50: 1.1.1.1.32768 > 1.1.1.2.4789: VXLAN, vni 5 | NSH, length 0',
  ],
];

describe('printFrame', () => {
  it.each(lines)('%s', (_, hex, line) => {
    expect(printFrame(fromHex(hex))).toBe(`${HEAD}, ${line}`);
  });

  it('prints less than a header', () => {
    expect(printFrame(new Uint8Array(13))).toBe('Ethernet [truncated], length 13');
    expect(printFrame(new Uint8Array(0))).toBe('Ethernet [truncated], length 0');
  });

  it('prints a part of an array, and no more than there is', () => {
    const bytes = embed(fromHex(lines[0][1]), 0xff, 3);
    expect(printFrame(bytes, 3, 45)).toBe(`${HEAD}, ${lines[0][2]}`);
    expect(printFrame(fromHex(lines[0][1]), -5, 1000)).toBe(`${HEAD}, ${lines[0][2]}`);
    expect(printFrame(bytes, 50, 3)).toBe('Ethernet [truncated], length 0');
  });

  it('expects VXLAN on the ports that it is told', () => {
    const frame = fromHex(IPV4('11', '8000 0035 0010 0000 08000000 00000500'));
    expect(printFrame(frame)).toContain('UDP, length 8');
    expect(printFrame(frame, 0, frame.length, [53])).toContain('VXLAN, vni 5');
  });

  it('stops at a depth, however often a frame is in a frame', () => {
    let payload = '';
    for (let depth = 0; depth < 600; depth++) {
      const length = (16 + payload.replaceAll(' ', '').length / 2).toString(16).padStart(4, '0');
      payload = IPV4('11', `8000 12b5 ${length} 0000 08000000 00000500${payload}`).replaceAll(' ', '');
    }
    const line = printFrame(fromHex(payload));
    expect(line.split(' | ')).toHaveLength(9);
    expect(line).toMatch(/VXLAN, vni 5, length \d+$/);
  });

  it('prints a frame of nothing but tags', () => {
    const bytes = new Uint8Array(200_000).map((_, index) => (index % 4 === 0 ? 0x81 : 0));
    expect(printFrame(bytes)).toMatch(/\[truncated\], length 200000$/);
  });

  it('does not look behind the end of any cut, and prints one line', () => {
    for (const [, hex] of lines) {
      const bytes = fromHex(hex);
      for (let length = 0; length <= bytes.length; length++) {
        const cut = bytes.subarray(0, length);
        const line = printFrame(embed(cut, 0, 5), 5, 5 + length);
        expect(printFrame(embed(cut, 0xff, 6), 6, 6 + length)).toBe(line);
        expect(line).toMatch(/^[ -~]+$/);
      }
    }
  });

  it(`prints anything (seed ${seed})`, () => {
    const random = randomFrom(seed);
    for (let round = 0; round < 8_000; round++) {
      const isNoise = round % 4 === 0;
      const bytes = isNoise
        ? Uint8Array.from({ length: random(120) }, () => random(256))
        : mutate(fromHex(lines[random(lines.length)][1]), random);
      const line = printFrame(embed(bytes, 0, 1), 1, 1 + bytes.length);
      const other = printFrame(embed(bytes, 0xff, 2), 2, 2 + bytes.length);
      expect(other, `${toHex(bytes)} (seed ${seed})`).toBe(line);
      expect(line, `${toHex(bytes)} (seed ${seed})`).toMatch(/^(?!.*(undefined|NaN))[ -~]+$/);
    }
  });
});
