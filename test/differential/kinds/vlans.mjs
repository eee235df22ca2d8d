// @ts-check
// Kinds of scenarios about VLANs: port modes, a customer's VLANs in a provider's, VLANs across tunnels.
import { hostMac, vxlan } from '../packets.mjs';
import {
  anyDestination,
  anyFrame,
  anyTags,
  look,
  neighbors4,
  outerFrom,
  overlayMac,
  receive,
  remoteIp,
  systemPort,
  traffic,
  tunnelExtras,
  underlay,
  underlay4,
  vlanPort,
  vxlanPort,
} from '../parts.mjs';

/** @typedef {import('../generate.mjs').Kind} Kind */
/** @typedef {import('../scenario.js').Step} Step */

/** Access, trunk and native VLANs. @type {Kind} */
export function vlan(random, frames = 60) {
  const fixed = [
    systemPort('p1', 1, { tag: 10 }),
    systemPort('p2', 2, { tag: 10 }),
    systemPort('p3', 3, { tag: 20 }),
    systemPort('p4', 4, { trunks: [10, 20] }),
    systemPort('p5', 5),
    systemPort('p6', 6, { vlanMode: 'native-tagged', tag: 10, trunks: [10, 20] }),
    systemPort('p7', 7, { vlanMode: 'native-untagged', tag: 20, trunks: [10, 20] }),
  ];
  const ports = random.chance(0.4)
    ? fixed
    : Array.from({ length: random.between(3, 7) }, (_, i) => vlanPort(random, `p${i + 1}`, i + 1));
  const sorts = ['arp-request', 'udp', 'tcp', 'icmp', 'udp6'];
  const step = () =>
    receive(
      random.pick(ports).name,
      anyFrame(random, {
        tags: anyTags(random, [10, 10, 20, 20, 30, 4095]),
        ...(random.chance(0.9) ? { sorts } : {}),
      }),
    );
  const tables = look('br0');
  return {
    config: { bridges: [{ name: 'br0', mac: overlayMac, ports }] },
    steps: [...traffic(random, frames, step, tables), ...tables],
  };
}

/** Customers' VLANs in a provider's: dot1q-tunnel. @type {Kind} */
export function qinq(random, frames = 40) {
  const ethertype = random.chance(0.3) ? { otherConfig: { 'qinq-ethtype': random.pick(['802.1q', '802.1ad']) } } : {};
  const fixed = [
    systemPort('p1', 1, { vlanMode: 'dot1q-tunnel', tag: 100, cvlans: [10, 20], ...ethertype }),
    systemPort('p2', 2, { vlanMode: 'dot1q-tunnel', tag: 100, ...ethertype }),
    systemPort('p3', 3, { trunks: [100, 200] }),
    systemPort('p4', 4),
  ];
  const varied = [
    ...fixed.slice(0, 2),
    systemPort('p3', 3, random.pick([{ trunks: [100, 200] }, { tag: 100 }, { vlanMode: 'native-untagged', tag: 100 }])),
    systemPort('p4', 4, random.pick([{}, { vlanMode: 'dot1q-tunnel', tag: 200, cvlans: [10, 30] }, { tag: 20 }])),
    systemPort('p5', 5, random.pick([{ tag: 10 }, { vlanMode: 'dot1q-tunnel', tag: 100, cvlans: [20] }, {}])),
  ];
  const ports = random.chance(0.5) ? fixed : varied;
  const sorts = ['arp-request', 'udp', 'udp6'];
  const step = () => {
    const tags = anyTags(random, [10, 20, 30, 100, 200]).map((tag) => ({
      ...tag,
      pcp: random.chance(0.9) ? 0 : 3,
      dei: 0,
    }));
    if (tags.length > 0 && random.chance(0.2))
      tags.unshift({ type: random.pick([0x88a8, 0x8100]), vid: random.pick([100, 200]), pcp: 0, dei: 0 });
    return receive(random.pick(ports).name, anyFrame(random, { tags, sorts }));
  };
  const tables = look('br0');
  return {
    config: { bridges: [{ name: 'br0', mac: overlayMac, ports }] },
    steps: [...traffic(random, frames, step, tables), ...tables],
  };
}

/**
 * An overlay with VLANs: ports and tunnels of every VLAN mode on one bridge; the underlay tagged in between.
 * @type {Kind}
 */
export function overlay(random, frames = 50) {
  const ports = Array.from({ length: 4 }, (_, i) => vlanPort(random, `p${i + 1}`, i + 1));
  const tunnels = [2, 3].map((n) => {
    const { interface: _, ...columns } = vlanPort(random, `vx${n}`, 10 + n);
    return {
      ...vxlanPort(`vx${n}`, 10 + n, {
        dst_port: '4789',
        remote_ip: remoteIp(n),
        key: '7',
        ...tunnelExtras(random, 0.15),
      }),
      ...columns,
    };
  });
  const tags = () => anyTags(random, [10, 20, 30]);
  const step = () => {
    if (random.chance(0.04)) {
      return /** @type {Step} */ ({ change: { bridge: 'br1', setPort: { name: 'br1', tag: random.pick([7, null]) } } });
    }
    const source = hostMac(random.between(1, 8));
    const destination = random.chance(0.7) ? hostMac(random.between(1, 8)) : anyDestination(random);
    const frame = anyFrame(random, {
      source,
      destination,
      tags: tags(),
      sorts: ['udp', 'icmp', 'tcp', 'arp-request', 'udp6', 'bpdu'],
    });
    if (random.chance(0.35)) {
      const outer = outerFrom(random.pick([2, 3]), 7, random.chance(0.2) ? { tags: [{ vid: 7 }] } : {});
      return receive('ens8', vxlan(outer, frame));
    }
    return receive(random.pick(ports).name, frame);
  };
  return {
    config: {
      bridges: [{ name: 'br0', mac: overlayMac, ports: [...ports, ...tunnels] }, underlay(['ens8'])],
      ...underlay4,
      neighbors: neighbors4([2, 3]),
    },
    steps: traffic(random, frames, step, look('br0', 'br1')),
  };
}
