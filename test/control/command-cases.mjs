// @ts-check
// Switches, and commands given to them: scenarios as those of test/scenarios (FORMAT.md there), without answers.
// `record-commands.mjs` asks Open vSwitch, and the test megaflow. In flows ports are given by name, in actions by
// numbers that no port has: the numbers of a datapath's ports are the implementation's choice.

/** @typedef {import('../differential/scenario.js').Scenario} Scenario */
/** @typedef {import('../differential/scenario.js').Step} Step */

/** @param {string} name @param {Record<string, unknown>} [columns] */
const port = (name, columns = {}) => ({ name, interface: { type: 'system' }, ...columns });
/** @param {string} name @param {Record<string, string>} options */
const vxlan = (name, options) => ({ name, interface: { type: 'vxlan', options } });
/** A command, its words separated by spaces. @param {string} text @returns {Step} */
const command = (text) => ({ appctl: text.split(' ').filter((word) => word !== '') });
/** A command whose words have spaces or are empty. @param {string[]} words @returns {Step} */
const words = (...words) => ({ appctl: words });
/** @param {string} portName @param {string} frame @returns {Step} */
const receive = (portName, frame) => ({ receive: { port: portName, frame } });
/** @param {number} ms @returns {Step} */
const advance = (ms) => ({ advance: ms });

/** Broadcast from 02:00:00:00:00:NN, of 60 bytes. @param {string} host */
const broadcast = (host) => `ffffffffffff0200000000${host}88b5`.padEnd(120, '0');
/** Ethernet, IPv4 and UDP from 1.1.1.1 port 1 to 2.2.2.2 port 2, TTL 64, without payload; the IP checksum is right. */
const datagram = '000000000002000000000001' + '0800' + '4500001c00000000401174d20101010102020202' + '0001000200080000';

const overlay = {
  bridges: [
    {
      name: 'br0',
      mac: 'aa:55:aa:55:00:01',
      ports: [
        port('p1', { tag: 10 }),
        port('p2'),
        vxlan('vx1', { remote_ip: '10.0.0.2', key: '5' }),
        { name: 'pa', interface: { type: 'patch', options: { peer: 'pb' } } },
      ],
    },
    { name: 'br1', mac: 'aa:55:aa:55:00:02', ports: [port('e1')] },
    {
      name: 'br2',
      mac: 'aa:55:aa:55:00:03',
      ports: [{ name: 'pb', interface: { type: 'patch', options: { peer: 'pa' } } }],
    },
  ],
  addresses: [
    { dev: 'br1', ip: '10.0.0.1/24' },
    { dev: 'br1', ip: 'fd00::1/64' },
  ],
  routes: [{ prefix: '10.0.0.0/24', dev: 'br1' }],
  neighbors: [{ bridge: 'br1', ip: '10.0.0.2', mac: 'aa:bb:cc:dd:ee:02' }],
};

const flat = (/** @type {Record<string, string>} */ otherConfig = {}) => ({
  bridges: [{ name: 'br0', mac: 'aa:55:aa:55:00:01', otherConfig, ports: [port('p1'), port('p2'), port('p3')] }],
});

/** @type {Step[]} */
const fdb = [
  ...[
    'fdb/show',
    'fdb/show br9',
    'fdb/show br0 br1',
    'fdb/stats-show',
    'fdb/stats-show x',
    'fdb/stats-show br0',
    'fdb/stats-clear brx',
    'fdb/flush brx',
    'fdb/flush x y',
  ],
  ...[
    'fdb/add',
    'fdb/add br0 p1 0',
    'fdb/add br9 p1 0 02:00:00:00:00:01',
    'fdb/add br0 9 0 02:00:00:00:00:01',
    'fdb/add br0 LOCAL 0 02:00:00:00:00:01',
  ],
  ...[
    'fdb/add br0 p1 0 02:00:00',
    'fdb/add br0 p1 0 02:00:00:00:00:01:02',
    'fdb/add br0 p1 0 02-00-00-00-00-01',
    'fdb/add br0 p1 0 02:00:00:00:00:01 x',
    'fdb/add br0 nosuch 0 02:00',
    'fdb/add brx nosuch 0 02:00',
  ],
  ...['fdb/add br0 p1 0 100:0:0:0:0:1', 'fdb/add br0 p1 0 0x1:0:0:0:0:2', 'fdb/add br0 p1 0 0002:0:0:0:0:3'],
  ...[
    'fdb/add br0 p2 -1 02:00:00:00:00:05',
    'fdb/add br0 p2 70000 02:00:00:00:00:05',
    'fdb/add br0 p2 5x 02:00:00:00:00:05',
    'fdb/add br0 p2 0x10 02:00:00:00:00:05',
  ],
  ...[
    'fdb/show br0',
    'fdb/stats-show br0',
    'fdb/add br0 br0 0 02:00:00:00:00:03',
    'fdb/add br0 p1 0 02:00:00:00:00:03',
    'fdb/add br0 p1 0 02:00:00:00:00:03',
  ],
]
  .map(command)
  .concat(
    [
      receive('p1', broadcast('aa')),
      command('fdb/add br0 p1 0 02:00:00:00:00:aa'),
      receive('p1', broadcast('bb')),
      command('fdb/add br0 br0 0 02:00:00:00:00:bb'),
    ],
    [
      command('fdb/stats-show br0'),
      command('fdb/add br0 p1 0 01:00:00:00:00:99'),
      command('fdb/add br0 p2 0 01:00:00:00:00:99'),
      command('fdb/del br0 0 01:00:00:00:00:99'),
    ],
    [words('fdb/add', 'br0', 'p1', ' 7 ', '2:0:0:0:0:4')],
    [
      'fdb/del br0',
      'fdb/del brx 0 02:00:00:00:00:05',
      'fdb/del br0 0 zz',
      'fdb/del br0 9 02:00:00:00:00:05',
      'fdb/del br0 x 02:00:00:00:00:05',
      'fdb/del br0 5 02:00:00:00:00:05',
    ].map(command),
    [
      receive('p2', broadcast('cc')),
      command('fdb/show br0'),
      advance(3000),
      receive('p3', broadcast('cc')),
      command('fdb/stats-show br0'),
      command('fdb/flush br0'),
      command('fdb/show br0'),
    ],
    [command('fdb/stats-clear'), command('fdb/stats-show br0'), command('fdb/stats-clear br0'), command('fdb/flush')],
  );

const evictions = [
  ...['01', '02', '03', '04', '05', '06'].map((host) => receive('p1', broadcast(host))),
  ...['07', '08', '09', '0a', '0b', '0c'].map((host) => receive('p2', broadcast(host))),
  command('fdb/show br0'),
  ...['0d', '0e', '0f'].map((host) => command(`fdb/add br0 p3 0 02:00:00:00:00:${host}`)),
  command('fdb/show br0'),
  command('fdb/stats-show br0'),
];

const routes = [
  ...[
    'ovs/route/show',
    'tnl/ports/show -v',
    'ovs/route/add',
    'ovs/route/add foo',
    'ovs/route/add foo br1',
    'ovs/route/add 8.8.8.8/33 br1',
    'ovs/route/add 8.8.8.8 brx',
  ],
  ...[
    'ovs/route/add 10.0.0.77/24 br1',
    'ovs/route/add 10.0.0.77/24 br1 10.0.0.9',
    'ovs/route/add 10.0.0.1 br1 0.0.0.0',
    'ovs/route/add 10.9.0.0/16 br1',
  ],
  ...[
    'ovs/route/add 10.9.0.0/16 br1 10.0.0.3',
    'ovs/route/add fd00::/64 br1',
    'ovs/route/add fd01::/64 br1 fd00::9',
    'ovs/route/add ::/0 br1 fd00::254',
  ],
  ...[
    'ovs/route/add 8.8.8.8/32 br1 10.0.0.4 pkt_mark=5x',
    'ovs/route/add 8.8.8.8/32 br1 pkt_mark=6',
    'ovs/route/add 10.0.0.8/32 br1 pkt_mark=0x7',
  ],
  ...[
    'ovs/route/add 8.8.8.8/32 br1 pkt_mark=6 10.0.0.4',
    'ovs/route/add 8.8.8.8/32 br1 foo',
    'ovs/route/add 8.8.8.8/32 br1 pkt_mark=x',
    'ovs/route/add 8.8.8.8/32 br1 10.0.0.4 10.0.0.5',
  ],
  ...[
    'ovs/route/add 8.8.8.8/32 br1 10.0.0.4 pkt_mark=8 x',
    'ovs/route/add 8.8.8.8/32 br1 fd00::9',
    'ovs/route/add fd02::/64 br1 10.0.0.9',
    'ovs/route/add 10.0.0.1/32 br1 ::',
  ],
  ...[
    'ovs/route/show',
    'ovs/route/lookup',
    'ovs/route/lookup x',
    'ovs/route/lookup 10.1.2.5/24',
    'ovs/route/lookup 8.8.8.8',
    'ovs/route/lookup 8.8.8.8 pkt_mark=5',
  ],
  ...[
    'ovs/route/lookup 8.8.8.8 pkt_mark=9',
    'ovs/route/lookup 8.8.8.8 x',
    'ovs/route/lookup 10.9.1.1',
    'ovs/route/lookup 10.0.0.1',
    'ovs/route/lookup fd01::5',
    'ovs/route/lookup fd00::5',
  ],
  ...[
    'ovs/route/lookup 1.1.1.1 pkt_mark=1 2',
    'ovs/route/lookup 0.0.0.0',
    'tnl/ports/show -v',
    'ovs/route/del',
    'ovs/route/del x',
    'ovs/route/del 8.8.8.8/32 x',
    'ovs/route/del 8.8.8.8',
  ],
  ...[
    'ovs/route/del 8.8.8.8 pkt_mark=05',
    'ovs/route/del 10.0.0.200/24',
    'ovs/route/show',
    'tnl/ports/show -v',
    'ovs/route/add 10.0.0.0/24 br1',
    'tnl/ports/show -v',
    'tnl/ports/show',
  ],
  ...['tnl/ports/show x', 'tnl/ports/show -v -v', 'ovs/route/show'],
].map(command);

const neighbours = [
  ...[
    'tnl/neigh/show',
    'tnl/neigh/show x',
    'tnl/neigh/aging',
    'tnl/neigh/aging 0',
    'tnl/neigh/aging 3601',
    'tnl/neigh/aging x',
    'tnl/neigh/aging -5',
    'tnl/neigh/aging 1 2',
  ],
  ...[
    'tnl/neigh/set br1 10.0.0.9',
    'tnl/neigh/set br1 x aa:bb:cc:dd:ee:ff',
    'tnl/neigh/set br1 10.0.0.9 x',
    'tnl/neigh/set br1 10.0.0.013 aa:bb:cc:dd:ee:ff',
  ],
  ...[
    'tnl/neigh/set br1 10.0.0.12 aa:bb:cc:dd:ee:ff:01',
    'tnl/neigh/set nope 10.0.0.9 aa:bb:cc:dd:ee:01',
    'tnl/arp/set br1 fd00::0:9 a:b:c:d:e:f',
  ],
  ...[
    'tnl/neigh/set br1 ::ffff:10.0.0.99 aa:bb:cc:dd:ee:ff',
    'tnl/neigh/set br1 10.0.0.2 aa:bb:cc:dd:ee:03',
    'tnl/neigh/show',
    'tnl/arp/show',
    'tnl/neigh/aging 12x',
    'tnl/arp/aging',
  ],
]
  .map(command)
  .concat([
    advance(11_000),
    command('tnl/neigh/set br1 10.0.0.2 aa:bb:cc:dd:ee:03'),
    advance(1000),
    command('tnl/neigh/show'),
    command('tnl/neigh/flush'),
    command('tnl/arp/flush x'),
    command('tnl/neigh/show'),
  ]);

/** Options of tunnels, as they are shown again. @type {Record<string, string>[]} */
const tunnelOptions = [
  { remote_ip: '10.0.0.2', key: '5', ttl: '20', tos: '0x10', csum: 'true', df_default: 'false', egress_pkt_mark: '7' },
  { remote_ip: '10.0.0.2', in_key: '5', out_key: '6', dst_port: '1234', ttl: 'inherit' },
  { remote_ip: '10.0.0.2', in_key: '7', dst_port: '1234', ttl: '0' },
  { remote_ip: '10.0.0.2', out_key: '8', dst_port: '1234', tos: 'inherit' },
  { remote_ip: '10.0.0.2', key: 'flow', dst_port: '1234', local_ip: '1.2.3.4' },
  { remote_ip: '10.0.0.2', in_key: 'flow', dst_port: '1235', out_key: '3' },
  { remote_ip: '10.0.0.3', in_key: '9', dst_port: '1235', out_key: 'flow' },
  { remote_ip: 'fd00::2', dst_port: '1235', local_ip: 'fd00::1', csum: 'false', df_default: 'true' },
  { remote_ip: 'flow', local_ip: 'flow', key: 'flow', dst_port: '1236', exts: 'gbp' },
  { remote_ip: 'flow', dst_port: '1237', key: '0' },
  { remote_ip: 'flow', dst_port: '1238', in_key: '0x10', out_key: '16', exts: 'gpe' },
];
const tunnels = {
  bridges: [
    { name: 'br1', mac: 'aa:55:aa:55:00:02', ports: [port('e1')] },
    {
      name: 'br0',
      mac: 'aa:55:aa:55:00:01',
      ports: [port('p2'), port('p10'), ...tunnelOptions.map((options, index) => vxlan(`v${index + 1}`, options))],
    },
  ],
};

const ARP = 'eth(),eth_type(0x0806),arp()';
const IPV4 = 'eth(),eth_type(0x0800)';
const UFID = 'ufid:12345678-1234-1234-1234-123456789012';
const flows = [
  receive('p2', datagram),
  ...[
    ['dpctl/dump-flows', '--names'],
    ['dpctl/dump-flows', '-m'],
    ['dpctl/dump-flows', '--more', '--names'],
    ['dpctl/dump-flows', 'nope'],
    ['dpctl/dump-flows', 'ovs-netdev'],
    ['dpctl/dump-flows', '--names', 'a', 'b'],
    ['dpctl/dump-flows', 'a', 'b', 'c', 'd', 'e', 'f', 'g'],
    ['dpctl/dump-flows', '-x'],
    ['dpctl/dump-flows', '-mx'],
    ['dpctl/dump-flows', '--foo'],
    ['dpctl/dump-flows', '--names', 'filter=in_port=p2'],
    ['dpctl/dump-flows', '--names', 'filter=in_port=p1'],
    ['dpctl/dump-flows', '--names', 'filter=ip,nw_src=1.1.1.1'],
    ['dpctl/dump-flows', '--names', 'filter=ip,nw_src=9.9.9.9'],
    ['dpctl/dump-flows', '--names', 'filter=dl_src=00:00:00:00:00:01'],
    ['dpctl/dump-flows', '--names', 'filter=dl_src=00:00:00:00:00:03'],
    ['dpctl/dump-flows', '--names', 'filter=arp'],
    ['dpctl/dump-flows', '--names', 'filter='],
    ['dpctl/dump-flows', 'filter=foo'],
    ['dpctl/dump-flows', 'filter=nw_src=1.2.3.4'],
    ['dpctl/dump-flows', '--names', 'type=ovs'],
    ['dpctl/dump-flows', '--names', 'type=dpdk,ovs', 'filter=ip'],
    ['dpctl/dump-flows', 'type=offloaded'],
    ['dpctl/dump-flows', 'type=tc,dpdk'],
    ['dpctl/dump-flows', '--names', 'type=non-offloaded'],
    ['dpctl/dump-flows', 'type=partially-offloaded'],
    ['dpctl/dump-flows', '--names', 'type=all'],
    ['dpctl/dump-flows', 'type='],
    ['dpctl/dump-flows', 'type=foo'],
    ['dpctl/dump-flows', 'type=ovs,foo'],
    ['dpctl/dump-flows', 'pmd=0'],
    ['dpctl/dump-flows', '--names', 'pmd=-1'],
    ['dpctl/dump-flows', 'pmd=x'],
    ['dpif/dump-flows'],
    ['dpif/dump-flows', 'brx'],
    ['dpif/dump-flows', '--names', 'br0'],
    ['dpif/dump-flows', '-m', 'br0'],
    ['dpif/dump-flows', '-x', '-m', '--no-names', '--names', 'br0'],
    ['dpif/dump-flows', 'br1'],
    ['dpctl/add-flow'],
    ['dpctl/add-flow', 'in_port(p2)'],
    ['dpctl/add-flow', `in_port(p2),${ARP}`, 'foo'],
    ['dpctl/add-flow', `in_port(p2),${ARP}`, 'p2'],
    ['dpctl/add-flow', 'in_port(x)', 'drop'],
    ['dpctl/add-flow', `in_port(p2)/0xffff,${ARP}`, 'drop'],
    ['dpctl/add-flow', 'in_port(p2),eth(src=zz)', 'drop'],
    ['dpctl/add-flow', 'in_port(p2)', 'drop'],
    ['dpctl/add-flow', ARP, 'drop'],
    ['dpctl/add-flow', 'in_port(p2),in_port(p1)', 'drop'],
    ['dpctl/add-flow', 'in_port(p2),eth(),eth_type(0x0806)', 'drop'],
    ['dpctl/add-flow', `in_port(p2),${IPV4},ipv4(proto=6),udp()`, 'drop'],
    ['dpctl/add-flow', `in_port(p2),eth(),eth_type(0x8100),vlan(vid=5)`, 'drop'],
    ['dpctl/add-flow', 'nope', `in_port(p2),${ARP}`, 'drop'],
    ['dpctl/add-flow', `in_port(p2),${ARP}`, '98,99'],
    ['dpctl/add-flow', `in_port(p2),eth(dst=02:00:00:00:00:01),eth_type(0x0806),arp()`, 'drop'],
    ['dpctl/add-flow', '-s', `in_port(57),${ARP}`, ''],
    ['dpctl/add-flow', 'in_port(p1),eth_type(0x88cc)', 'drop'],
    ['dpctl/dump-flows', '--names'],
    ['dpctl/dump-flows', '-m', 'filter=arp'],
    ['dpctl/mod-flow', `in_port(p2),${ARP}`, 'drop'],
    ['dpctl/mod-flow', '-s', `in_port(p2),eth(dst=02:00:00:00:00:01),eth_type(0x0806),arp()`, '97'],
    ['dpctl/mod-flow', '--clear', `in_port(p2),${ARP}`, '96'],
    ['dpctl/mod-flow', `in_port(58),${ARP}`, 'drop'],
    ['dpctl/mod-flow', '--may-create', `in_port(58),${ARP}`, 'drop'],
    ['dpctl/mod-flow', '--may-create', `in_port(58),${ARP}`, '95'],
    ['dpctl/dump-flows', '--names', 'filter=arp'],
    ['dpctl/del-flow'],
    ['dpctl/del-flow', 'foo'],
    ['dpctl/del-flow', `in_port(p2),eth(dst=02:00:00:00:00:01),eth_type(0x0806),arp()`],
    ['dpctl/del-flow', '-s', `in_port(p2),${ARP}`],
    ['dpctl/del-flow', `in_port(p2),${ARP}`],
    ['dpctl/add-flow', `in_port(59),${IPV4},ipv4(src=1.1.1.1/255.255.255.0)`, '1'],
    ['dpctl/add-flow', `in_port(59),${IPV4},ipv4(src=1.1.1.2/255.255.255.0)`, '1'],
    ['dpctl/del-flow', `in_port(59),${IPV4},ipv4(src=1.1.1.2/255.255.255.0)`],
    ['dpctl/del-flow', `in_port(59),${IPV4},ipv4(src=1.1.1.1)`],
    ['dpctl/get-flow'],
    ['dpctl/get-flow', 'x'],
    ['dpctl/get-flow', 'ufid:12345678-1234-1234-1234'],
    ['dpctl/get-flow', UFID],
    ['dpctl/add-flow', `${UFID},in_port(60),${IPV4},ipv4(src=3.1.1.1)`, '94'],
    ['dpctl/get-flow', UFID],
    ['dpctl/get-flow', '-m', UFID],
    ['dpctl/del-flow', UFID],
    ['dpctl/get-flow', UFID],
    ['dpctl/del-flow', UFID],
    ['dpctl/del-flows', 'a', 'b', 'c'],
    ['dpctl/del-flows'],
    ['dpctl/dump-flows'],
    ['dpctl/parse-actions'],
    ['dpctl/parse-actions', ''],
    ['dpctl/parse-actions', '1 2', 'drop'],
    ['dpctl/parse-actions', '--names', 'set(vlan(vid=5)),1'],
    ['dpctl/parse-actions', '-x', '1'],
    ['dpctl/parse-actions', '1,p1'],
    ['dpctl/parse-actions', 'clone(drop)'],
    ['dpctl/add-flow', `in_port(61/0xffff),${IPV4},ipv4()`, '1'],
    ['dpctl/add-flow', 'in_port(61)', 'clone(drop)'],
    ['dpctl/show', 'ovs-netdev'],
    ['dpctl/show', 'netdev@nope'],
    ['dpctl/show', '-x'],
  ].map((list) => words(...list)),
  command('dpctl/show'),
  command('dpctl/show -m'),
  command('dpif/show'),
  receive('p2', datagram),
  command('dpctl/dump-flows --names'),
  command('revalidator/wait'),
  command('revalidator/purge'),
  command('dpctl/dump-flows --names'),
];

const others = [
  ...[
    'nope',
    'dpctl/nope',
    'version',
    'version x',
    'upcall/show x',
    'revalidator/wait x',
    'ofproto/list',
    'dpctl/dump-dps',
    'dpif/dump-dps',
    'ofproto/list-tunnels x',
    'list-commands x',
    'bridge/dump-flows',
    'bridge/dump-flows nosuch',
    'bridge/dump-flows br0',
    'bridge/dump-flows --offload-stats br1',
    'bridge/dump-flows x y z',
  ],
  ...[
    'upcall/set-flow-limit',
    'upcall/set-flow-limit 500',
    'upcall/set-flow-limit abc',
    'upcall/set-flow-limit -1',
    'upcall/set-flow-limit 20000',
    'coverage/read-counter x',
    'upcall/show',
  ],
].map(command);

/**
 * A flow that was deleted does not come back, whatever changes, but for a purge or where it would have to match more.
 */
const seen = [receive('p1', datagram), command('dpctl/dump-flows --names'), command('dpctl/show')];
const deleted = [
  command('fdb/add br0 p2 0 00:00:00:00:00:02'),
  ...seen,
  command('dpctl/del-flows'),
  ...seen,
  advance(1000),
  ...seen,
  receive('p1', datagram.replace('000000000001', '000000000003')),
  ...seen,
  command('fdb/add br0 p2 0 02:00:00:00:00:77'),
  advance(1000),
  ...seen,
  command('fdb/add br0 br0 0 00:00:00:00:00:02'),
  advance(1000),
  command('fdb/del br0 0 00:00:00:00:00:02'),
  advance(1000),
  ...seen,
  // To the tunnel, for which the TOS is matched.
  command('fdb/add br0 vx1 0 00:00:00:00:00:02'),
  advance(1000),
  ...seen,
  ...seen,
  command('dpctl/del-flows'),
  command('revalidator/purge'),
  ...seen,
];

/** @type {Scenario[]} */
export const cases = [
  { name: 'fdb', config: flat(), steps: fdb },
  { name: 'evictions', config: flat({ 'mac-table-size': '10' }), steps: evictions },
  { name: 'routes', config: { ...overlay, routes: [], neighbors: [] }, steps: routes },
  { name: 'neighbours', config: overlay, steps: neighbours },
  {
    name: 'tunnels',
    config: tunnels,
    steps: ['dpif/show', 'ofproto/list-tunnels', 'tnl/ports/show', 'dpctl/show'].map(command),
  },
  { name: 'flows', config: overlay, steps: flows },
  {
    name: 'deleted',
    config: {
      ...overlay,
      bridges: [
        {
          ...overlay.bridges[0],
          ports: [port('p1'), port('p2'), port('p3', { tag: 10 }), vxlan('vx1', { remote_ip: '10.0.0.2', key: '5' })],
        },
        overlay.bridges[1],
      ],
    },
    steps: deleted,
  },
  { name: 'others', config: overlay, steps: others },
];
