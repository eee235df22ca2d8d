// The text of actions, both ways, against what Open vSwitch 3.1.0 printed and read (observed-actions.json, and the
// recordings that test/flow/recorded-lines.json quotes).
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatActions } from '../../src/action/text-format.js';
import { parseActions } from '../../src/action/text-parse.js';
import type { Action } from '../../src/action/types.js';
import { getField } from '../../src/flow/fields.js';
import { formatFlow } from '../../src/flow/text-format.js';
import { MegaflowError } from '../../src/util/errors.js';
import { fromHex, toHex } from '../../src/util/bytes.js';

const load = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));
const observed = (load('observed-actions.json') as { cases: [input: string, text: string | null][] }).cases;
const recorded = load('../flow/recorded-lines.json') as {
  ports: Record<string, number>;
  lines: { scenario: string; actions: string }[];
};

function errorOf(text: string, options: Parameters<typeof parseActions>[1] = {}): MegaflowError {
  try {
    parseActions(text, options);
  } catch (error) {
    if (error instanceof MegaflowError) return error;
    throw error;
  }
  throw new Error(`was read: ${text}`);
}

/** What 3.1 refuses, and is read by default: because it prints it, or prints it otherwise. */
const READ_BY_DEFAULT: Readonly<Record<string, string>> = {
  'drop,1': 'drop,1',
  'clone(drop)': 'clone(drop)',
  'recirc(0x1)': 'recirc(0x1)',
  'hash(l4(0))': 'hash(l4(0))',
  'hash(sym_l4(5))': 'hash(sym_l4(5))',
  'userspace(pid=77,slow_path(lacp,stp,match))': 'userspace(pid=77,slow_path(lacp,stp,match))',
  'userspace(pid=77,slow_path(0x80))': 'userspace(pid=77,slow_path(0x80))',
  'set(nsh(spi=0x21,si=5))': 'set(nsh(spi=0x21,si=5))',
  'set(nsh(flags=0))': 'set(nsh(flags=0))',
  'push_mpls(label=21,tc=1,ttl=63,bos=1,eth_type=0x8847)': 'push_mpls(label=21,tc=1,ttl=63,bos=1,eth_type=0x8847)',
  'pop_mpls(eth_type=0x800)': 'pop_mpls(eth_type=0x800)',
  'push_eth(src=0a:01:02:03:04:05,dst=0a:11:12:13:14:15)': 'push_eth(src=0a:01:02:03:04:05,dst=0a:11:12:13:14:15)',
  pop_eth: 'pop_eth',
  'dec_ttl(le_1(3))': 'dec_ttl(le_1(3))',
  'sample(sample=50%,actions(drop))': 'sample(sample=50.0%,actions(drop))',
  'check_pkt_len(size=1450,gt(drop,4),le(5))': 'check_pkt_len(size=1450,gt(drop,4),le(5))',
};
const isTunnelHeader = (text: string): boolean => /gtpu\(|erspan\(/.test(text) && text.startsWith('tnl_push');

describe('actions that Open vSwitch was given', () => {
  it.each(observed.map(([input, text]) => ({ input, text })))('$input', ({ input, text }) => {
    if (text === null) {
      const { code, value, message } = errorOf(input, { strict: true });
      expect({ code, value }).toEqual({ code: 'bad-action-text', value: input });
      expect(message).toMatch(/^syntax error at ./);
      const byDefault = READ_BY_DEFAULT[input] ?? (isTunnelHeader(input) ? input : undefined);
      if (byDefault === undefined) expect(errorOf(input).code).toBe('bad-action-text');
      else expect(formatActions(parseActions(input))).toBe(byDefault);
      return;
    }
    expect(formatActions(parseActions(input, { strict: true }))).toBe(text);
    expect(formatActions(parseActions(input))).toBe(text);
    expect(formatActions(parseActions(text))).toBe(text);
  });

  it('are all of those that only 3.1 refuses', () => {
    for (const input of Object.keys(READ_BY_DEFAULT)) expect(observed).toContainEqual([input, null]);
  });
});

describe('recorded actions', () => {
  const names = Object.fromEntries(Object.entries(recorded.ports).map(([name, port]) => [port, name]));
  it.each(recorded.lines.map(({ scenario, actions }) => [scenario, actions]))('%s: %s', (_scenario, text) => {
    const actions = parseActions(text, { portNumber: (name) => recorded.ports[name] });
    expect(formatActions(actions, { portName: (port) => names[port] })).toBe(text);
    const numbers = formatActions(actions);
    expect(numbers).not.toMatch(/vxlan_sys|\bbr\d|\bens8/);
    expect(formatActions(parseActions(numbers))).toBe(numbers);
  });
});

/** The reference's examples, and text that 3.1 prints but does not read. */
const CANONICAL = [
  'tnl_push(tnl_port(2),header(size=50,type=4,eth(dst=46:a3:4e:39:12:4e,src=3a:74:f7:8c:f3:4e,dl_type=0x0800),ipv4(src=10.10.10.1,dst=10.10.10.2,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=8472,csum=0x0),vxlan(flags=0x8000000,vni=0x0)),out_port(3)),4',
  'clone(tnl_push(tnl_port(2),header(size=50,type=4,eth(dst=52:54:00:9f:e8:0e,src=12:31:66:3c:95:47,dl_type=0x0800),ipv4(src=10.10.10.1,dst=10.10.10.2,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=8472,csum=0x0),vxlan(flags=0x8000000,vni=0x0)),out_port(3)),4)',
  'set(tunnel(tun_id=0x0,dst=10.10.10.2,ttl=64,tp_dst=8472,flags(df|key))),2',
  'tnl_pop(2)',
  'drop',
  'set(ipv4(tos=0x3/0x3)),set(eth(dst=00:00:00:00:00:01))',
  'recirc(0),recirc(0xff)',
  'clone(drop),clone(clone(drop),1)',
  'check_pkt_len(size=100,gt(drop),le(clone(drop),2))',
  'dec_ttl(le_1(userspace(pid=5,slow_path(action))))',
  'dec_ttl(le_1(drop))',
  'userspace(pid=0)',
  'userspace(pid=5,actions)',
  'userspace(pid=5,userdata(0102),tunnel_out_port=3)',
  'push_nsh(flags=0,ttl=63,mdtype=2,np=3,spi=0x1,si=255,md2=0x1020304)',
  'push_nsh(flags=0,ttl=63,mdtype=2,np=3,spi=0x1,si=255,md2=0)',
  'tnl_push(tnl_port(6),header(size=50,type=110,eth(dst=0a:01:02:03:04:05,src=0a:11:12:13:14:15,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=2152,csum=0x0),gtpu(flags=0x30,msgtype=255,teid=0x7b)),out_port(1))',
  'tnl_push(tnl_port(6),header(size=50,type=107,eth(dst=0a:01:02:03:04:05,src=0a:11:12:13:14:15,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=47,tos=0,ttl=64,frag=0x4000),erspan(ver=1,sid=0x7b,idx=0x1234)),out_port(1))',
  'tnl_push(tnl_port(6),header(size=74,type=108,eth(dst=0a:01:02:03:04:05,src=0a:11:12:13:14:15,dl_type=0x86dd),ipv6(src=fd00::1,dst=fd00::2,label=0,proto=47,tclass=0x0,hlimit=64),erspan(ver=2,sid=0x3ff,dir=1,hwid=0x3f)),out_port(1))',
  'tnl_push(tnl_port(6),header(size=94,type=112,eth(dst=0a:01:02:03:04:05,src=0a:11:12:13:14:15,dl_type=0x86dd),ipv6(src=fd00::1,dst=fd00::2,label=0,proto=43,tclass=0x0,hlimit=64),srv6(segments_left=1,segs(fd00::90,fd00::91))),out_port(1))',
];

describe('canonical text', () => {
  it.each(CANONICAL)('%s', (text) => {
    expect(formatActions(parseActions(text))).toBe(text);
  });

  it('of an empty list is that of the action drop', () => {
    expect(formatActions([])).toBe('drop');
    expect(formatActions([{ type: 'drop' }])).toBe('drop');
    expect(parseActions('drop')).toEqual([{ type: 'drop' }]);
    expect(parseActions('Drop', { strict: true })).toEqual([{ type: 'drop' }]);
    expect(parseActions('')).toEqual([]);
    expect(parseActions(' , ')).toEqual([]);
    expect(parseActions('clone(drop)')).toEqual([{ type: 'clone', actions: [] }]);
  });

  it('has names of ports wherever a port stands', () => {
    const text =
      'p1,tnl_pop(vx),clone(p1,userspace(pid=1,ipfix(output_port=vx),tunnel_out_port=p1)),tnl_push(tnl_port(vx),header(size=50,type=4,eth(dst=0a:01:02:03:04:05,src=0a:11:12:13:14:15,dl_type=0x0800),ipv4(src=1.1.1.1,dst=2.2.2.2,proto=17,tos=0,ttl=64,frag=0x0),udp(src=0,dst=4789,csum=0x0),vxlan(flags=0x8000000,vni=0x1)),out_port(p1))';
    const portNumber = (name: string): number | undefined => ({ p1: 1, vx: 2 })[name];
    const portName = (port: number): string | undefined => [undefined, 'p1', 'vx'][port];
    const actions = parseActions(text, { portNumber });
    expect(formatActions(actions, { portName })).toBe(text);
    expect(actions.slice(0, 2)).toEqual([
      { type: 'output', port: 1 },
      { type: 'tnl_pop', port: 2 },
    ]);
    // 3.1 takes names only where no parenthesis follows.
    expect(parseActions('p1,vx', { portNumber, strict: true })).toEqual([
      { type: 'output', port: 1 },
      { type: 'output', port: 2 },
    ]);
    for (const refused of ['clone(p1)', 'tnl_pop(vx)', 'p3'])
      expect(errorOf(refused, { portNumber, strict: true }).message).toBe(`syntax error at ${refused}`);
  });
});

describe('actions as data', () => {
  const only = <T extends Action['type']>(text: string, type: T): Extract<Action, { type: T }> => {
    const [action] = parseActions(text);
    expect(action.type).toBe(type);
    return action as Extract<Action, { type: T }>;
  };

  it('has the bytes that are put before a packet', () => {
    // By hand: RFC 791, 768 and 7348; the checksum is that of the header with a total length of 0 (~0xed28).
    const vxlan = only(CANONICAL[0].slice(0, -2), 'tnl_push');
    expect(vxlan).toMatchObject({ tunnelPort: 2, outPort: 3, header: { type: 4 } });
    expect(toHex(vxlan.header.bytes)).toBe(
      '46a34e39124e3a74f78cf34e0800' +
        '4500000000004000401112d70a0a0a010a0a0a02' +
        '0000211800000000' +
        '0800000000000000',
    );
    const geneve = only(
      'tnl_push(tnl_port(2),header(size=82,type=5,eth(dst=0a:01:02:03:04:05,src=0a:11:12:13:14:15,dl_type=0x86dd),ipv6(src=fd00::1,dst=fd00::2,label=5,proto=17,tclass=0xb8,hlimit=9),udp(src=1,dst=6081,csum=0xffff),geneve(oam,crit,vni=0x15,options({class=0x102,type=0x80,len=4,0xbeef}{class=0x1,type=0x2,len=0}))),out_port(3))',
      'tnl_push',
    );
    // RFC 8200, and RFC 8926: three words of options, O and C set.
    expect(toHex(geneve.header.bytes)).toBe(
      '0a01020304050a111213141586dd' +
        '6b80000500001109fd000000000000000000000000000001fd000000000000000000000000000002' +
        '000117c10000ffff' +
        '03c0655800001500' +
        '010280010000beef' +
        '00010200',
    );
    // RFC 2784 and 2890: checksum, key, sequence number.
    const gre = observed.map(([text]) => text).find((text) => text.includes('flags=0xb000'))!;
    expect(toHex(only(gre, 'tnl_push').header.bytes.subarray(34))).toBe(
      'b0006558' + 'beef0000' + '00000015' + '00000006',
    );
    const header = (text: string): string =>
      toHex(only(CANONICAL.find((line) => line.includes(text))!, 'tnl_push').header.bytes);
    // GTPv1-U (3GPP TS 29.281): version 1, a packet of the user, TEID 0x7b.
    expect(header('gtpu').slice(2 * 42)).toBe('30ff00000000007b');
    // draft-foschiano-erspan-03: GRE with a sequence number, then version and session, then index, or time stamp and
    // hardware.
    expect(header('ver=1').slice(2 * 34)).toBe('100088be00000000' + '1000007b00001234');
    expect(header('ver=2').slice(2 * 54)).toBe('100022eb00000000' + '200003ff' + '00000000000003f8');
    // RFC 8754: the last segment first.
    expect(header('srv6').slice(2 * 54)).toBe(
      '0004040101000000' + 'fd000000000000000000000000000091' + 'fd000000000000000000000000000090',
    );
  });

  it('prints headers that are cut off or of no known kind', () => {
    const push = (type: number, bytes: Uint8Array): string =>
      formatActions([{ type: 'tnl_push', tunnelPort: 1, outPort: 2, header: { type, bytes } }]);
    expect(push(999, fromHex('0a01020304050a11121314150800'))).toBe(
      'tnl_push(tnl_port(1),header(size=14,type=999,eth(dst=0a:01:02:03:04:05,src=0a:11:12:13:14:15,dl_type=0x0800),ipv4(src=0.0.0.0,dst=0.0.0.0,proto=0,tos=0,ttl=0,frag=0x0),),out_port(2))',
    );
    for (const type of [3, 4, 5, 107, 108, 109, 110, 111, 112]) {
      for (let length = 0; length <= 120; length += 3) {
        for (const fill of [0, 0xff])
          expect(push(type, new Uint8Array(length).fill(fill))).toMatch(
            /^tnl_push\(tnl_port\(1\),header\(size=\d+,.*\),out_port\(2\)\)$/,
          );
      }
    }
  });

  it('has what a set writes, and whether it writes all of it', () => {
    const masked = (text: string): boolean => only(text, 'set').masked;
    expect(masked('set(eth(src=0a:01:02:03:04:05,dst=0a:11:12:13:14:15))')).toBe(false);
    expect(masked('set(eth(src=0a:01:02:03:04:05))')).toBe(true);
    expect(masked('set(ipv4(src=1.1.1.1,dst=2.2.2.2,proto=6,tos=0,ttl=1,frag=no))')).toBe(false);
    expect(masked('set(tcp(src=1,dst=2))')).toBe(false);
    expect(masked('set(tcp(src=1,dst=2/0xff))')).toBe(true);
    expect(masked('set(skb_mark(5))')).toBe(false);
    expect(masked('set(mpls(label=1,tc=1,ttl=1,bos=1))')).toBe(false);
    expect(masked('set(mpls(label=1,tc=1,ttl=1))')).toBe(true);
    // The structures of these have bits that no text reaches.
    expect(masked('set(arp(sip=1.1.1.1,tip=2.2.2.2,op=1,sha=0:0:0:0:0:1,tha=0:0:0:0:0:2))')).toBe(true);
    expect(masked('set(ipv6(src=::1,dst=::2,label=0,proto=6,tclass=0,hlimit=1,frag=no))')).toBe(true);
    const { fields } = only('set(ipv4(src=1.2.3.4/255.255.0.0,ttl=3))', 'set');
    expect([
      getField(fields.value, 'ipv4Src'),
      getField(fields.mask, 'ipv4Src'),
      getField(fields.value, 'ipTtl'),
      getField(fields.mask, 'ipTtl'),
      getField(fields.mask, 'ipTos'),
    ]).toEqual([0x01020304, 0xffff0000, 3, 255, 0]);
  });

  it('sets a tunnel as a whole', () => {
    const { fields, masked } = only(
      'set(tunnel(tun_id=0xfedcba9876543210,dst=10.10.10.2,ttl=64,tp_dst=8472,flags(df|key)))',
      'set',
    );
    expect(masked).toBe(false);
    for (const [field, value] of [
      ['tunIdHigh', 0xfedcba98],
      ['tunId', 0x76543210],
      ['tunDst', 0x0a0a0a02],
      ['tunSrc', 0],
      ['tunTtl', 64],
      ['tunTpDst', 8472],
      ['tunFlags', 10],
    ] as const) {
      expect([field, getField(fields.value, field)]).toEqual([field, value]);
      expect(getField(fields.mask, field)).not.toBe(0);
    }
    expect(
      (
        only('set(tunnel(dst=1.1.1.1,ttl=1,geneve({class=0x1,type=0x2,len=4,0x3}),flags(0)))', 'set').fields as {
          geneve?: unknown[];
        }
      ).geneve,
    ).toHaveLength(1);
    // What set(tunnel()) leaves out is nothing, where 3.1 keeps the order and the gaps of the text.
    expect(formatActions(parseActions('set(tunnel(ttl=64,dst=1.1.1.1,tun_id=1))'))).toBe(
      'set(tunnel(tun_id=0x1,dst=1.1.1.1,ttl=64,flags(key)))',
    );
    expect(formatActions(parseActions('set(tunnel(dst=1.1.1.1))'))).toBe('set(tunnel(dst=1.1.1.1,ttl=0,flags(0)))');
  });

  it('has cookies of userspace as 3.1 packs them', () => {
    const cookie = (text: string): string => toHex(only(text, 'userspace').userdata!);
    const start = (type: string): string => `${type}000000ffff0000${'00'.repeat(16)}`;
    expect(cookie('userspace(pid=1,sFlow(vid=9,pcp=7,output=10))')).toBe(
      `${start('01')}f00900000a000000${'00'.repeat(16)}`,
    );
    expect(cookie('userspace(pid=1,slow_path(cfm|match))')).toBe(`${start('02')}0000000041000000${'00'.repeat(16)}`);
    expect(
      cookie(
        'userspace(pid=1,flow_sample(probability=1,collector_set_id=2,obs_domain_id=3,obs_point_id=4,output_port=5,egress))',
      ),
    ).toBe(`${start('03')}010000000200000003000000040000000500000002000000`);
    expect(cookie('userspace(pid=1,ipfix(output_port=10))')).toBe(`${start('04')}0a000000${'00'.repeat(20)}`);
    expect(
      cookie(
        'userspace(pid=1,controller(reason=1,dont_send=1,continuation=0,recirc_id=2,rule_cookie=0x3,controller_id=4,max_len=5))',
      ),
    ).toBe(`${start('05')}010001000200000000000000000000030400050000000000`);
    // Without a cookie 3.1 puts an empty one, and makes short ones longer.
    const strict = (text: string): string => formatActions(parseActions(text, { strict: true }));
    expect(strict('userspace(pid=1)')).toBe(`userspace(pid=1,userdata(${'00'.repeat(48)}))`);
    expect(strict('userspace(pid=1,userdata(0102))')).toBe('userspace(pid=1,userdata(0102000000000000))');
    expect(strict('userspace(pid=1,tunnel_out_port=-1)')).toBe(`userspace(pid=1,userdata(${'00'.repeat(48)}))`);
  });

  it('reads metadata of NSH from the left where 3.1 is meant, otherwise as the number that is printed', () => {
    const metadata = (text: string, strict: boolean): string =>
      formatActions(parseActions(`push_nsh(mdtype=2,md2=${text})`, { strict })).replace(/.*md2=|\)/g, '');
    expect([metadata('0x1020', true), metadata('0xabc', true), metadata('0x1020304', true)]).toEqual([
      '0x10200000',
      '0xab000000',
      '0x10203000',
    ]);
    expect([
      metadata('0x1020', false),
      metadata('0xabc', false),
      metadata('0x1020304', false),
      metadata('0', false),
    ]).toEqual(['0x1020', '0xabc', '0x1020304', '0']);
    expect(errorOf('push_nsh(mdtype=2,md2=0)', { strict: true }).code).toBe('bad-action-text');
    expect(errorOf(`push_nsh(mdtype=2,md2=0x${'11'.repeat(248)})`).code).toBe('bad-action-text');
  });

  it('keeps parts of connection tracking that have an effect', () => {
    expect(
      only('ct(commit,zone=5,mark=0x1/0xf,label=0x5,helper=ftp,timeout=t,nat(src=10.0.0.1-10.0.0.9:5-6,random))', 'ct')
        .ct,
    ).toEqual({
      commit: true,
      force: false,
      zone: 5,
      mark: { value: 1, mask: 15 },
      label: {
        value: Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]),
        mask: new Uint8Array(16).fill(255),
      },
      helper: 'ftp',
      timeout: 't',
      nat: {
        direction: 'src',
        minAddress: Uint8Array.of(10, 0, 0, 1),
        maxAddress: Uint8Array.of(10, 0, 0, 9),
        minPort: 5,
        maxPort: 6,
        random: true,
      },
    });
    expect(only('ct(zone=0,mark=1/0,label=1/0,nat(random))', 'ct').ct).toEqual({
      commit: false,
      force: false,
      nat: {},
    });
  });

  it('takes a probability to a part of 2^32 - 1', () => {
    expect(only('sample(sample=50%,actions(1))', 'sample').probability).toBe(2147483648);
    expect(only('sample(sample=100%,actions(1))', 'sample').probability).toBe(4294967295);
  });
});

describe('limits', () => {
  const outputs = (count: number): string => Array.from({ length: count }, () => '1').join(',');
  // Each count observed with 3.1.0: the most that it takes.
  it.each([
    ['a list', (count: number) => outputs(count), 8191],
    ['a clone', (count: number) => `clone(${outputs(count)})`, 8191],
    ['a clone behind another action', (count: number) => `1,clone(${outputs(count)})`, 8190],
    ['a sample', (count: number) => `sample(sample=50%,actions(${outputs(count)}))`, 8189],
    ['a branch by length', (count: number) => `check_pkt_len(size=5,gt(${outputs(count)}),le(1))`, 8188],
    ['user data', (count: number) => `userspace(pid=1,userdata(${'aa'.repeat(count)}))`, 65516],
    ['user data with actions', (count: number) => `userspace(pid=1,userdata(${'aa'.repeat(count)}),actions)`, 65512],
    [
      'user data with a port',
      (count: number) => `userspace(pid=1,userdata(${'aa'.repeat(count)}),tunnel_out_port=3)`,
      65508,
    ],
  ] as const)('%s is too big from one more on', (_name, make, most) => {
    expect(formatActions(parseActions(make(most)))).toHaveLength(
      make(most).length + (make(most).startsWith('sample') ? 2 : 0),
    );
    expect(errorOf(make(most + 1))).toMatchObject({
      code: 'bad-action-text',
      message: expect.stringContaining('too big') as string,
    });
  });

  it('nests as deep as 3.1 does', () => {
    const nested = (depth: number, inner: string): string => 'clone('.repeat(depth) + inner + ')'.repeat(depth);
    for (const strict of [true, false]) {
      expect(parseActions(nested(30, '1'), { strict })).toHaveLength(1);
      expect(errorOf(nested(31, '1'), { strict }).message).toBe(`syntax error at ${nested(31, '1')}`);
      expect(parseActions(nested(31, ''), { strict })).toHaveLength(1);
      expect(errorOf(nested(32, ''), { strict }).code).toBe('bad-action-text');
    }
    expect(formatActions(parseActions(nested(31, 'drop')))).toBe(nested(31, 'drop'));
  });

  it('are found in bounded time and space', () => {
    const many = 200_000;
    for (const text of [
      'clone('.repeat(many),
      'sample(sample=1%,actions('.repeat(many),
      `check_pkt_len(size=${'1'.repeat(many)},gt(1),le(2))`,
      `ct(${'commit,'.repeat(many)}`,
      `ct(nat(${'src'.repeat(many)}`,
      `userspace(pid=1,userdata(${'aa'.repeat(many)}))`,
      `sample(sample=${'1'.repeat(many)}%,actions(1))`,
      `push_nsh(${'ttl=1,'.repeat(many)})`,
      `set(ipv4(${'ttl=1,'.repeat(many)}))`,
      'pop_vlan'.repeat(many),
      `recirc(${'9'.repeat(many)})`,
      'x'.repeat(many),
    ]) {
      try {
        formatActions(parseActions(text));
      } catch (error) {
        if (!(error instanceof MegaflowError)) throw error;
      }
    }
  });
});

describe('errors', () => {
  it.each([
    ['1,bogus(2),3', 'syntax error at bogus(2),3', 'an action'],
    ['1x', 'syntax error at 1x', 'a comma, at character 1'],
    ['clone(1)2', 'syntax error at clone(1)2', 'a comma, at character 8'],
    ['set(ipv4(ttl=x))', 'syntax error at set(ipv4(ttl=x))', 'at character 13'],
    ['set(in_port(p1))', 'syntax error at set(in_port(p1))', 'an action'],
    ['set(encap())', 'syntax error at set(encap())', 'an action'],
  ])('%s', (text, message, allowed) => {
    const error = errorOf(text);
    expect(error.message).toBe(message);
    expect(error.allowed).toContain(allowed);
  });

  it('does not share masks between settings', () => {
    const [first] = parseActions('set(tunnel(dst=1.1.1.1,ttl=1,flags(0)))') as Extract<Action, { type: 'set' }>[];
    first.fields.mask.fill(0);
    const [second] = parseActions('set(tunnel(dst=1.1.1.1,ttl=1,flags(0)))') as Extract<Action, { type: 'set' }>[];
    expect(getField(second.fields.mask, 'tunDst')).toBe(0xffff_ffff);
    expect(formatFlow({ key: second.fields.value, mask: second.fields.mask })).toContain('dst=1.1.1.1');
  });
});
