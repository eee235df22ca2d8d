// @ts-check
// Parts that kinds of scenarios share: ports, the underlay with its remote VTEPs, traffic, and looks at the tables.
import { randomFrame } from './frames.mjs';
import { hostMac, toHex, vxlan } from './packets.mjs';

/** @typedef {import('./random.mjs').Random} Random */
/** @typedef {import('./scenario.js').Step} Step */
/** @typedef {import('./scenario.js').PortConfig} PortConfig */
/** @typedef {import('./scenario.js').BridgeConfig} BridgeConfig */
/** @typedef {import('./packets.mjs').Tag} Tag */
/** @typedef {import('./packets.mjs').Outer} Outer */
/** @typedef {import('./frames.mjs').FrameOptions} FrameOptions */

export const overlayMac = 'aa:55:aa:55:00:00';
export const underlayMac = 'aa:55:aa:55:00:01';

/** @param {string} name @param {number} ofport @param {Partial<PortConfig>} [columns] @returns {PortConfig} */
export const systemPort = (name, ofport, columns = {}) => ({ name, interface: { type: 'system', ofport }, ...columns });

/** Ports p1 to pN. @param {number} count */
export const systemPorts = (count) => Array.from({ length: count }, (_, i) => systemPort(`p${i + 1}`, i + 1));

/**
 * @param {string} name @param {number} ofport @param {Partial<Record<string, string>>} options
 * @returns {PortConfig}
 */
export const vxlanPort = (name, ofport, options) => ({
  name,
  interface: { type: 'vxlan', ofport, options: /** @type {Record<string, string>} */ (options) },
});

/** The address of remote VTEP n (2, 3, 4 ...). @param {number} n */
export const remoteIp = (n) => `10.10.10.${n}`;
/** @param {number} n */
export const remoteIp6 = (n) => `fd00:10::${n.toString(16)}`;
/** @param {number} n */
export const remoteMac = (n) => `52:54:00:9f:e8:${n.toString(16).padStart(2, '0')}`;
/** One of the few hosts behind remote VTEP n. @param {Random} random @param {number} n */
export const remoteHost = (random, n) => hostMac(100 + 10 * n + random.below(3));

/**
 * The underlay bridge br1, with its address and its route.
 * @param {string[]} nics @param {string} [mac]
 * @returns {BridgeConfig}
 */
export const underlay = (nics, mac = underlayMac) => ({
  name: 'br1',
  mac,
  ports: nics.map((name, i) => systemPort(name, i + 1)),
});

export const underlay4 = {
  addresses: [{ dev: 'br1', ip: '10.10.10.1/24' }],
  routes: [{ prefix: '10.10.10.0/24', dev: 'br1' }],
};

/** @param {number[]} remotes */
export const neighbors4 = (remotes) => remotes.map((n) => ({ bridge: 'br1', ip: remoteIp(n), mac: remoteMac(n) }));

/** @param {string} port @param {number[]} frame @returns {Step} */
export const receive = (port, frame) => ({ receive: { port, frame: toHex(frame) } });
/** @param {string[]} command @returns {Step} */
export const appctl = (...command) => ({ appctl: command });
/** @param {number} milliseconds @returns {Step} */
export const advance = (milliseconds) => ({ advance: milliseconds });

export const dumpFlows = appctl('dpctl/dump-flows', '--names');
/** A look at the tables. @param {string[]} bridges @returns {Step[]} */
export const look = (...bridges) => [dumpFlows, ...bridges.map((bridge) => appctl('fdb/show', bridge))];

/** A host of the overlay, as source. @param {Random} random */
export const anyHost = (random) => hostMac(random.between(1, 39));

/** A destination: a host, a group or everyone, seldom a reserved address. @param {Random} random */
export function anyDestination(random) {
  switch (
    random.weigh([
      [55, 'host'],
      [15, 'all'],
      [14, 'group6'],
      [14, 'group4'],
      [2, 'reserved'],
    ])
  ) {
    case 'host':
      return anyHost(random);
    case 'all':
      return 'ff:ff:ff:ff:ff:ff';
    case 'group6':
      return `33:33:00:00:00:0${random.below(4)}`;
    case 'group4':
      return `01:00:5e:00:00:0${random.below(4)}`;
    default:
      return random.pick([
        `01:80:c2:00:00:${random.between(0, 0x11).toString(16).padStart(2, '0')}`,
        '01:00:0c:cc:cc:cc',
        '01:00:0c:cc:cc:c7',
        '00:e0:2b:00:00:04',
        '01:00:0c:cd:cd:cd',
        '01:00:0c:00:00:00',
      ]);
  }
}

/** @param {Random} random @param {Partial<FrameOptions>} [options] */
export const anyFrame = (random, options = {}) =>
  randomFrame(random, {
    source: options.source ?? anyHost(random),
    destination: options.destination ?? anyDestination(random),
    ...options,
  });

/** A frame between two of a few hosts, so that they are found again. @param {Random} random @param {number} hosts */
export function knownFrame(random, hosts, sorts = ['udp', 'icmp', 'tcp']) {
  const source = random.between(1, hosts);
  const destination = ((source + random.between(1, hosts - 1) - 1) % hosts) + 1;
  return randomFrame(random, { source: hostMac(source), destination: hostMac(destination), sorts });
}

/** The 802.1Q tag of a frame, or none. @param {Random} random @param {number[]} vlans @returns {Tag[]} */
export function anyTags(random, vlans) {
  switch (
    random.weigh([
      [30, 'none'],
      [10, 'priority'],
      [40, 'plain'],
      [12, 'pcp'],
      [8, 'dei'],
    ])
  ) {
    case 'none':
      return [];
    case 'priority':
      return [{ vid: 0, pcp: random.chance(0.3) ? random.below(8) : 0 }];
    case 'plain':
      return [{ vid: random.pick(vlans) }];
    case 'pcp':
      return [{ vid: random.pick(vlans), pcp: random.chance(0.5) ? 5 : random.below(8) }];
    default:
      return [{ vid: random.pick(vlans), dei: 1 }];
  }
}

/**
 * What remote VTEP n wears to reach br1.
 * @param {number} n @param {number} vni @param {Partial<Outer>} [more]
 * @returns {Outer}
 */
export const outerFrom = (n, vni, more = {}) => ({
  destinationMac: underlayMac,
  sourceMac: remoteMac(n),
  source: remoteIp(n),
  destination: '10.10.10.1',
  sourcePort: 49152 + n,
  destinationPort: 4789,
  vni,
  ...more,
});
/** @param {number} n @param {number} vni @param {Partial<Outer>} [more] @returns {Outer} */
export const outerFrom6 = (n, vni, more = {}) =>
  outerFrom(n, vni, {
    source: remoteIp6(n),
    destination: 'fd00:10::1',
    checksum: 'right',
    ...more,
  });

/**
 * A VXLAN frame from remote VTEP n with any frame in it.
 * @param {Random} random @param {Outer} outer @param {number} n @param {Partial<FrameOptions>} [inner]
 */
export const tunnelled = (random, outer, n, inner = {}) =>
  vxlan(outer, anyFrame(random, { source: remoteHost(random, n), ...inner }));

/**
 * What may follow a number of frames: looks at the tables now and then, and one at the end.
 * @param {Random} random @param {number} frames @param {(index: number) => Step | Step[]} make @param {Step[]} tables
 * @param {Step[]} [last] further looks at the end
 * @returns {Step[]}
 */
export function traffic(random, frames, make, tables, last = []) {
  const steps = [];
  let pause = random.between(12, 20);
  for (let i = 0; i < frames; i++) {
    steps.push(make(i));
    if (--pause === 0 && i < frames - 1) {
      steps.push(tables);
      pause = random.between(12, 20);
    }
  }
  return [...steps, tables, last].flat();
}

/**
 * Options of a tunnel port beyond where it leads, few or none.
 * @param {Random} random @param {number} [much] how likely each is
 * @returns {Record<string, string>}
 */
export function tunnelExtras(random, much = 0.3) {
  /** @type {Record<string, string>} */
  const options = {};
  if (random.chance(much)) options.ttl = random.pick(['10', '9', '255', '1', '128', '64', 'inherit']);
  if (random.chance(much)) options.tos = random.pick(['0x20', '0xb8', '0x10', '32', '0', 'inherit']);
  if (random.chance(much)) options.df_default = random.pick(['false', 'false', 'true']);
  if (random.chance(much * 0.8)) options.csum = random.pick(['true', 'true', 'false']);
  return options;
}

/** @param {Random} random @param {number[]} vnis @returns {Record<string, string>} */
export function tunnelKeys(random, vnis) {
  const vni = String(random.pick(vnis));
  switch (
    random.weigh([
      [5, 'key'],
      [3, 'flow'],
      [1, 'none'],
      [1, 'both'],
      [1, 'in'],
      [1, 'out'],
      [1, 'inflow'],
      [1, 'outflow'],
    ])
  ) {
    case 'key':
      return { key: vni };
    case 'flow':
      return { key: 'flow' };
    case 'both':
      return { in_key: vni, out_key: String(random.pick(vnis)) };
    case 'in':
      return { in_key: vni };
    case 'out':
      return { out_key: vni };
    case 'inflow':
      return { in_key: 'flow', out_key: vni };
    case 'outflow':
      return { in_key: vni, out_key: 'flow' };
    default:
      return {};
  }
}

/**
 * A port with some VLAN mode.
 * @param {Random} random @param {string} name @param {number} ofport
 * @returns {PortConfig}
 */
export function vlanPort(random, name, ofport) {
  const tag = random.pick([10, 20, 30]);
  const trunks = random.pick([[10, 20], [10], [20, 30], [0, 10], [10, 20, 30]]);
  return systemPort(
    name,
    ofport,
    random.pick([
      {},
      { tag },
      { tag },
      { tag, vlanMode: 'access' },
      { trunks },
      { trunks, vlanMode: 'trunk' },
      { tag, trunks },
      { vlanMode: 'native-tagged', tag, trunks },
      { vlanMode: 'native-untagged', tag, trunks },
      { vlanMode: 'native-tagged', tag },
      { vlanMode: 'native-untagged', tag },
      { tag, otherConfig: { 'priority-tags': random.pick(['true', 'if-nonzero', 'always', 'never']) } },
      { trunks, otherConfig: { 'priority-tags': random.pick(['if-nonzero', 'always']) } },
    ]),
  );
}
