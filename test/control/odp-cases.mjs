// @ts-check
// Flows and actions that Open vSwitch tries its own text with (tests/odp.at in its repository), put together from their
// parts. `record-odp.mjs` asks 3.1 about them through `dpctl/add-flow`, and the test megaflow.

const ETH = 'in_port(1),eth(src=00:01:02:03:04:05,dst=10:11:12:13:14:15)';
const IP4 = 'src=35.8.2.41,dst=172.16.0.20';
const IP6 = 'src=::1,dst=::2';
const ND = 'nd(target=::3,sll=00:05:06:07:08:09,tll=00:0a:0b:0c:0d:0e)';

/** @param {string} fields of IPv4 @param {string} [rest] */
const ipv4 = (fields, rest = '') => `${ETH},eth_type(0x0800),ipv4(${fields})${rest && `,${rest}`}`;
/** @param {string} fields of IPv6 @param {string} [rest] */
const ipv6 = (fields, rest = '') => `${ETH},eth_type(0x86dd),ipv6(${fields})${rest && `,${rest}`}`;
/** @param {string} fields of the label @param {number} [type] */
const mpls = (fields, type = 0x8847) => `${ETH},eth_type(0x${type.toString(16)}),mpls(${fields})`;

const exact = [
  ETH,
  `${ETH},eth_type(0x1234)`,
  ...['no', 'first', 'later'].map((frag) => ipv4(`${IP4},proto=5,tos=0x80,ttl=128,frag=${frag}`)),
  ipv4(`${IP4},proto=5,tos=0x81,ttl=128,frag=no`),
  ipv4(`${IP4},proto=6,tos=0,ttl=128,frag=no`, 'tcp(src=80,dst=8080)'),
  ipv4(`${IP4},proto=17,tos=0,ttl=128,frag=no`, 'udp(src=81,dst=6632)'),
  ipv4(`${IP4},proto=1,tos=0,ttl=128,frag=no`, 'icmp(type=1,code=2)'),
  ...['no', 'first', 'later'].map((frag) => ipv6(`${IP6},label=0,proto=10,tclass=0x70,hlimit=128,frag=${frag}`)),
  ipv6(`${IP6},label=0,proto=10,tclass=0x71,hlimit=128,frag=no`),
  ipv6(`${IP6},label=0,proto=6,tclass=0,hlimit=128,frag=no`, 'tcp(src=80,dst=8080)'),
  ipv6(`${IP6},label=0,proto=17,tclass=0,hlimit=128,frag=no`, 'udp(src=6630,dst=22)'),
  ipv6(`${IP6},label=0,proto=58,tclass=0,hlimit=128,frag=no`, 'icmpv6(type=1,code=2)'),
  ipv6(`${IP6},label=0,proto=58,tclass=0,hlimit=128,frag=no`, `icmpv6(type=136,code=0),${ND}`),
  `${ETH},eth_type(0x0806),arp(sip=1.2.3.4,tip=5.6.7.8,op=1,sha=00:0f:10:11:12:13,tha=00:14:15:16:17:18)`,
  mpls('label=100,tc=3,ttl=64,bos=1'),
  mpls('label=100,tc=7,ttl=100,bos=1'),
  mpls('label=100,tc=7,ttl=100,bos=0'),
  mpls('label=1000,tc=4,ttl=200,bos=1', 0x8848),
  mpls('label=1000,tc=4,ttl=200,bos=0', 0x8848),
];

const ip6Host = `${IP6},label=0,proto=58,tclass=0,hlimit=128,frag=no`;
const wild = [
  'in_port(1/0xff),eth(src=00:01:02:03:04:05/ff:ff:ff:ff:ff:f0,dst=10:11:12:13:14:15/ff:ff:ff:ff:ff:f0)',
  `${ETH},eth_type(0x1234/0xfff0)`,
  ipv4('src=35.8.2.41/255.255.255.0,dst=172.16.0.20/255.255.255.0,proto=5/0xf0,tos=0x80/0xf0,ttl=128/0xf0,frag=no'),
  ipv4(`${IP4},proto=6,tos=0,ttl=128,frag=no`, 'tcp(src=80/0xff00,dst=8080/0xff)'),
  ipv4(`${IP4},proto=17,tos=0,ttl=128,frag=no`, 'udp(src=81/0xff00,dst=6632/0xff)'),
  ipv4(`${IP4},proto=17,tos=0,ttl=128,frag=no`, 'udp(src=81/0xff,dst=6632/0xff00)'),
  ipv4(`${IP4},proto=1,tos=0,ttl=128,frag=no`, 'icmp(type=1/0xf0,code=2)'),
  ipv4(`${IP4},proto=1,tos=0,ttl=128,frag=no`, 'icmp(type=1/0xf0,code=2/0xff)'),
  ipv6('src=::1/::255,dst=::2/::255,label=0/0xf0,proto=10/0xf0,tclass=0x70/0xf0,hlimit=128/0xf0,frag=no'),
  ipv6(`${IP6},label=0,proto=6,tclass=0,hlimit=128,frag=no`, 'tcp(src=80/0xff00,dst=8080/0xff)'),
  ipv6(`${IP6},label=0,proto=17,tclass=0,hlimit=128,frag=no`, 'udp(src=6630/0xff00,dst=22/0xff)'),
  ipv6(ip6Host, 'icmpv6(type=1/0xf0,code=2)'),
  ipv6(ip6Host, 'icmpv6(type=135,code=0),nd(target=::3/::250)'),
  ipv6(ip6Host, 'icmpv6(type=135,code=0),nd(target=::3/::250,sll=00:05:06:07:08:09/ff:ff:ff:ff:ff:00)'),
  ipv6(ip6Host, 'icmpv6(type=136,code=0),nd(target=::3/::250,tll=00:0a:0b:0c:0d:0e/ff:ff:ff:ff:ff:00)'),
  ipv6(
    ip6Host,
    'icmpv6(type=136,code=0),nd(target=::3/::250,sll=00:05:06:07:08:09/ff:ff:ff:ff:ff:00,tll=00:0a:0b:0c:0d:0e/ff:ff:ff:ff:ff:00)',
  ),
  `${ETH},eth_type(0x0806),arp(sip=1.2.3.4/255.255.255.250,tip=5.6.7.8/255.255.255.250,op=1/0xf0,sha=00:0f:10:11:12:13/ff:ff:ff:ff:ff:00,tha=00:14:15:16:17:18/ff:ff:ff:ff:ff:00)`,
  `skb_mark(0x1234/0xfff0),${ipv6(ip6Host, `icmpv6(type=136,code=0),${ND}`)}`,
];

/** @typedef {(flow: string) => string | undefined} Dress what a test of theirs puts around a flow; undefined: nothing */

/** @param {string} head @returns {Dress} */
const before = (head) => (flow) => head + flow;
/** Puts what follows the addresses into a tag. @param {string} head @param {string} tag @returns {(flow: string) => string} */
const tagged = (head, tag) => (flow) =>
  head + flow.replace(/(eth\([^)]*\)),?/, `$1,eth_type(0x8100),${tag},encap(`) + ')';
/** @param {number} type @param {string} fields @returns {Dress} */
const labelled = (type, fields) => (flow) =>
  flow.replace(/(eth\([^)]*\)),?.*/, `$1,eth_type(0x${type.toString(16)}),mpls(${fields})`);
/** @type {Dress} */
const first = (flow) => (flow.includes(',frag=no),') ? flow.replace(',frag=no),', ',frag=first),') : undefined);
/** @type {Dress} */
const later = (flow) => (flow.includes(',frag=no),') ? flow.replace(/,frag=no\),.*/, ',frag=later)') : undefined);

const META = 'skb_priority(0),skb_mark(0),recirc_id(0),dp_hash(0),';
/** @param {string} fields @param {string} [priority] */
const tunnel = (fields, priority = '0') => `skb_priority(${priority}),tunnel(${fields}),`;
const REST = 'skb_mark(0),recirc_id(0),dp_hash(0),';
const BIG_ID = 'tun_id=0xfedcba9876543210';
const NETS = 'tun_id=0x7f10354/0xff,src=10.10.10.10/255.255.255.0,dst=20.20.20.20/255.255.255.0,ttl=64';

/** @type {Dress[]} */
const exactDresses = [
  before(META),
  before(
    `${tunnel('tun_id=0x7f10354,src=10.10.10.10,dst=20.20.20.20,ttl=64,flags(csum|key)')}skb_mark(0x1234),recirc_id(0),dp_hash(0),`,
  ),
  tagged(META, 'vlan(vid=99,pcp=7)'),
  labelled(0x8847, 'label=100,tc=7,ttl=64,bos=1'),
  labelled(0x8848, 'label=100,tc=7,ttl=64,bos=1'),
  tagged(tunnel(`${BIG_ID},src=10.0.0.1,dst=10.0.0.2,tos=0x8,ttl=128,flags(key)`) + REST, 'vlan(vid=99,pcp=7)'),
  tagged(
    tunnel(`${BIG_ID},src=10.10.10.10,dst=20.20.20.20,tos=0x8,ttl=64,flags(key)`, '0x1234') + REST,
    'vlan(vid=99,pcp=7)',
  ),
  before(
    'skb_priority(0),skb_mark(0),ct_mark(0x12345678),ct_label(0x1234567890abcdef1234567890abcdef),recirc_id(0),dp_hash(0),',
  ),
  (flow) => first(META + flow),
  (flow) => later(META + flow),
  before(tunnel(`${BIG_ID},src=10.0.0.1,dst=10.0.0.2,ttl=128,erspan(ver=1,idx=0x7),flags(df|key)`) + REST),
  before(tunnel(`${BIG_ID},src=10.0.0.1,dst=10.0.0.2,ttl=128,erspan(ver=2,dir=1,hwid=0x7),flags(df|key)`) + REST),
];

/** @type {Dress[]} */
const wildDresses = [
  (flow) => flow,
  before(`tunnel(${NETS},vxlan(gbp(id=10/0xff,flags=0xb)),flags(oam|csum|key)),`),
  before(`tunnel(${NETS},flags(-df+csum+key)),`),
  before(
    `tunnel(${NETS},geneve({class=0,type=0,len=4,0xa/0xff}{class=0xffff,type=0x1,len=4,0xffffffff}),flags(csum|key)),`,
  ),
  tagged('', 'vlan(vid=99,pcp=7)'),
  labelled(0x8847, 'label=100/0xff,tc=7/7,ttl=64/0xff,bos=1/1'),
  before('skb_priority(0x1234/0xff),'),
  tagged(`tunnel(${BIG_ID},src=10.0.0.1,dst=10.0.0.2,tos=0x8,ttl=128,flags(key)),`, 'vlan(vid=99/0xff0,pcp=7/0xe)'),
  tagged(
    `skb_priority(0x1234),tunnel(${BIG_ID},src=10.10.10.10,dst=20.20.20.20,tos=0x8,ttl=64,flags(key)),`,
    'vlan(vid=99,pcp=7)',
  ),
  (flow) =>
    flow.replace(
      /(eth\([^)]*\)),/,
      '$1,ct_state(+trk),ct_zone(0x5/0xff),ct_mark(0x10305070/0xf0f0f0f0),ct_label(0x1234567890abcdef1234567890abcdef/0x102030405060708090a0b0c0d0e0f0),ct_tuple4(src=10.10.10.10,dst=20.20.20.20,proto=17,tp_src=1,tp_dst=2),',
    ),
  first,
  later,
  before(tunnel(`${BIG_ID},src=10.0.0.1,dst=10.0.0.2,ttl=128,erspan(ver=1/0,idx=0x7/0xf),flags(df|key)`) + REST),
  before(tunnel(`${BIG_ID},src=10.0.0.1,dst=10.0.0.2,ttl=128,erspan(ver=2,dir=1,hwid=0x7/0xf),flags(df|key)`) + REST),
];

/** @param {string[]} flows @param {Dress[]} dresses */
const dressed = (flows, dresses) => dresses.flatMap((dress) => flows.flatMap((flow) => dress(flow) ?? []));

/** Flows in tags, for filters. */
const inTags = [6, 17].flatMap((protocol) =>
  [99, 100].map((vid) =>
    tagged(
      '',
      `vlan(vid=${vid},pcp=7)`,
    )(
      ipv4(
        `${IP4},proto=${protocol},tos=0,ttl=128,frag=no`,
        protocol === 6 ? 'tcp(src=80/0xff00,dst=8080/0xff)' : 'udp(src=81/0xff00,dst=6632/0xff)',
      ),
    ),
  ),
);

export const flows = [
  ...new Set([...dressed(exact, exactDresses), ...dressed(wild, wildDresses), 'encap('.repeat(32) + ')'.repeat(32)]),
];

/** Flows that are installed together, and the filters that are laid over them. */
export const filtered = {
  flows: [...wild.slice(1, 5), ...wild.slice(5, 6), wild[7], ...wild.slice(8, 10), wild[16], ...inTags],
  filters: [
    'dl_type=0x1235',
    'dl_vlan=99',
    'dl_vlan=99,ip',
    'ip,nw_src=35.8.2.199',
    'ip,nw_dst=172.16.0.199',
    'dl_type=0x0800,nw_src=35.8.2.199,nw_dst=172.16.0.199',
    'icmp,nw_src=35.8.2.199',
    'arp,arp_spa=1.2.3.5',
    'tcp,tp_src=90',
    'tcp6,tp_src=90',
  ],
};

const PUSH = 'eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:46:58:e0,dl_type=0x';
/** @param {number} port @param {number} size @param {number} type @param {number} protocol @param {string} rest */
const push4 = (port, size, type, protocol, rest) =>
  `tnl_push(tnl_port(${port}),header(size=${size},type=${type},${PUSH}0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=${protocol},tos=0,ttl=64,frag=0x4000),${rest}),out_port(1))`;
/** @param {number} port @param {number} size @param {number} type @param {number} protocol @param {string} rest */
const push6 = (port, size, type, protocol, rest) =>
  `tnl_push(tnl_port(${port}),header(size=${size},type=${type},${PUSH}86dd),ipv6(src=2001:cafe::88,dst=2001:cafe::92,label=0,proto=${protocol},tclass=0x0,hlimit=64),${rest}),out_port(1))`;
const GENEVE = [
  [0, 'udp(src=0,dst=6081,csum=0x0),geneve(oam,vni=0x1c7)'],
  [8, 'udp(src=0,dst=6081,csum=0x0),geneve(crit,vni=0x1c7,options({class=0xffff,type=0x80,len=4,0xa}))'],
  [0, 'udp(src=0,dst=6081,csum=0xffff),geneve(vni=0x1c7)'],
];
const GRE = [
  [0, 'gre((flags=0x2000,proto=0x6558),key=0x1e241)'],
  [4, 'gre((flags=0xa000,proto=0x6558),csum=0x0,key=0x1e241)'],
];
const VXLAN = 'udp(src=0,dst=4789,csum=0x0),vxlan(flags=0x8000000,vni=0x1c7)';
const USERDATA = 'userdata(0102030405060708090a0b0c0d0e0f)';
const SAMPLE = 'flow_sample(probability=123,collector_set_id=1234,obs_domain_id=2345,obs_point_id=3456,output_port=10';
const FE80 = 'fe80::20c:29ff:fe88';
const translations = [
  'src',
  'dst',
  'src=10.0.0.240,random',
  'src=10.0.0.240:32768-65535,random',
  'dst=10.0.0.128-10.0.0.254,hash',
  'src=10.0.0.240-10.0.0.254:32768-65535,persistent',
  `src=${FE80}:a18b,random`,
  `src=${FE80}:1-${FE80}:a18b,random`,
  `src=[${FE80}:1]-[${FE80}:a18b]:255-4096,random`,
];

/** Lists of actions. */
export const actions = [
  '1,2,3',
  ...['sFlow(vid=9,pcp=7,output=10),actions'].flatMap((cookie) => [
    `userspace(pid=6633,${cookie})`,
    `userspace(pid=6633,${cookie},tunnel_out_port=10)`,
  ]),
  ...['slow_path(0)', 'slow_path(cfm)'].flatMap((cookie) => [
    `userspace(pid=9765,${cookie})`,
    `userspace(pid=9765,${cookie},tunnel_out_port=10)`,
  ]),
  `userspace(pid=1234567,${USERDATA},actions)`,
  `userspace(pid=1234567,${USERDATA},tunnel_out_port=10)`,
  ...[')', ',ingress)', '),tunnel_out_port=10', ',egress),tunnel_out_port=10'].map(
    (end) => `userspace(pid=6633,${SAMPLE}${end})`,
  ),
  'userspace(pid=6633,ipfix(output_port=10))',
  'userspace(pid=6633,ipfix(output_port=10),tunnel_out_port=10)',
  ...[
    [0, 1],
    [1, 0],
  ].map(
    ([dontSend, continuation]) =>
      `userspace(pid=6633,controller(reason=1,dont_send=${dontSend},continuation=${continuation},recirc_id=4444,rule_cookie=0x5555,controller_id=0,max_len=65535))`,
  ),
  ...[
    'in_port(2)',
    'eth(src=00:01:02:03:04:05,dst=10:11:12:13:14:15)',
    'eth(src=00:01:02:03:04:05,dst=10:11:12:13:14:15/ff:ff:ff:00:00:00)',
    'eth_type(0x1234)',
    `ipv4(${IP4},proto=5,tos=0x80,ttl=128,frag=no)`,
    `ipv4(${IP4},proto=5,ttl=128,frag=no)`,
    'ipv4(src=35.8.2.41/255.255.255.0,dst=172.16.0.20,proto=5,tos=0x80,ttl=128,frag=no)',
    'ipv4(src=35.8.2.41/255.255.255.0,tos=0x80,ttl=128,frag=no)',
    'ipv4(tos=0/0x3)',
    'ipv4(tos=0x80/0xfc)',
    'ipv4(ttl=128,frag=no)',
    'ipv4(frag=no)',
    ...['tcp(src=80', 'udp(src=81', 'sctp(src=82'].flatMap((ports) => [
      `${ports},dst=8080)`,
      `${ports}/0xff00,dst=8080)`,
      `${ports})`,
      ports.replace(/src=.*/, 'dst=6633)'),
    ]),
    'icmp(type=1,code=2)',
    `ipv6(${IP6},label=0,proto=10,tclass=0x70,hlimit=128,frag=no)`,
    `ipv6(${IP6})`,
    'ipv6(label=0,proto=10,tclass=0x70,hlimit=128,frag=no)',
    'ipv6(label=0,proto=10,hlimit=128)',
    'ipv6(label=0/0xfff,proto=10,tclass=0x70/0x70)',
    'ipv6(label=0)',
    'icmpv6(type=1,code=2)',
    'vlan(vid=5)',
    'vlan(vid=3,pcp=5)',
    'vlan(vid=3,pcp=5,cfi=0)',
    'vlan(vid=5/0x3)',
  ].map((attribute) => `set(${attribute})`),
  'set(vlan(vid=5/0x1)),3',
  'push_vlan(vid=12,pcp=0)',
  'push_vlan(vid=13,pcp=5,cfi=0)',
  'push_vlan(tpid=0x9100,vid=13,pcp=5)',
  'push_vlan(tpid=0x9100,vid=13,pcp=5,cfi=0)',
  'pop_vlan',
  'sample(sample=9.7%,actions(1,2,3,push_vlan(vid=1,pcp=2)))',
  ...['flags(df|csum|key)', 'flags(key)'].map(
    (flags) => `set(tunnel(tun_id=0xabcdef1234567890,src=1.1.1.1,dst=2.2.2.2,ttl=64,${flags}))`,
  ),
  'tnl_pop(4)',
  ...GRE.map(([more, text]) => push4(4, 42 + Number(more), 3, 47, String(text))),
  push4(6, 50, 4, 17, VXLAN),
  ...GENEVE.map(([more, text]) => push4(6, 50 + Number(more), 5, 17, String(text))),
  ...GRE.map(([more, text]) => push6(4, 62 + Number(more), 109, 47, String(text))),
  push6(6, 70, 4, 17, VXLAN),
  ...GENEVE.map(([more, text]) => push6(6, 70 + Number(more), 5, 17, String(text))),
  'ct',
  'ct(nat)',
  ...['commit', 'force_commit'].flatMap((commit) =>
    [
      '',
      ',zone=5',
      ',mark=0xa0a0a0a0/0xfefefefe',
      ',label=0x1234567890abcdef1234567890abcdef/0xf1f2f3f4f5f6f7f8f9f0fafbfcfdfeff',
      ',helper=ftp',
      ',helper=tftp',
      ...translations.map((nat) => `,nat(${nat})`),
      ',helper=ftp,nat(src=10.1.1.240-10.1.1.255)',
    ].map((rest) => `ct(${commit}${rest})`),
  ),
  'ct_clear',
  'trunc(100)',
  'clone(1)',
  'clone(clone(push_vlan(vid=12,pcp=0),2),1)',
  ...['ver=1,idx=0x7', 'ver=2,dir=1,hwid=0x1'].map(
    (erspan) => `set(tunnel(tun_id=0x1,dst=1.1.1.1,ttl=64,erspan(${erspan}),flags(df|key)))`,
  ),
  'encap_nsh@:{@',
];

/** The longest cookies that fit into an action, and those that do not. */
export const userdata = [
  [65_512, 'actions'],
  [65_513, 'actions'],
  [65_508, 'tunnel_out_port=10'],
  [65_509, 'tunnel_out_port=10'],
].map(([bytes, end]) => `userspace(pid=1234567,userdata(${'aa'.repeat(Number(bytes))}),${end})`);
