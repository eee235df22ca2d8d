// @ts-check
// Kinds of scenarios about bridges without VLANs or an underlay in the foreground: learning and flooding, patch
// ports, mirrors, the MAC table, protected ports, spoiled and oversized frames.
import { randomFrame, randomIpv4, spoil } from '../frames.mjs';
import { ethernet, hostMac, ipv4, udp, vxlan } from '../packets.mjs';
import {
  advance,
  anyDestination,
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
  underlay,
  underlay4,
  underlayMac,
  vlanPort,
  vxlanPort,
} from '../parts.mjs';

/** @typedef {import('../generate.mjs').Kind} Kind */
/** @typedef {import('../scenario.js').PortConfig} PortConfig */
/** @typedef {import('../scenario.js').BridgeConfig} BridgeConfig */
/** @typedef {import('../scenario.js').MirrorConfig} MirrorConfig */

/** One bridge, untagged. @type {Kind} */
export function l2(random, frames = 50) {
  const ports = systemPorts(random.between(2, 6));
  const names = [...ports.map((port) => port.name), 'br0'];
  // Beyond the age of a MAC entry once at most: 310 slices take 3 s of our own time.
  const long = random.chance(0.5) ? random.below(frames) : -1;
  const step = (/** @type {number} */ index) => {
    if (index === long) return advance(310000);
    return random.chance(0.04)
      ? advance(random.pick([1000, 3000, 3000, 12000]))
      : receive(random.pick(names), anyFrame(random));
  };
  return {
    config: { bridges: [{ name: 'br0', mac: overlayMac, ports }] },
    steps: traffic(random, frames, step, look('br0')),
  };
}

/** Frames that are cut, changed or too long. @type {Kind} */
export function malformed(random, frames = 60) {
  const step = () => {
    const tags = random.weigh([
      [5, []],
      [2, [{ vid: 0 }]],
      [4, [{ vid: 10 }]],
      [1, [{ type: 0x88a8, vid: 10 }, { vid: 20 }]],
    ]);
    return receive(random.pick(['p1', 'p2']), spoil(random, anyFrame(random, { tags })));
  };
  return {
    config: { bridges: [{ name: 'br0', mac: overlayMac, ports: systemPorts(2) }] },
    steps: [...traffic(random, frames, step, [dumpFlows, advance(11000)]), dumpFlows, appctl('fdb/show', 'br0')],
  };
}

/**
 * @param {string} name @param {number} ofport @param {string} peer @param {Partial<PortConfig>} [columns]
 * @returns {PortConfig}
 */
const patchPort = (name, ofport, peer, columns = {}) => ({
  name,
  interface: { type: 'patch', ofport, options: { peer } },
  ...columns,
});

/**
 * Bridges joined by patch ports, in a row, with VLANs on the joints and perhaps a tunnel or the underlay behind one.
 * @type {Kind}
 */
export function patch(random, frames = 45) {
  const joint = () =>
    random.pick([{}, {}, {}, { tag: 10 }, { trunks: [10, 20] }, { vlanMode: 'native-untagged', tag: 10 }]);
  /** @type {BridgeConfig[]} */
  const bridges = [
    {
      name: 'br0',
      mac: overlayMac,
      ports: [
        systemPort('p1', 1),
        systemPort('p2', 2, random.pick([{}, { tag: 10 }])),
        patchPort('to2', 5, 'from0', joint()),
      ],
    },
    {
      name: 'br2',
      mac: 'aa:55:aa:55:00:02',
      ports: [
        patchPort('from0', 5, 'to2', joint()),
        systemPort('p3', 1),
        systemPort('p4', 2, random.pick([{}, { tag: 10 }, { trunks: [10] }])),
      ],
    },
  ];
  if (random.chance(0.4)) {
    bridges[1].ports.push(patchPort('to3', 6, 'from2', joint()));
    bridges.push({
      name: 'br3',
      mac: 'aa:55:aa:55:00:03',
      ports: [systemPort('p5', 1), patchPort('from2', 2, 'to3', joint())],
    });
  }
  const names = bridges.flatMap((bridge) =>
    bridge.ports.filter((port) => port.interface?.type === 'system').map((port) => port.name),
  );
  const tunnel = random.chance(0.6);
  const through = tunnel && random.chance(0.4);
  if (tunnel) {
    bridges[random.below(bridges.length)].ports.push(
      vxlanPort('vx2', 10, { dst_port: '4789', remote_ip: remoteIp(2), key: '7' }),
    );
    if (through) {
      // The underlay bridge has the address, the one behind it the NIC.
      bridges.push(
        { name: 'br1', mac: underlayMac, ports: [patchPort('tonic', 1, 'fromtunnel')] },
        { name: 'br4', mac: 'aa:55:aa:55:00:04', ports: [patchPort('fromtunnel', 1, 'tonic'), systemPort('ens8', 2)] },
      );
    } else bridges.push(underlay(['ens8']));
  }
  const step = () => {
    if (tunnel && random.chance(0.25)) return receive('ens8', vxlan(outerFrom(2, 7), knownFrame(random, 8)));
    if (random.chance(0.7)) return receive(random.pick(names), knownFrame(random, 8));
    return receive(random.pick([...names, 'br0', 'br2']), anyFrame(random, { tags: anyTags(random, [10, 20]) }));
  };
  return {
    config: { bridges, ...(tunnel ? { ...underlay4, neighbors: neighbors4([2]) } : {}) },
    steps: traffic(random, frames, step, look(...bridges.map((bridge) => bridge.name)), [appctl('dpctl/show')]),
  };
}

/** Mirrors: by port, by VLAN, everything; to a port, to a VLAN. @type {Kind} */
export function mirror(random, frames = 45) {
  const ports = Array.from({ length: 4 }, (_, i) =>
    random.chance(0.5) ? systemPort(`p${i + 1}`, i + 1) : vlanPort(random, `p${i + 1}`, i + 1),
  );
  ports.push(systemPort('m1', 8), systemPort('m2', 9));
  const sources = ['p1', 'p2', 'p3', 'p4'];
  /** @param {number} index @returns {MirrorConfig} */
  const make = (index) => {
    /** @type {MirrorConfig} */
    const config = { name: `mirror${index}` };
    switch (
      random.weigh([
        [3, 'all'],
        [3, 'source'],
        [3, 'destination'],
        [2, 'both'],
      ])
    ) {
      case 'all':
        config.selectAll = true;
        break;
      case 'source':
        config.selectSrcPort = random.some(sources, random.between(1, 2));
        break;
      case 'destination':
        config.selectDstPort = random.some(sources, random.between(1, 2));
        break;
      default:
        config.selectSrcPort = random.some(sources, random.between(1, 2));
        config.selectDstPort = random.some(sources, random.between(1, 2));
    }
    if (random.chance(0.3)) config.selectVlan = random.pick([[10], [10, 20], [0]]);
    if (random.chance(0.75)) config.outputPort = `m${index + 1}`;
    else config.outputVlan = random.pick([99, 10]);
    return config;
  };
  const mirrors = random.chance(0.6) ? [make(0)] : [make(0), make(1)];
  const step = () =>
    receive(
      random.weigh([
        [9, random.pick(sources)],
        [1, 'br0'],
        [1, 'm1'],
      ]),
      random.chance(0.5)
        ? randomFrame(random, {
            source: hostMac(random.between(1, 6)),
            destination: hostMac(random.between(1, 6)),
            tags: anyTags(random, [10, 20]),
            sorts: ['udp', 'tcp', 'icmp'],
          })
        : anyFrame(random, { tags: anyTags(random, [10, 20, 99]) }),
    );
  return {
    config: { bridges: [{ name: 'br0', mac: overlayMac, ports, mirrors }] },
    steps: traffic(random, frames, step, look('br0')),
  };
}

/** Entries of the MAC table that were set by hand, and a table that is too small. @type {Kind} */
export function fdb(random, frames = 45) {
  const small = random.chance(0.5);
  const hosts = small ? 16 : 8;
  /** @type {Record<string, string>} */
  const otherConfig = small ? { 'mac-table-size': random.pick(['10', '12', '5']) } : {};
  const names = ['p1', 'p2', 'p3'];
  const vlans = random.chance(0.3);
  const step = () => {
    if (random.chance(0.8)) {
      const frame = vlans
        ? randomFrame(random, {
            source: hostMac(random.between(1, hosts)),
            destination: hostMac(random.between(1, hosts)),
            tags: anyTags(random, [10]),
            sorts: ['udp', 'icmp'],
          })
        : knownFrame(random, hosts);
      const arrival = receive(random.pick(names), frame);
      // Which entry is the oldest depends on when a revalidation tells the table of the flows' packets, and on the
      // random order of the flows in it: after one frame at a time there is only one order.
      return small ? [arrival, advance(600)] : arrival;
    }
    const host = hostMac(random.between(1, hosts));
    const number = vlans ? random.pick(['0', '10']) : '0';
    return random.weigh([
      [8, appctl('fdb/add', 'br0', random.pick([...names, 'br0']), number, host)],
      [4, appctl('fdb/del', 'br0', number, host)],
      [2, appctl('fdb/flush', 'br0')],
      [2, appctl('fdb/stats-show', 'br0')],
      [1, appctl('fdb/add', 'br0', 'p9', '0', host)],
      [1, appctl('fdb/add', 'nosuch', 'p1', '0', host)],
      [1, appctl('fdb/show', 'nosuch')],
      [1, appctl('fdb/add', 'br0', 'p1', '0', '02:00:00')],
      [1, appctl('fdb/stats-clear', 'br0')],
    ]);
  };
  return {
    config: { bridges: [{ name: 'br0', mac: overlayMac, ports: systemPorts(3), ...(small ? { otherConfig } : {}) }] },
    steps: traffic(random, frames, step, look('br0'), [appctl('fdb/stats-show', 'br0')]),
  };
}

/** Protected ports, which do not talk to each other. @type {Kind} */
export function protectedPorts(random, frames = 45) {
  const ports = systemPorts(random.between(3, 5)).map((port) =>
    random.chance(0.5) ? { ...port, protected: true } : port,
  );
  const names = ports.map((port) => port.name);
  const tunnel = random.chance(0.5);
  if (tunnel) {
    for (const n of [2, 3]) {
      const vx = vxlanPort(`vx${n}`, 10 + n, { dst_port: '4789', remote_ip: remoteIp(n), key: 'flow' });
      ports.push(random.chance(0.6) ? { ...vx, protected: true } : vx);
    }
  }
  const step = () => {
    if (tunnel && random.chance(0.3)) {
      const n = random.pick([2, 3]);
      return receive('ens8', vxlan(outerFrom(n, random.pick([0, 3])), knownFrame(random, 8)));
    }
    return receive(random.pick([...names, 'br0']), random.chance(0.7) ? knownFrame(random, 8) : anyFrame(random));
  };
  return {
    config: {
      bridges: [{ name: 'br0', mac: overlayMac, ports }, ...(tunnel ? [underlay(['ens8'])] : [])],
      ...(tunnel ? { ...underlay4, neighbors: neighbors4([2, 3]) } : {}),
    },
    steps: traffic(random, frames, step, look('br0')),
  };
}

/** VLANs that always flood and never learn; frames for reserved addresses let through. @type {Kind} */
export function flood(random, frames = 45) {
  const floodVlans = random.pick([[10], [10, 20], [0], [0, 30]]);
  const ports = Array.from({ length: random.between(3, 6) }, (_, i) => vlanPort(random, `p${i + 1}`, i + 1));
  const otherConfig = { 'forward-bpdu': random.pick(['true', 'false']) };
  const step = () =>
    receive(
      random.pick(ports).name,
      anyFrame(random, {
        source: hostMac(random.between(1, 8)),
        destination: random.chance(0.7) ? hostMac(random.between(1, 8)) : anyDestination(random),
        tags: anyTags(random, [10, 20, 30]),
      }),
    );
  return {
    config: {
      bridges: [{ name: 'br0', mac: overlayMac, ports, floodVlans, ...(random.chance(0.4) ? { otherConfig } : {}) }],
    },
    steps: traffic(random, frames, step, look('br0')),
  };
}

/** Frames about as long as a port can take, and longer, on their own, tagged and in tunnels. @type {Kind} */
export function mtu(random, frames = 30) {
  const options = {
    dst_port: '4789',
    remote_ip: remoteIp(2),
    key: '7',
    ...(random.chance(0.3) ? { csum: 'true' } : {}),
  };
  const big = () => {
    const addresses = { source: randomIpv4(random), destination: randomIpv4(random) };
    const tags = random.weigh([
      [4, []],
      [2, [{ vid: 10 }]],
    ]);
    const size = random.weigh([
      [3, 1514],
      [3, 1515],
      [3, 1464],
      [3, 1465],
      [2, 1518],
      [2, 1519],
      [1, 1460],
      [1, 1468],
      [1, 1469],
      [1, 2000],
      [1, 9000],
      [2, random.between(1440, 1520)],
    ]);
    const payload = udp(
      addresses,
      random.between(1, 65535),
      80,
      random.bytes(Math.max(0, size - 42 - 4 * tags.length)),
    );
    const source = random.between(1, 5);
    return ethernet({
      destination: random.chance(0.7) ? hostMac((source % 5) + 1) : 'ff:ff:ff:ff:ff:ff',
      source: hostMac(source),
      tags,
      type: 0x0800,
      payload: ipv4({ ...addresses, protocol: 17, payload }),
    });
  };
  const step = () =>
    random.chance(0.3)
      ? receive('ens8', vxlan(outerFrom(2, 7), big()))
      : receive(random.pick(['p1', 'p2', 'p3', 'br0']), big());
  return {
    config: {
      bridges: [
        {
          name: 'br0',
          mac: overlayMac,
          ports: [
            systemPort('p1', 1),
            systemPort('p2', 2),
            systemPort('p3', 3, random.chance(0.4) ? { tag: 10 } : {}),
            vxlanPort('vx2', 10, options),
          ],
        },
        underlay(['ens8']),
      ],
      ...underlay4,
      neighbors: neighbors4([2]),
    },
    steps: traffic(random, frames, step, look('br0'), [appctl('dpctl/show')]),
  };
}
