// @ts-check
// Kinds of scenarios about tunnel ports: headers on the way out, which port takes a packet on the way in.
import { randomTos } from '../frames.mjs';
import { arp, ethernet, hostMac, icmp, ipv4, vxlan } from '../packets.mjs';
import {
  advance,
  anyFrame,
  anyHost,
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
  remoteHost,
  remoteIp,
  remoteIp6,
  remoteMac,
  systemPort,
  systemPorts,
  traffic,
  tunnelExtras,
  tunnelKeys,
  tunnelled,
  underlay,
  underlay4,
  underlayMac,
  vxlanPort,
} from '../parts.mjs';

/** @typedef {import('../random.mjs').Random} Random */
/** @typedef {import('../generate.mjs').Kind} Kind */
/** @typedef {import('../scenario.js').Step} Step */
/** @typedef {import('../packets.mjs').Outer} Outer */

/** A ping through the reference topology: ARP in the underlay, ARP through the tunnel, echoes. @type {Kind} */
export function seed(random, frames = 14) {
  const dstPort = random.pick(['8472', '8472', '4789']);
  const n = random.between(2, 9);
  const local = 'b6:7b:1a:1e:79:44';
  const far = 'd6:5a:9e:97:39:4f';
  const key = random.pick(['flow', 'flow', '0', '5']);
  const vni = key === '5' ? 5 : 0;
  const outer = outerFrom(n, vni, {
    sourceMac: '52:54:00:9f:e8:0e',
    sourcePort: 49152 + n,
    destinationPort: Number(dstPort),
  });
  const request = ethernet({
    destination: 'ff:ff:ff:ff:ff:ff',
    source: local,
    type: 0x0806,
    payload: arp({ operation: 1, sha: local, spa: '1.1.1.1', tpa: '1.1.1.2' }),
  });
  const pings = Math.max(1, Math.floor((frames - 4) / 2));
  const id = random.below(65536);
  const size = random.pick([56, 56, 8, 120, 500]);
  const tos = random.pick([0, 0, 0, randomTos(random)]);
  /** @param {boolean} back @param {number} sequence */
  const echo = (back, sequence) =>
    ethernet({
      destination: back ? local : far,
      source: back ? far : local,
      type: 0x0800,
      payload: ipv4({
        source: back ? '1.1.1.2' : '1.1.1.1',
        destination: back ? '1.1.1.1' : '1.1.1.2',
        protocol: 1,
        tos,
        id: (id + sequence) & 0xffff,
        fragment: back ? 0 : 0x4000,
        payload: icmp(back ? 0 : 8, 0, [0x25, 0xbf, 0, sequence, ...Array.from({ length: size }, (_, i) => i & 255)]),
      }),
    });
  /** @type {Step[]} */
  const steps = [
    receive('br0', request),
    dumpFlows,
    receive(
      'ens8',
      ethernet({
        destination: underlayMac,
        source: '52:54:00:9f:e8:0e',
        type: 0x0806,
        payload: arp({ operation: 2, sha: '52:54:00:9f:e8:0e', spa: remoteIp(n), tha: underlayMac, tpa: '10.10.10.1' }),
      }),
    ),
    appctl('tnl/neigh/show'),
    receive('br0', request),
    receive(
      'ens8',
      vxlan(
        outer,
        ethernet({
          destination: local,
          source: far,
          type: 0x0806,
          payload: arp({ operation: 2, sha: far, spa: '1.1.1.2', tha: local, tpa: '1.1.1.1' }),
        }),
      ),
    ),
    ...look('br0', 'br1').slice(1),
  ];
  for (let i = 1; i <= pings; i++) {
    steps.push(receive('br0', echo(false, i)), receive('ens8', vxlan(outer, echo(true, i))), advance(1000));
  }
  steps.push(
    dumpFlows,
    appctl('dpctl/show'),
    appctl('ovs/route/show'),
    ...look('br0', 'br1').slice(1),
    advance(12000),
    dumpFlows,
  );
  return {
    config: {
      bridges: [
        {
          name: 'br0',
          mac: local,
          ports: [vxlanPort('vxlan1', 1, { dst_port: dstPort, remote_ip: remoteIp(n), key })],
        },
        underlay(['ens8']),
      ],
      ...underlay4,
    },
    steps,
  };
}

/** Two tunnels on the way out: headers as their options say. @type {Kind} */
export function tx(random, frames = 40) {
  const remotes = random.chance(0.7) ? [2, 3] : random.chance(0.5) ? [2] : [2, 3, 4];
  const vnis = [0, 0, 5, 42, 77, 0xffffff];
  const dstPort = random.pick(['4789', '4789', '8472']);
  const nics = random.chance(0.6) ? ['ens8', 'ens9'] : ['ens8'];
  const tunnels = remotes.map((n, i) =>
    vxlanPort(`vx${n}`, 10 + i, {
      dst_port: random.chance(0.85) ? dstPort : '8472',
      remote_ip: remoteIp(n),
      ...tunnelKeys(random, vnis),
      ...tunnelExtras(random),
      ...(random.chance(0.1) ? { local_ip: '10.10.10.1' } : {}),
    }),
  );
  const names = ['p1', 'p2', ...(random.chance(0.3) ? ['br0'] : [])];
  const known = random.chance(0.85) ? remotes : remotes.slice(1);
  const set = known.map((n) => appctl('tnl/neigh/set', 'br1', remoteIp(n), remoteMac(n)));
  const last = [appctl('tnl/neigh/show'), appctl('fdb/show', 'br1')];
  return {
    config: {
      bridges: [{ name: 'br0', mac: overlayMac, ports: [...systemPorts(2), ...tunnels] }, underlay(nics)],
      ...underlay4,
    },
    steps: [...set, ...traffic(random, frames, () => receive(random.pick(names), anyFrame(random)), look('br0'), last)],
  };
}

/**
 * What may be wrong or odd about the outer headers.
 * @param {Random} random
 * @returns {Partial<Outer> & { cut?: boolean, pad?: boolean }}
 */
export function oddOuter(random) {
  const normal = {};
  return random.weigh([
    [70, normal],
    [5, { tos: random.pick([1, 2, 3, 0xb8, 0xbb]) }],
    [4, { tos: 3 }],
    [3, { checksum: /** @type {const} */ ('right') }],
    [2, { checksum: /** @type {const} */ ('wrong') }],
    [
      2,
      {
        flags: random.pick([
          0x0c000000, 0x88000000, 0x00000000, 0x08000001, 0x09000000, 0x0c000001, 0x0c000003, 0x0d000003,
        ]),
      },
    ],
    [1, { reserved: random.between(1, 255) }],
    [2, { destinationPort: 4790 }],
    [2, { cut: true }],
    [1, { pad: true }],
    [1, { ttl: random.pick([0, 1, 255]) }],
    [1, { fragment: random.pick([0, 0x2000, 0x0010]) }],
    [1, { wrongIpChecksum: true }],
    [1, { ipOptions: [1, 1, 1, 0] }],
    [1, { destination: random.pick(['10.10.10.9', '10.10.11.1']) }],
    [1, { destinationMac: random.pick(['ff:ff:ff:ff:ff:ff', '52:54:00:00:00:99']) }],
    [1, { tags: [{ vid: random.pick([0, 7]) }] }],
  ]);
}

/** Tunnels on the way in: which port takes a packet, and what is wrong with it. @type {Kind} */
export function rx(random, frames = 64) {
  const csum = random.chance(0.2) ? { csum: 'true' } : {};
  const tunnels = [
    vxlanPort('vxA', 10, { dst_port: '4789', remote_ip: remoteIp(2), key: '42', ...csum }),
    vxlanPort('vxB', 11, { dst_port: '4789', remote_ip: remoteIp(3), key: 'flow', ...tunnelExtras(random, 0.1) }),
    vxlanPort('vxC', 12, { dst_port: '4789', remote_ip: 'flow', key: '77' }),
  ];
  const more = [
    vxlanPort('vxD', 13, { dst_port: '4789', remote_ip: remoteIp(2), local_ip: '10.10.10.1', key: '43' }),
    vxlanPort('vxE', 14, { dst_port: '8472', remote_ip: remoteIp(2), key: 'flow' }),
    vxlanPort('vxF', 15, { dst_port: '4789', remote_ip: remoteIp(4) }),
    vxlanPort('vxG', 16, { dst_port: '4789', remote_ip: remoteIp(3), in_key: '6', out_key: '60' }),
  ];
  const chosen = random.chance(0.5) ? tunnels : [...tunnels, ...random.some(more, random.between(1, 2))];
  /** @type {Record<number, number[]>} */
  const vnis = { 2: [42, 42, 77, 43], 3: [5, 6, 42, 77], 4: [77, 77, 42, 0] };
  /** @type {string[]} */
  const met = [];
  const step = () => {
    if (random.chance(0.22)) {
      const destination = met.length > 0 ? random.pick(met) : anyHost(random);
      return receive(random.pick(['p1', 'p1', 'p2']), anyFrame(random, { destination, sorts: ['udp', 'tcp', 'icmp'] }));
    }
    const n = random.weigh([
      [45, 2],
      [38, 3],
      [17, 4],
    ]);
    const { cut, pad, ...odd } = oddOuter(random);
    const outer = outerFrom(n, random.pick(vnis[n]), odd);
    if (chosen.length > 3 && random.chance(0.1)) outer.destinationPort = 8472;
    const source = remoteHost(random, n);
    if (!met.includes(source)) met.push(source);
    const frame = tunnelled(random, outer, n, { source });
    if (pad) frame.push(...new Array(random.between(1, 12)).fill(0));
    return receive('ens8', cut ? frame.slice(0, random.between(30, Math.min(frame.length, 110) - 1)) : frame);
  };
  return {
    config: {
      bridges: [{ name: 'br0', mac: overlayMac, ports: [...systemPorts(2), ...chosen] }, underlay(['ens8'])],
      ...underlay4,
      neighbors: neighbors4([2, 3]),
    },
    steps: traffic(random, frames, step, look('br0'), [appctl('fdb/show', 'br1'), appctl('dpctl/show')]),
  };
}

/** Flow-based tunnel ports, as with a kernel datapath. @type {Kind} */
export function kernel(random, frames = 40) {
  const vnis = [4, 300, 7, 0];
  const fixed = [
    vxlanPort('vx2', 10, { dst_port: '8472', remote_ip: remoteIp(2), key: 'flow' }),
    vxlanPort('vx3', 11, { dst_port: '4789', remote_ip: remoteIp(3), key: '300', tos: '0x20', ttl: '9' }),
    vxlanPort('vx4', 12, {
      dst_port: '4789',
      remote_ip: remoteIp(4),
      local_ip: '10.10.10.1',
      key: '4',
      df_default: 'false',
      csum: 'true',
    }),
  ];
  const varied = [2, 3, 4].map((n, i) =>
    vxlanPort(`vx${n}`, 10 + i, {
      dst_port: random.pick(['8472', '4789', '4789']),
      remote_ip: random.chance(0.15) ? remoteIp6(n) : remoteIp(n),
      ...tunnelKeys(random, vnis),
      ...tunnelExtras(random, 0.4),
    }),
  );
  const tunnels = random.chance(0.4) ? fixed : varied.slice(0, random.between(1, 3));
  return {
    config: {
      bridges: [{ name: 'br0', mac: overlayMac, ports: [...systemPorts(2), ...tunnels] }],
      nativeTunnels: false,
    },
    steps: [
      ...traffic(random, frames, () => receive(random.pick(['p1', 'p2']), anyFrame(random)), [dumpFlows]),
      appctl('fdb/show', 'br0'),
    ],
  };
}

/** IPv6 in the underlay beside IPv4. @type {Kind} */
export function ipv6Underlay(random, frames = 40) {
  const extras = random.chance(0.5) ? {} : tunnelExtras(random);
  const six = vxlanPort('v6', 10, { dst_port: '4789', remote_ip: remoteIp6(2), key: '66', ...extras });
  const four = vxlanPort('v4', 11, {
    dst_port: '4789',
    remote_ip: remoteIp(3),
    key: '44',
    ...(random.chance(0.3) ? tunnelExtras(random) : {}),
  });
  const step = () => {
    if (random.chance(0.5))
      return receive(
        random.weigh([
          [2, 'p1'],
          [1, 'p2'],
        ]),
        anyFrame(random),
      );
    if (random.chance(0.2)) return receive('ens8', tunnelled(random, outerFrom(3, random.pick([44, 44, 45])), 3));
    const tos = random.weigh([
      [7, 0],
      [2, 2],
      [2, 0xb8],
      [1, 1],
      [1, 3],
    ]);
    const checksum = random.weigh([
      [7, 'right'],
      [3, 'none'],
      [1, 'wrong'],
    ]);
    const outer = outerFrom6(2, random.pick([66, 66, 67]), { tos, checksum: /** @type {'right'} */ (checksum) });
    return receive('ens8', tunnelled(random, outer, 2));
  };
  const neighbors = [{ bridge: 'br1', ip: remoteIp6(2), mac: remoteMac(2) }, ...neighbors4([3])];
  return {
    config: {
      bridges: [{ name: 'br0', mac: overlayMac, ports: [...systemPorts(2), six, four] }, underlay(['ens8'])],
      addresses: [{ dev: 'br1', ip: 'fd00:10::1/64' }, ...underlay4.addresses],
      routes: [{ prefix: 'fd00:10::/64', dev: 'br1' }, ...underlay4.routes],
      neighbors: random.chance(0.85) ? neighbors : neighbors.slice(1),
    },
    steps: traffic(random, frames, step, look('br0'), [appctl('tnl/neigh/show')]),
  };
}

/** Several tunnels to one remote, told apart by their keys. @type {Kind} */
export function keys(random, frames = 50) {
  const vnis = random.shuffle([0, 1, 5, 100, 4096, 0xffffff]).slice(0, random.between(2, 4));
  const tunnels = vnis.map((vni, i) => {
    const key = random.weigh([
      [6, { key: String(vni) }],
      [1, { in_key: String(vni), out_key: String((vni + 1) & 0xffffff) }],
    ]);
    const columns = random.chance(0.4) ? { tag: random.pick([10, 20]) } : {};
    return {
      ...vxlanPort(`vx${i}`, 10 + i, {
        dst_port: '4789',
        remote_ip: remoteIp(2),
        ...key,
        ...tunnelExtras(random, 0.1),
      }),
      ...columns,
    };
  });
  if (random.chance(0.4))
    tunnels.push(
      vxlanPort('vxflow', 20, { dst_port: '4789', remote_ip: random.pick([remoteIp(2), 'flow']), key: 'flow' }),
    );
  const ports = [
    systemPort('p1', 1),
    systemPort('p2', 2, random.pick([{}, { tag: 10 }])),
    systemPort('p3', 3, random.pick([{}, { tag: 20 }])),
  ];
  const step = () => {
    if (random.chance(0.5)) {
      return receive(
        random.pick(['p1', 'p2', 'p3']),
        random.chance(0.5) ? knownFrame(random, 8) : anyFrame(random, { tags: anyTags(random, [10, 20]) }),
      );
    }
    const vni = random.chance(0.9) ? random.pick(vnis) : random.below(10);
    return receive(
      'ens8',
      vxlan(
        outerFrom(2, vni),
        random.chance(0.7)
          ? knownFrame(random, 8)
          : anyFrame(random, { source: hostMac(random.between(1, 8)), tags: anyTags(random, [10, 20]) }),
      ),
    );
  };
  return {
    config: {
      bridges: [{ name: 'br0', mac: overlayMac, ports: [...ports, ...tunnels] }, underlay(['ens8'])],
      ...underlay4,
      neighbors: neighbors4([2]),
    },
    steps: traffic(random, frames, step, look('br0'), [appctl('dpctl/show')]),
  };
}

/** Tunnels whose tos and ttl come from the packet inside. @type {Kind} */
export function inherit(random, frames = 45) {
  const native = random.chance(0.75);
  const some = () =>
    random.pick([
      { tos: 'inherit' },
      { ttl: 'inherit' },
      { tos: 'inherit', ttl: 'inherit' },
      { tos: 'inherit', ttl: '33' },
      { tos: '0xb8', ttl: 'inherit' },
    ]);
  const tunnels = [
    vxlanPort('vx2', 10, { dst_port: '4789', remote_ip: remoteIp(2), ...tunnelKeys(random, [7]), ...some() }),
    vxlanPort('vx3', 11, { dst_port: '4789', remote_ip: remoteIp(3), key: '8', ...(random.chance(0.6) ? some() : {}) }),
  ];
  if (native && random.chance(0.4))
    tunnels.push(vxlanPort('v6', 12, { dst_port: '4789', remote_ip: remoteIp6(2), key: '9', ...some() }));
  const step = () => {
    if (native && random.chance(0.2))
      return receive(
        'ens8',
        tunnelled(random, outerFrom(3, 8, { tos: randomTos(random), ttl: random.pick([1, 64, 200]) }), 3),
      );
    return receive(random.pick(['p1', 'p2']), anyFrame(random, { tags: random.chance(0.8) ? [] : [{ vid: 10 }] }));
  };
  if (!native) {
    return {
      config: {
        bridges: [{ name: 'br0', mac: overlayMac, ports: [...systemPorts(2), ...tunnels] }],
        nativeTunnels: false,
      },
      steps: traffic(random, frames, step, look('br0')),
    };
  }
  return {
    config: {
      bridges: [{ name: 'br0', mac: overlayMac, ports: [...systemPorts(2), ...tunnels] }, underlay(['ens8'])],
      addresses: [...underlay4.addresses, { dev: 'br1', ip: 'fd00:10::1/64' }],
      routes: [...underlay4.routes, { prefix: 'fd00:10::/64', dev: 'br1' }],
      neighbors: [...neighbors4([2, 3]), { bridge: 'br1', ip: remoteIp6(2), mac: remoteMac(2) }],
    },
    steps: traffic(random, frames, step, look('br0')),
  };
}
