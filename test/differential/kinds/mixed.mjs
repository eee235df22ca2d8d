// @ts-check
// Kinds of scenarios that mix what the others try one by one: rules over all fields, frames that are spoiled inside and
// outside of tunnels, commands given at random, and all of it at once.
import { fieldFlows, fieldGroups } from '../field-flows.mjs';
import { randomFlows } from '../flows.mjs';
import { spoil } from '../frames.mjs';
import { hostMac, vxlan } from '../packets.mjs';
import {
  advance,
  anyFrame,
  anyTags,
  appctl,
  dumpFlows,
  knownFrame,
  look,
  neighbors4,
  outerFrom,
  outerFrom6,
  overlayMac,
  receive,
  remoteIp,
  remoteIp6,
  remoteMac,
  systemPort,
  systemPorts,
  traffic,
  tunnelExtras,
  tunnelKeys,
  underlay,
  underlay4,
  vlanPort,
  vxlanPort,
} from '../parts.mjs';

/** @typedef {import('../random.mjs').Random} Random */
/** @typedef {import('../generate.mjs').Kind} Kind */
/** @typedef {import('../scenario.js').Step} Step */
/** @typedef {import('../scenario.js').BridgeConfig} BridgeConfig */
/** @typedef {import('../scenario.js').PortConfig} PortConfig */
/** @typedef {import('../scenario.js').MirrorConfig} MirrorConfig */
/** @typedef {import('../scenario.js').ConfigChange} ConfigChange */

const VLANS = [10, 20];

/** A frame as it comes: any, one between few hosts, or a spoiled one. @param {Random} random @param {number} [spoiled] */
function someFrame(random, spoiled = 0.08) {
  const tags = random.chance(0.4) ? anyTags(random, VLANS) : [];
  const frame = random.chance(0.5) && tags.length === 0 ? knownFrame(random, 6) : anyFrame(random, { tags });
  return random.chance(spoiled) ? spoil(random, frame) : frame;
}

/** Rules that match and write every field that a key has. @type {Kind} */
export function fields(random, frames = 50) {
  const groups = random.chance(0.4) ? fieldGroups(random) : undefined;
  const vnis = [0, 5, 0x65, 0xffffff];
  const step = () => {
    if (random.chance(0.2)) return receive('ens8', vxlan(outerFrom(2, random.pick(vnis)), someFrame(random)));
    if (random.chance(0.03)) return advance(random.pick([1000, 6000, 12000]));
    return receive(random.pick(['p1', 'p1', 'p2', 'p3', 'br0']), someFrame(random));
  };
  return {
    config: {
      bridges: [
        {
          name: 'br0',
          mac: overlayMac,
          ports: [
            ...systemPorts(3),
            vxlanPort('vx', 10, { dst_port: '4789', remote_ip: remoteIp(2), key: 'flow' }),
            ...(random.chance(0.4)
              ? [vxlanPort('vy', 11, { dst_port: '4789', remote_ip: 'flow', key: 'flow', local_ip: 'flow' })]
              : []),
          ],
          openflow: fieldFlows(random, groups !== undefined),
          ...(groups ? { groups } : {}),
        },
        underlay(['ens8']),
      ],
      ...underlay4,
      neighbors: neighbors4([2, 3]),
    },
    steps: traffic(random, frames, step, [dumpFlows, appctl('dpctl/show')], [appctl('bridge/dump-flows', 'br0')]),
  };
}

/** Frames that are cut or changed, in tunnels, around tunnels, and on their way into one. @type {Kind} */
export function spoiled(random, frames = 50) {
  const six = random.chance(0.4);
  const tunnels = [
    vxlanPort('vx2', 10, { dst_port: '4789', remote_ip: remoteIp(2), ...tunnelExtras(random), key: 'flow' }),
    ...(six
      ? [vxlanPort('vx6', 11, { dst_port: '4789', remote_ip: remoteIp6(2), ...tunnelExtras(random), key: '66' })]
      : []),
  ];
  const inner = () => {
    const frame = someFrame(random, 0);
    return random.chance(0.5) ? spoil(random, frame) : frame;
  };
  const tunnelled = () =>
    six && random.chance(0.5)
      ? vxlan(outerFrom6(2, 66), inner())
      : vxlan(
          outerFrom(2, random.pick([0, 5]), {
            tos: random.pick([0, 0, 3, 0xb8]),
            checksum: random.pick([undefined, /** @type {const} */ ('right')]),
          }),
          inner(),
        );
  const step = () => {
    if (random.chance(0.5)) return receive(random.pick(['p1', 'p2']), inner());
    return receive('ens8', random.chance(0.3) ? spoil(random, tunnelled()) : tunnelled());
  };
  return {
    config: {
      bridges: [
        {
          name: 'br0',
          mac: overlayMac,
          ports: [systemPort('p1', 1), vlanPort(random, 'p2', 2), ...tunnels],
          ...(random.chance(0.2) ? { otherConfig: { 'mac-aging-time': '15' } } : {}),
        },
        underlay(['ens8']),
      ],
      addresses: [...underlay4.addresses, ...(six ? [{ dev: 'br1', ip: 'fd00:10::1/64' }] : [])],
      routes: [...underlay4.routes, ...(six ? [{ prefix: 'fd00:10::/64', dev: 'br1' }] : [])],
      neighbors: [...neighbors4([2]), ...(six ? [{ bridge: 'br1', ip: remoteIp6(2), mac: remoteMac(2) }] : [])],
    },
    steps: traffic(random, frames, step, look('br0'), [appctl('dpctl/show'), appctl('fdb/show', 'br1')]),
  };
}

/** Words of commands, right ones and wrong ones. @param {Random} random @returns {string[]} */
function command(random) {
  const bridge = () => random.pick(['br0', 'br0', 'br1', 'nosuch']);
  const mac = () => random.pick([hostMac(random.between(1, 6)), hostMac(random.between(1, 6)), '2:0:0:0:0:9', '02:00']);
  const port = () => random.pick(['p1', 'p2', 'vx', 'br0', '1', 'LOCAL', 'nosuch']);
  const vlan = () => random.pick(['0', '0', '10', '20', '4095', '-1', 'x']);
  const ip = () => random.pick(['10.10.10.2', '10.10.10.3', '10.20.0.5', 'fd00:10::2', '1.2.3', '::ffff:10.10.10.2']);
  const prefix = () => random.pick(['10.20.0.0/16', '10.20.0.5/32', '0.0.0.0/0', '10.20.0.5', '10.10.10.0/24', 'x/8']);
  /** @type {Array<() => string[]>} */
  const all = [
    () => ['fdb/show', bridge()],
    () => ['fdb/add', bridge(), port(), vlan(), mac()],
    () => ['fdb/add', 'br0', 'p1', '0', hostMac(random.between(1, 6))],
    () => ['fdb/del', bridge(), vlan(), mac()],
    () => ['fdb/del', 'br0', '0', hostMac(random.between(1, 6))],
    () => ['fdb/flush', ...(random.chance(0.7) ? [bridge()] : [])],
    () => ['fdb/stats-show', bridge()],
    () => ['fdb/stats-clear', ...(random.chance(0.5) ? [bridge()] : [])],
    () => ['tnl/neigh/show'],
    () => ['tnl/neigh/set', random.pick(['br1', 'br1', 'br0']), ip(), random.pick([remoteMac(2), remoteMac(3), mac()])],
    () => ['tnl/neigh/flush'],
    () => ['tnl/neigh/aging', ...random.pick([[], ['900'], ['30'], ['0'], ['4000']])],
    () => ['tnl/ports/show', ...random.pick([[], ['-v']])],
    () => ['ovs/route/show'],
    () => ['ovs/route/add', prefix(), random.pick(['br1', 'br1', 'br0', 'nosuch']), ...random.pick([[], [ip()]])],
    () => ['ovs/route/add', '10.20.0.0/16', 'br1', '10.10.10.2'],
    () => ['ovs/route/del', prefix()],
    () => ['ovs/route/lookup', ip()],
    () => [
      'dpctl/dump-flows',
      ...random.pick([['--names'], ['-m', '--names'], ['--names', 'filter=ip'], ['--names', 'type=ovs']]),
    ],
    () => [
      'dpctl/dump-flows',
      '--names',
      `filter=${random.pick(['in_port=p1', 'arp', 'udp,tp_dst=53', 'dl_vlan=10', 'tun_id=5', 'nw_dst=1.2.3.4', 'ipv6'])}`,
    ],
    () => ['dpctl/show'],
    () => ['dpctl/del-flows'],
    () => ['dpif/dump-flows', ...random.pick([['--names'], ['-m', '--names']]), bridge()],
    () => ['ofproto/list'],
    () => ['bridge/dump-flows', bridge()],
    () => ['ofproto/list-tunnels', 'x'],
    () => ['revalidator/wait'],
    () => ['revalidator/purge'],
    () => [
      'ofproto/trace',
      bridge(),
      `in_port=${random.pick(['p1', 'p2', 'vx', 'LOCAL', '99'])},dl_src=${hostMac(random.between(1, 6))},dl_dst=${hostMac(random.between(1, 6))},${random.pick(['ip,nw_src=172.16.0.1', 'arp,arp_op=1', 'udp,tp_dst=53', 'dl_type=0x88b5', 'dl_vlan=10,udp', 'udp6', 'nosuch=1'])}`,
      ...random.pick([[], [], ['-generate'], ['--names']]),
    ],
    () => ['nosuch/command', 'x'],
    () => ['fdb/show', 'br0', 'br1', 'br2'],
    () => ['version'],
  ];
  return random.pick(all)();
}

/** Commands between frames: what they print, what they refuse, and what they do. @type {Kind} */
export function commands(random, frames = 40) {
  const rules = random.chance(0.4) ? { openflow: randomFlows(random) } : {};
  const step = () => {
    if (random.chance(0.5)) return appctl(...command(random));
    if (random.chance(0.05)) return advance(random.pick([1000, 3000, 12000]));
    if (random.chance(0.2)) return receive('ens8', vxlan(outerFrom(2, 5), knownFrame(random, 6)));
    return receive(random.pick(['p1', 'p2', 'br0']), random.chance(0.7) ? knownFrame(random, 6) : someFrame(random));
  };
  return {
    config: {
      bridges: [
        {
          name: 'br0',
          mac: overlayMac,
          ports: [
            systemPort('p1', 1),
            systemPort('p2', 2, random.pick([{}, { tag: 10 }])),
            systemPort('p3', 3),
            vxlanPort('vx', 10, { dst_port: '4789', remote_ip: remoteIp(2), key: '5', ...tunnelExtras(random, 0.15) }),
          ],
          ...rules,
        },
        underlay(['ens8']),
      ],
      ...underlay4,
      neighbors: neighbors4([2]),
    },
    steps: traffic(random, 2 * frames, step, look('br0'), [appctl('tnl/neigh/show'), appctl('ovs/route/show')]),
  };
}

/**
 * Everything at once: two overlay bridges that may be joined, ports of all VLAN modes, tunnels over both underlays,
 * mirrors, rules, a small MAC table; frames of all kinds, commands, changes of the configuration and leaps of time.
 * @type {Kind}
 */
export function chaos(random, frames = 60) {
  const joined = random.chance(0.5);
  const six = random.chance(0.4);
  const extra = () => ({ ...tunnelKeys(random, [5, 5, 7]), ...tunnelExtras(random, 0.2) });
  const tunnels = [
    vxlanPort('vx2', 10, { dst_port: '4789', remote_ip: remoteIp(2), ...extra() }),
    ...(random.chance(0.6) ? [vxlanPort('vx3', 11, { dst_port: '4789', remote_ip: remoteIp(3), ...extra() })] : []),
    ...(six ? [vxlanPort('vx6', 12, { dst_port: '4789', remote_ip: remoteIp6(2), ...extra() })] : []),
  ];
  if (random.chance(0.4))
    for (const tunnel of tunnels) Object.assign(tunnel, random.pick([{}, { tag: 10 }, { trunks: VLANS }]));
  const plain = ['p1', 'p2', 'p3'].map((name, i) =>
    random.chance(0.5) ? systemPort(name, i + 1) : vlanPort(random, name, i + 1),
  );
  if (random.chance(0.3)) for (const port of plain.slice(1)) port.protected = random.chance(0.6);
  /** @type {MirrorConfig[]} */
  const mirrors = random.chance(0.35)
    ? [
        {
          name: 'm',
          ...random.pick([
            { selectAll: true },
            { selectSrcPort: ['p1'] },
            { selectDstPort: ['p1', 'p2'] },
            { selectAll: true, selectVlan: [10] },
            { selectSrcPort: [tunnels[0].name] },
          ]),
          ...random.pick([{ outputPort: 'out' }, { outputPort: 'out' }, { outputVlan: 99 }]),
        },
      ]
    : [];
  /** @type {BridgeConfig[]} */
  const bridges = [
    {
      name: 'br0',
      mac: overlayMac,
      ports: [
        ...plain,
        systemPort('out', 9),
        ...tunnels,
        ...(joined ? [{ name: 'to2', interface: { type: 'patch', ofport: 20, options: { peer: 'from0' } } }] : []),
      ],
      ...(mirrors.length > 0 ? { mirrors } : {}),
      ...(random.chance(0.35) ? { openflow: randomFlows(random) } : {}),
      ...(random.chance(0.3) ? { otherConfig: { 'mac-table-size': '8' } } : {}),
      ...(random.chance(0.15) ? { floodVlans: [20] } : {}),
    },
    underlay(random.chance(0.5) ? ['ens8', 'ens9'] : ['ens8']),
  ];
  if (joined)
    bridges.push({
      name: 'br2',
      mac: 'aa:55:aa:55:00:02',
      ports: [
        { name: 'from0', interface: { type: 'patch', ofport: 1, options: { peer: 'to2' } } },
        systemPort('q1', 2),
        vlanPort(random, 'q2', 3),
      ],
    });
  const inside = ['p1', 'p2', 'p3', ...(joined ? ['q1', 'q2'] : []), ...(random.chance(0.3) ? ['br0'] : [])];
  const live = new Set(['p1', 'p2', 'p3']);
  let next = 30;
  const change = () => {
    const bridge = 'br0';
    /** @type {Array<[number, () => ConfigChange]>} */
    const changes = [
      [3, () => ({ bridge, setPort: { name: random.pick([...live]), tag: random.pick([null, 10, 20]) } })],
      [1, () => ({ bridge, setPort: { name: random.pick([...live]), protected: random.chance(0.5) } })],
      [
        2,
        () => {
          const name = `p${++next}`;
          live.add(name);
          inside.push(name);
          return { bridge, addPort: systemPort(name, next) };
        },
      ],
      [
        2,
        () => ({
          bridge,
          setInterface: { name: 'vx2', options: { dst_port: '4789', remote_ip: remoteIp(2), ...extra() } },
        }),
      ],
      [1, () => ({ bridge, set: { otherConfig: { 'mac-aging-time': random.pick(['15', '300']) } } })],
    ];
    return random.weigh(changes)();
  };
  const outer = () => {
    const vni = random.pick([0, 5, 5, 7]);
    if (six && random.chance(0.3)) return vxlan(outerFrom6(2, vni), someFrame(random));
    return vxlan(outerFrom(random.pick([2, 2, 3]), vni, random.chance(0.1) ? { tos: 3 } : {}), someFrame(random));
  };
  const step = () =>
    random.weigh([
      [26, () => receive(random.pick(inside), someFrame(random))],
      [10, () => receive('ens8', outer())],
      [2, () => ({ change: change() })],
      [1, () => appctl('tnl/neigh/set', 'br1', remoteIp(random.pick([2, 3])), remoteMac(random.between(2, 5)))],
      [1, () => appctl('fdb/add', 'br0', random.pick(['p1', 'p2']), '0', hostMac(random.between(1, 6)))],
      [1, () => appctl('fdb/flush', 'br0')],
      [1, () => appctl('ovs/route/add', '10.10.10.3/32', 'br1', '10.10.10.2')],
      [1, () => appctl('ovs/route/del', '10.10.10.3/32')],
      [2, () => advance(random.pick([500, 1000, 3000, 12000, 16000]))],
    ])();
  return {
    config: {
      bridges,
      addresses: [...underlay4.addresses, ...(six ? [{ dev: 'br1', ip: 'fd00:10::1/64' }] : [])],
      routes: [...underlay4.routes, ...(six ? [{ prefix: 'fd00:10::/64', dev: 'br1' }] : [])],
      neighbors: [
        ...neighbors4(random.chance(0.7) ? [2, 3] : [2]),
        ...(six ? [{ bridge: 'br1', ip: remoteIp6(2), mac: remoteMac(2) }] : []),
      ],
      ...(random.chance(0.15) && !six ? { nativeTunnels: false } : {}),
    },
    steps: traffic(random, frames, step, look(...bridges.map(({ name }) => name)), [
      appctl('tnl/neigh/show'),
      appctl('dpctl/show'),
    ]),
  };
}
