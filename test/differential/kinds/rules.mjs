// @ts-check
// Kinds of scenarios about rules and configuration: OpenFlow tables, and changes under traffic.
import { randomFlows } from '../flows.mjs';
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
  overlayMac,
  receive,
  remoteIp,
  systemPort,
  systemPorts,
  traffic,
  tunnelExtras,
  underlay,
  underlay4,
  vxlanPort,
} from '../parts.mjs';

/** @typedef {import('../generate.mjs').Kind} Kind */
/** @typedef {import('../scenario.js').Step} Step */

/** OpenFlow tables in front of NORMAL. @type {Kind} */
export function openflow(random, frames = 50) {
  const fixed = [
    'table=0,priority=100,arp,actions=NORMAL',
    'table=0,priority=90,in_port=1,ip,nw_dst=172.16.1.0/24,actions=set_field:0x65->tun_id,resubmit(,1)',
    'table=0,priority=80,tcp,tp_dst=80,actions=mod_nw_tos:16,output:2',
    'table=0,priority=70,udp,actions=mod_dl_src:02:11:11:11:11:11,resubmit(,2)',
    'table=0,priority=60,icmp,actions=drop',
    'table=0,priority=50,dl_vlan=10,actions=strip_vlan,output:3',
    'table=0,priority=0,actions=NORMAL',
    'table=1,priority=10,udp,actions=output:10',
    'table=1,priority=5,actions=dec_ttl,output:10,output:2',
    'table=2,priority=1,actions=mod_vlan_vid:7,output:3,strip_vlan,output:2',
  ];
  const sorts = ['arp-request', 'udp', 'tcp', 'icmp', 'fragment', 'udp6'];
  const step = () =>
    receive(
      random.weigh([
        [6, 'p1'],
        [2, 'p2'],
        [2, 'p3'],
      ]),
      anyFrame(random, {
        tags: random.chance(0.75) ? [] : [{ vid: random.pick([10, 10, 7, 20]) }],
        ...(random.chance(0.85) ? { sorts } : {}),
      }),
    );
  return {
    config: {
      bridges: [
        {
          name: 'br0',
          mac: overlayMac,
          ports: [...systemPorts(3), vxlanPort('vx', 10, { dst_port: '4789', remote_ip: remoteIp(2), key: 'flow' })],
          openflow: random.chance(0.4) ? fixed : randomFlows(random),
        },
        underlay(['ens8']),
      ],
      ...underlay4,
      neighbors: neighbors4([2]),
    },
    steps: [...traffic(random, frames, step, [dumpFlows]), appctl('fdb/show', 'br0')],
  };
}

/** OpenFlow tables on overlay and underlay, flows that time out, flows that learn. @type {Kind} */
export function tables(random, frames = 50) {
  const learning = random.chance(0.4);
  const learned = 'table=1,priority=50,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]';
  const flows = learning
    ? [
        `table=0,priority=10,actions=learn(${learned}),resubmit(,1)`,
        'table=0,priority=20,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=FLOOD',
        'table=1,priority=0,actions=FLOOD',
      ]
    : randomFlows(random);
  if (random.chance(0.4)) flows.push(`table=0,priority=900,hard_timeout=${random.pick([5, 20])},udp,actions=output:3`);
  if (random.chance(0.3)) flows.push('table=0,priority=800,idle_timeout=30,tcp,actions=output:2,output:10');
  const br1 = random.chance(0.3)
    ? {
        openflow: [
          'priority=50,udp,tp_dst=4789,in_port=LOCAL,actions=mod_nw_tos:32,output:1',
          ...(random.chance(0.5) ? ['priority=60,icmp,actions=drop'] : []),
          'priority=0,actions=NORMAL',
        ],
      }
    : {};
  const step = () => {
    if (random.chance(0.05)) return advance(random.pick([1000, 3000, 26000, 45000]));
    if (random.chance(0.15))
      return receive('ens8', vxlan(outerFrom(2, random.pick([0, 5, 0x65])), knownFrame(random, 8)));
    return receive(
      random.pick(['p1', 'p1', 'p2', 'p3', 'br0']),
      random.chance(0.5)
        ? knownFrame(random, 8)
        : anyFrame(random, { tags: anyTags(random, [7, 10, 20]).slice(0, random.below(2)) }),
    );
  };
  return {
    config: {
      bridges: [
        {
          name: 'br0',
          mac: overlayMac,
          ports: [...systemPorts(3), vxlanPort('vx', 10, { dst_port: '4789', remote_ip: remoteIp(2), key: 'flow' })],
          openflow: flows,
        },
        { ...underlay(['ens8']), ...br1 },
      ],
      ...underlay4,
      neighbors: neighbors4([2]),
    },
    steps: traffic(random, frames, step, [dumpFlows], [appctl('bridge/dump-flows', 'br0')]),
  };
}

/** Ports, tags and tunnel options that change under traffic. @type {Kind} */
export function change(random, frames = 56) {
  /** @type {Array<() => import('../scenario.js').ConfigChange>} */
  const pool = [];
  const bridge = 'br0';
  const live = new Set(['p1', 'p2', 'p3']);
  let tunnel = true;
  let next = 4;
  const options = () => ({
    remote_ip: random.pick([remoteIp(2), remoteIp(3)]),
    key: random.pick(['7', '8', 'flow']),
    dst_port: random.pick(['4789', '4789', '8472']),
    ...tunnelExtras(random, 0.25),
  });
  pool.push(
    () => ({ bridge, setPort: { name: random.pick([...live]), tag: random.pick([10, 20]) } }),
    () => ({ bridge, setPort: { name: random.pick([...live]), tag: null } }),
    () => ({ bridge, setPort: { name: random.pick([...live]), trunks: random.pick([[10], [10, 20], [0, 20]]) } }),
    () => {
      if (live.size < 3) return { bridge, setPort: { name: 'p1', tag: null } };
      const name = random.pick([...live].filter((port) => port !== 'p1'));
      live.delete(name);
      return { bridge, removePort: name };
    },
    () => {
      const name = `p${++next}`;
      live.add(name);
      return { bridge, addPort: systemPort(name, next, random.chance(0.5) ? { tag: random.pick([10, 20]) } : {}) };
    },
    () =>
      tunnel
        ? { bridge, setInterface: { name: 'vx', options: options() } }
        : { bridge, setPort: { name: 'p1', tag: null } },
    () => {
      tunnel = !tunnel;
      return tunnel ? { bridge, addPort: vxlanPort('vx', 10, options()) } : { bridge, removePort: 'vx' };
    },
    () => ({ bridge, setPort: { name: random.pick([...live]), protected: random.chance(0.6) } }),
    () => ({ bridge, set: { otherConfig: { 'forward-bpdu': random.pick(['true', 'false']) } } }),
  );
  /** @type {Step[]} */
  const steps = [];
  const rounds = Math.max(2, Math.round(frames / 8));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 8; i++) {
      const tags = random.chance(0.1) ? [{ vid: random.pick([10, 20]) }] : [];
      steps.push(
        receive(
          random.pick([...live]),
          random.chance(0.8)
            ? knownFrame(random, 6)
            : anyFrame(random, { source: hostMac(random.between(1, 6)), tags }),
        ),
      );
    }
    steps.push({
      change: random.weigh([
        [3, pool[0]],
        [2, pool[1]],
        [1, pool[2]],
        [2, pool[3]],
        [3, pool[4]],
        [4, pool[5]],
        [1, pool[6]],
        [1, pool[7]],
        [1, pool[8]],
      ])(),
    });
    steps.push(advance(1000), ...look('br0'));
  }
  return {
    config: {
      bridges: [
        {
          name: 'br0',
          mac: overlayMac,
          ports: [...systemPorts(3), vxlanPort('vx', 10, { dst_port: '4789', remote_ip: remoteIp(2), key: '7' })],
        },
        underlay(['ens8']),
      ],
      ...underlay4,
      neighbors: neighbors4([2, 3]),
    },
    steps,
  };
}
