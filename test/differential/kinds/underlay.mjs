// @ts-check
// Kinds of scenarios about what moves beneath and with time: neighbours, routes, ageing, hosts that move, LOCAL ports.
import { randomFrame, randomIpv4, randomTos } from '../frames.mjs';
import { arp, ethernet, hostMac, icmp, ipv4, ipv6, neighbor, udp, vxlan } from '../packets.mjs';
import {
  advance,
  anyFrame,
  anyHost,
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
  underlay,
  underlay4,
  underlayMac,
  vxlanPort,
} from '../parts.mjs';

/** @typedef {import('../generate.mjs').Kind} Kind */
/** @typedef {import('../scenario.js').Step} Step */

/** Hosts that move, neighbours that change, tables that are flushed, time that passes. @type {Kind} */
export function churn(random, frames = 61) {
  const hosts = 6;
  const key = random.pick(['7', '7', '12', '0']);
  const options = { dst_port: random.pick(['4789', '4789', '8472']), remote_ip: remoteIp(2), key };
  const outer = outerFrom(2, Number(key), { destinationPort: Number(options.dst_port) });
  const tables = look('br0', 'br1');
  const step = () =>
    random.weigh([
      [35, () => receive('p2', knownFrame(random, hosts, ['udp', 'icmp']))],
      [25, () => receive('p1', knownFrame(random, hosts, ['udp', 'icmp']))],
      [26, () => receive('ens8', vxlan(outer, knownFrame(random, hosts, ['udp', 'icmp'])))],
      [3, () => advance(1000)],
      [1, () => advance(random.pick([5000, 12000]))],
      [
        4,
        () =>
          appctl(
            'fdb/flush',
            random.weigh([
              [5, 'br0'],
              [1, 'br1'],
            ]),
          ),
      ],
      [5, () => appctl('tnl/neigh/set', 'br1', remoteIp(2), `52:54:00:00:00:${random.between(16, 255).toString(16)}`)],
      [
        2,
        () =>
          receive(
            random.pick(['ens8', 'ens9']),
            ethernet({
              destination: 'ff:ff:ff:ff:ff:ff',
              source: remoteMac(2),
              type: 0x0806,
              payload: arp({
                operation: 1,
                sha: remoteMac(2),
                spa: remoteIp(2),
                tpa: random.pick(['10.10.10.1', '10.10.10.1', '10.10.10.2']),
              }),
            }),
          ),
      ],
    ])();
  return {
    config: {
      bridges: [
        { name: 'br0', mac: overlayMac, ports: [...systemPorts(2), vxlanPort('vx2', 10, options)] },
        underlay(['ens8', 'ens9']),
      ],
      ...underlay4,
      neighbors: neighbors4([2]),
    },
    steps: [
      ...traffic(random, frames, step, [advance(1000), ...tables]),
      advance(1000),
      dumpFlows,
      appctl('fdb/show', 'br0'),
    ],
  };
}

/** Time: MAC entries, flows and neighbours that grow old, at their own pace. @type {Kind} */
export function ageing(random, frames = 40) {
  const seconds = random.pick([5, 15, 30, 60, 300]);
  const age = Math.max(15, seconds);
  const options = { dst_port: '4789', remote_ip: remoteIp(2), key: '7' };
  /** @returns {Step | Step[]} */
  const step = () =>
    random.weigh(
      /** @type {Array<[number, () => Step | Step[]]>} */ ([
        [12, () => receive(random.pick(['p1', 'p2']), knownFrame(random, 6))],
        [6, () => receive('ens8', vxlan(outerFrom(2, 7), knownFrame(random, 6)))],
        [3, () => advance(random.pick([1000, 2000, 3000]))],
        [1, () => advance(12000)],
        [1, () => advance((age + 10) * 1000)],
        [1, () => [appctl('tnl/neigh/aging', '30'), advance(45000), appctl('tnl/neigh/show')]],
        [1, () => appctl('tnl/neigh/set', 'br1', remoteIp(2), remoteMac(2))],
        [1, () => look('br0')],
      ]),
    )();
  return {
    config: {
      bridges: [
        {
          name: 'br0',
          mac: overlayMac,
          ports: [...systemPorts(2), vxlanPort('vx2', 10, options)],
          otherConfig: { 'mac-aging-time': String(seconds) },
        },
        underlay(['ens8']),
      ],
      ...underlay4,
      neighbors: neighbors4([2]),
    },
    steps: traffic(random, frames, step, look('br0', 'br1'), [
      appctl('tnl/neigh/show'),
      advance((age + 10) * 1000),
      ...look('br0', 'br1'),
    ]),
  };
}

/** Hosts that move between ports and tunnels, and say so by gratuitous ARP. @type {Kind} */
export function moves(random, frames = 50) {
  const tunnels = [2, 3].map((n) =>
    vxlanPort(`vx${n}`, 10 + n, { dst_port: '4789', remote_ip: remoteIp(n), key: '7' }),
  );
  const step = () => {
    const host = random.between(1, 4);
    const source = hostMac(host);
    const address = `172.16.0.${host}`;
    const gratuitous = () =>
      ethernet({
        destination: 'ff:ff:ff:ff:ff:ff',
        source,
        type: 0x0806,
        payload: arp({
          operation: random.pick([1, 2]),
          sha: source,
          spa: address,
          tpa: random.chance(0.8) ? address : '172.16.0.9',
        }),
      });
    const frame = random.chance(0.3) ? gratuitous() : knownFrame(random, 4);
    switch (
      random.weigh([
        [10, 'port'],
        [6, 'tunnel'],
        [2, 'time'],
        [1, 'underlay'],
      ])
    ) {
      case 'port':
        return receive(random.pick(['p1', 'p2', 'p3']), frame);
      case 'tunnel':
        return receive('ens8', vxlan(outerFrom(random.pick([2, 3]), 7), frame));
      case 'time':
        return advance(random.pick([1000, 6000]));
      default: {
        // The remote VTEP itself moves: another NIC, another MAC address.
        const mac = random.pick([remoteMac(2), '52:54:00:00:00:77']);
        return receive(
          random.pick(['ens8', 'ens9']),
          ethernet({
            destination: 'ff:ff:ff:ff:ff:ff',
            source: mac,
            type: 0x0806,
            payload: arp({ operation: random.pick([1, 2]), sha: mac, spa: remoteIp(2), tpa: remoteIp(2) }),
          }),
        );
      }
    }
  };
  return {
    config: {
      bridges: [{ name: 'br0', mac: overlayMac, ports: [...systemPorts(3), ...tunnels] }, underlay(['ens8', 'ens9'])],
      ...underlay4,
      neighbors: neighbors4([2, 3]),
    },
    steps: traffic(random, frames, step, look('br0', 'br1'), [appctl('tnl/neigh/show')]),
  };
}

/** Neighbours that must be found: ARP and neighbour discovery in the underlay, sound and odd answers. @type {Kind} */
export function neighbors(random, frames = 45) {
  const six = random.chance(0.7);
  const four = !six || random.chance(0.5);
  const tunnels = [];
  if (six) tunnels.push(vxlanPort('v6', 10, { dst_port: '4789', remote_ip: remoteIp6(2), key: '66' }));
  if (four) tunnels.push(vxlanPort('v4', 11, { dst_port: '4789', remote_ip: remoteIp(3), key: '44' }));
  /** A neighbour advertisement or solicitation towards br1. */
  const discovery = () => {
    const type = random.weigh([
      [6, 136],
      [2, 135],
    ]);
    const mac = random.pick([remoteMac(2), '52:54:00:00:00:66']);
    const source = remoteIp6(2);
    const target = random.weigh([
      [8, remoteIp6(2)],
      [1, remoteIp6(9)],
      [2, 'fd00:10::1'],
    ]);
    const destination = random.weigh([
      [6, 'fd00:10::1'],
      [2, 'ff02::1'],
      [1, 'ff02::1:ff00:1'],
      [1, 'fd00:10::5'],
    ]);
    const addresses = { source, destination };
    const payload = neighbor(
      addresses,
      type,
      target,
      random.chance(0.85) ? mac : null,
      random.pick([0x60, 0x20, 0xa0, 0]),
    );
    return ethernet({
      destination: destination.startsWith('ff02') ? '33:33:00:00:00:01' : underlayMac,
      source: mac,
      type: 0x86dd,
      payload: ipv6({ ...addresses, next: 58, hops: 255, payload }),
    });
  };
  const resolution = () => {
    const mac = random.pick([remoteMac(3), '52:54:00:00:00:67']);
    const operation = random.weigh([
      [5, 2],
      [3, 1],
    ]);
    const tpa = random.weigh([
      [6, '10.10.10.1'],
      [2, remoteIp(3)],
      [1, remoteIp(8)],
    ]);
    return ethernet({
      destination: operation === 1 || random.chance(0.2) ? 'ff:ff:ff:ff:ff:ff' : underlayMac,
      source: mac,
      type: 0x0806,
      payload: arp({
        operation,
        sha: random.chance(0.9) ? mac : '00:00:00:00:00:00',
        spa: remoteIp(3),
        tha: underlayMac,
        tpa,
      }),
    });
  };
  const step = () =>
    random.weigh([
      [10, () => receive(random.pick(['p1', 'p2']), random.chance(0.7) ? knownFrame(random, 6) : anyFrame(random))],
      [six ? 4 : 0, () => receive(random.pick(['ens8', 'ens8', 'ens9']), discovery())],
      [four ? 4 : 0, () => receive(random.pick(['ens8', 'ens8', 'ens9']), resolution())],
      [six ? 2 : 0, () => receive('ens8', vxlan(outerFrom6(2, 66), knownFrame(random, 6)))],
      [four ? 2 : 0, () => receive('ens8', vxlan(outerFrom(3, 44), knownFrame(random, 6)))],
      [2, () => appctl('tnl/neigh/show')],
      [1, () => appctl('tnl/neigh/flush')],
      [1, () => advance(1000)],
    ])();
  return {
    config: {
      bridges: [{ name: 'br0', mac: overlayMac, ports: [...systemPorts(2), ...tunnels] }, underlay(['ens8', 'ens9'])],
      addresses: [...(six ? [{ dev: 'br1', ip: 'fd00:10::1/64' }] : []), ...(four ? underlay4.addresses : [])],
      routes: [...(six ? [{ prefix: 'fd00:10::/64', dev: 'br1' }] : []), ...(four ? underlay4.routes : [])],
    },
    steps: traffic(random, frames, step, look('br0', 'br1'), [appctl('tnl/neigh/show')]),
  };
}

/** Routes: gateways, longer and shorter prefixes, added and removed under traffic, over two underlays. @type {Kind} */
export function routes(random, frames = 40) {
  const remotes = ['10.20.0.5', '10.20.1.5', '192.168.5.5', '10.10.10.2'];
  const chosen = random.some(remotes, random.between(2, 4));
  const tunnels = chosen.map((ip, i) =>
    vxlanPort(`vx${i}`, 10 + i, {
      dst_port: '4789',
      remote_ip: ip,
      key: '7',
      ...(random.chance(0.1) ? { local_ip: '10.10.10.1' } : {}),
    }),
  );
  const gateways = { br1: ['10.10.10.254', '10.10.10.253'], br2: ['10.30.0.254'] };
  const routePool = [
    ['10.20.0.0/16', 'br1', gateways.br1[0]],
    ['10.20.1.0/24', 'br2', gateways.br2[0]],
    ['10.20.0.0/24', 'br1', gateways.br1[1]],
    ['0.0.0.0/0', 'br1', gateways.br1[0]],
    ['0.0.0.0/0', 'br2', gateways.br2[0]],
    ['192.168.0.0/16', 'br2', gateways.br2[0]],
    ['10.20.0.5/32', 'br2', gateways.br2[0]],
    ['192.168.5.0/24', 'br1'],
    ['10.20.0.0/17', 'br2'],
  ];
  const known = [
    ['br1', '10.10.10.254', '52:54:00:00:01:fe'],
    ['br1', '10.10.10.253', '52:54:00:00:01:fd'],
    ['br1', '10.10.10.2', remoteMac(2)],
    ['br2', '10.30.0.254', '52:54:00:00:02:fe'],
  ];
  const step = () =>
    random.weigh([
      [20, () => receive(random.pick(['p1', 'p2']), random.chance(0.6) ? knownFrame(random, 6) : anyFrame(random))],
      [3, () => appctl('ovs/route/add', ...random.pick(routePool))],
      [2, () => appctl('ovs/route/del', random.pick(routePool)[0])],
      [2, () => appctl('ovs/route/lookup', random.pick([...remotes, '8.8.8.8', '10.30.0.7']))],
      [1, () => appctl('ovs/route/show')],
      [
        1,
        () =>
          appctl(
            'ovs/route/add',
            random.pick(['10.99.0.0/16', '10.20.0.0/33', '10.20.0.0']),
            random.pick(['br1', 'nosuch']),
          ),
      ],
      [
        2,
        () =>
          receive(
            random.pick(['ens8', 'ens9']),
            vxlan(
              {
                ...outerFrom(2, 7),
                source: random.pick(chosen),
                ...random.pick([{}, { destination: '10.30.0.1', destinationMac: 'aa:55:aa:55:00:02' }]),
              },
              knownFrame(random, 6),
            ),
          ),
      ],
    ])();
  const first = random
    .some(routePool, random.between(1, 3))
    .map(([prefix, dev, gateway]) => ({ prefix, dev, ...(gateway ? { gateway } : {}) }));
  return {
    config: {
      bridges: [
        { name: 'br0', mac: overlayMac, ports: [...systemPorts(2), ...tunnels] },
        underlay(['ens8']),
        { name: 'br2', mac: 'aa:55:aa:55:00:02', ports: [systemPort('ens9', 1)] },
      ],
      addresses: [...underlay4.addresses, { dev: 'br2', ip: '10.30.0.1/16' }],
      // 192.168.5.0/24 by br1 and 10.20.0.0/17 by br2 have neither gateway nor an address in them: refused.
      routes: [
        ...underlay4.routes,
        { prefix: '10.30.0.0/16', dev: 'br2' },
        ...first.filter((route) => 'gateway' in route),
      ],
      neighbors: (random.chance(0.7) ? known : known.slice(1)).map(([bridge, ip, mac]) => ({ bridge, ip, mac })),
    },
    steps: traffic(random, frames, step, look('br0', 'br1', 'br2'), [
      appctl('ovs/route/show'),
      appctl('tnl/neigh/show'),
    ]),
  };
}

/** A LOCAL port with an address: what it answers, what is for it, and what a tunnel brings it. @type {Kind} */
export function local(random, frames = 45) {
  const tunnel = random.chance(0.6);
  const ports = [
    ...systemPorts(2),
    ...(tunnel ? [vxlanPort('vx2', 10, { dst_port: '4789', remote_ip: remoteIp(2), key: '7' })] : []),
  ];
  const six = random.chance(0.5);
  const step = () => {
    const host = random.between(1, 5);
    const source = hostMac(host);
    const ip = `1.1.1.${10 + host}`;
    const request = () =>
      ethernet({
        destination: random.chance(0.8) ? 'ff:ff:ff:ff:ff:ff' : overlayMac,
        source,
        type: 0x0806,
        payload: arp({
          operation: random.pick([1, 1, 1, 2]),
          sha: source,
          spa: ip,
          tpa: random.weigh([
            [5, '1.1.1.1'],
            [1, ip],
            [1, '1.1.1.99'],
          ]),
        }),
      });
    const packet = () => {
      const addresses = {
        source: ip,
        destination: random.weigh([
          [6, '1.1.1.1'],
          [1, '1.1.1.255'],
          [2, randomIpv4(random)],
        ]),
      };
      const payload = random.chance(0.5)
        ? {
            protocol: 17,
            payload: udp(addresses, random.between(1024, 65535), random.pick([53, 4789, 80]), random.bytes(20)),
          }
        : { protocol: 1, payload: icmp(8, 0, [0, 1, 0, 1, ...random.bytes(16)]) };
      return ethernet({
        destination: overlayMac,
        source,
        type: 0x0800,
        payload: ipv4({ ...addresses, ...payload, tos: randomTos(random) }),
      });
    };
    const discovery = () => {
      const addresses = { source: `fd01::${host}`, destination: random.pick(['fd01::1', 'ff02::1:ff00:1', 'ff02::1']) };
      return ethernet({
        destination: random.chance(0.5) ? overlayMac : '33:33:ff:00:00:01',
        source,
        type: 0x86dd,
        payload: ipv6({
          ...addresses,
          next: 58,
          hops: 255,
          payload: neighbor(addresses, random.pick([135, 136]), random.pick(['fd01::1', `fd01::${host}`]), source),
        }),
      });
    };
    const sent = () =>
      randomFrame(random, {
        source: random.chance(0.9) ? overlayMac : anyHost(random),
        destination: random.chance(0.8) ? source : 'ff:ff:ff:ff:ff:ff',
        ipv4Source: '1.1.1.1',
        ipv4Destination: ip,
        sorts: ['udp', 'icmp', 'tcp', 'arp-request', 'arp-reply', 'echo6', 'fragment'],
      });
    const frame = random.weigh([
      [4, request],
      [5, packet],
      [six ? 3 : 0, discovery],
      [2, () => knownFrame(random, 5)],
    ])();
    switch (
      random.weigh([
        [6, 'port'],
        [tunnel ? 3 : 0, 'tunnel'],
        [5, 'local'],
        [tunnel ? 1 : 0, 'under'],
        [1, 'show'],
      ])
    ) {
      case 'port':
        return receive(random.pick(['p1', 'p2']), frame);
      case 'tunnel':
        return receive('ens8', vxlan(outerFrom(2, 7, { tos: random.pick([0, 0, 3]) }), frame));
      case 'local':
        return receive('br0', sent());
      case 'under':
        return receive(
          'br1',
          randomFrame(random, {
            source: underlayMac,
            destination: random.pick([remoteMac(2), 'ff:ff:ff:ff:ff:ff']),
            ipv4Source: '10.10.10.1',
            ipv4Destination: remoteIp(2),
            sorts: ['udp', 'icmp', 'tcp', 'arp-request'],
          }),
        );
      default:
        return appctl('tnl/neigh/show');
    }
  };
  const bridges = [{ name: 'br0', mac: overlayMac, ports }, ...(tunnel ? [underlay(['ens8'])] : [])];
  return {
    config: {
      bridges,
      addresses: [
        { dev: 'br0', ip: '1.1.1.1/24' },
        ...(six ? [{ dev: 'br0', ip: 'fd01::1/64' }] : []),
        ...(tunnel ? underlay4.addresses : []),
      ],
      routes: [
        ...(random.chance(0.7) ? [{ prefix: '1.1.1.0/24', dev: 'br0' }] : []),
        ...(tunnel ? underlay4.routes : []),
      ],
      ...(tunnel ? { neighbors: neighbors4([2]) } : {}),
    },
    steps: traffic(random, frames, step, look(...bridges.map((bridge) => bridge.name)), [
      appctl('tnl/neigh/show'),
      appctl('ovs/route/show'),
    ]),
  };
}
