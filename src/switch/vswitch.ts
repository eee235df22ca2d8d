/**
 * A virtual switch: bridges over one datapath, configured while traffic runs. It is the datapath's slow path: a packet that no
 * megaflow matches is translated (`translate.ts`), and what comes of it is installed and kept true (`revalidate.ts`).
 *
 *     const sw = new VSwitch();
 *     sw.addBridge({ name: 'br0', mac: 'aa:55:aa:55:00:00', ports: [{ name: 'p1' }, { name: 'p2' }] });
 *     sw.deliver('p1', frame);   // { br0: [frame], p2: [frame] }
 *
 * Housekeeping (ageing, revalidation) happens in turns of its own on the clock that was handed in; `run` does now what is due now.
 */
import type { Action } from '../action/types.js';
import { Datapath, type DatapathOptions, type Upcall } from '../datapath/datapath.js';
import type { DatapathPort } from '../datapath/ports.js';
import { GROUPS_WORD, getField, sealKey, type FlowWords } from '../flow/fields.js';
import { createIdlePort } from '../io/idle-port.js';
import type { Port } from '../io/port.js';
import { formatRule } from '../openflow/format.js';
import { createGroupTable, parseGroup } from '../openflow/group.js';
import { parseFlowMod, type FlowCommand } from '../openflow/parse.js';
import type { PortNames } from '../openflow/ports.js';
import { addDefaultRule, createFlowTables } from '../openflow/table.js';
import type { Packet } from '../packet/packet.js';
import { ListenerTable } from '../tunnel/listeners.js';
import { NeighbourTable } from '../tunnel/neighbours.js';
import { parseTunnelOptions } from '../tunnel/options.js';
import { TunnelPorts } from '../tunnel/ports.js';
import { Router, type DeviceAddress } from '../tunnel/router.js';
import { formatIp, formatMac, parseIp, parseMac, parsePrefix } from '../util/address.js';
import type { Clock, Timer } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { Events } from '../util/events.js';
import { REASON_COUNT, reasonCounts, reasonName } from '../util/reason.js';
import type { World } from './context.js';
import { MacTable, parseCount, DEFAULT_AGING_SECONDS, DEFAULT_MAC_TABLE_SIZE } from './mac-table.js';
import { DropRates, type DropRate } from './drop-rates.js';
import { createMirrors } from './mirror-config.js';
import {
  LOCAL,
  findPort,
  type Bridge,
  type BridgeConfig,
  type InterfaceType,
  type PortConfig,
  type SwitchPort,
} from './model.js';
import { tunnelAddress } from './native-tunnel.js';
import { Recirculations } from './recirculation.js';
import {
  Revalidator,
  SWEEP_INTERVAL_MS,
  applyEffects,
  type RevalidatorOptions,
  type SweepStatistics,
} from './revalidate.js';
import { translate, type Origin, type TranslateOptions, type Translation } from './translate.js';
import { sameVlanRules, vlanRules, type VlanColumns } from './vlan.js';

export interface VSwitchOptions
  extends RevalidatorOptions,
    Pick<
      DatapathOptions,
      'clock' | 'pool' | 'poolOptions' | 'exactMatchEntries' | 'lookupOrder' | 'vlanLimit' | 'seed'
    > {
  /**
   * True (the default): the switch routes, resolves and builds tunnel headers itself. False: it attaches tunnel metadata and outputs to
   * a port that encapsulates (`tunnelDevice`).
   */
  nativeTunnels?: boolean;
  /** For flow-based tunnels: the port that encapsulates for all tunnels with one UDP port; `name` is `vxlan_sys_PORT`. */
  tunnelDevice?: (name: string, destinationPort: number) => Port | undefined;
  /**
   * The number that a port is to have in the datapath (`vxlan_sys_PORT` is the one of all tunnels with one UDP port). Without it, or
   * where that number is taken, the lowest that is free.
   */
  datapathPort?: (name: string) => number | undefined;
  /** Whether an address of a device brings the routes with it that an operating system would have for it. Default true. */
  systemRoutes?: boolean;
}

/** What happens, by name. MACs and addresses are text. */
export interface SwitchEvents {
  'flow-installed': { flow: number; key: FlowWords; mask: FlowWords; actions: string };
  'flow-removed': { flow: number; reason: 'idle' | 'stale' | 'evicted' };
  'mac-learned': { bridge: string; port: string; vlan: number; mac: string };
  'mac-moved': { bridge: string; port: string; vlan: number; mac: string };
  'neighbour-resolved': { bridge: string; ip: string; mac: string };
  /** Packets that the datapath dropped in one burst for one reason. */
  drop: { reason: string; count: number };
}

/** All counters of a switch, as plain data. */
export interface SwitchCounters {
  lookups: { hit: number; missed: number; lost: number };
  flows: number;
  drops: Record<string, number>;
  ports: Record<
    string,
    { rxPackets: number; rxBytes: number; txPackets: number; txBytes: number; drops: Record<string, number> }
  >;
}

const INTERFACE_TYPES: readonly InterfaceType[] = ['system', 'internal', 'vxlan', 'patch'];
/** Flows that a turn of revalidation looks at before packets have theirs. */
const FLOWS_PER_SLICE = 2000;
/** Least time between the beginnings of two sweeps. */
const LEAST_SWEEP_GAP_MS = 5;

export class VSwitch {
  readonly datapath: Datapath;
  readonly clock: Clock;
  readonly neighbours: NeighbourTable;
  readonly router: Router;
  readonly nativeTunnels: boolean;

  readonly #bridges = new Map<string, Bridge>();
  readonly #tunnels = new TunnelPorts<SwitchPort>();
  readonly #listeners = new ListenerTable();
  readonly #byDatapathPort: (SwitchPort | undefined)[] = [];
  /** Datapath ports of tunnels, by UDP port. */
  readonly #tunnelDevices = new Map<number, { datapathPort: number; users: number }>();
  readonly #addresses: DeviceAddress[] = [];
  readonly #tunnelDevice: VSwitchOptions['tunnelDevice'];
  readonly #numberOf: (name: string) => number | undefined;
  readonly #systemRoutes: boolean;
  readonly #events = new Events<SwitchEvents>();
  readonly #world: World;
  readonly #recirculations: Recirculations;
  /** Of packets for which no flow has been installed. */
  readonly #looseRecirculations = new Set<readonly number[]>();
  readonly #revalidator: Revalidator;
  readonly #dropRates: DropRates;
  #seenNeighbours = 0;
  #seenRoutes = 0;
  /** Of the rules of all bridges, as of the last sweep that translated again. */
  #seenRules = 0;
  #changed = false;
  #timer: Timer | undefined;
  #timerDueMs = 0;
  #closed = false;

  constructor(options: VSwitchOptions = {}) {
    this.#tunnelDevice = options.tunnelDevice;
    this.#numberOf = options.datapathPort ?? (() => undefined);
    this.#systemRoutes = options.systemRoutes ?? true;
    this.nativeTunnels = options.nativeTunnels ?? true;
    this.datapath = new Datapath({
      ...options,
      upcall: (packet, key) => this.#upcall(packet, key),
      slowPath: (key) => this.#slowPath(key),
    });
    this.clock = this.datapath.clock;
    this.neighbours = new NeighbourTable(this.clock);
    this.router = new Router(() => this.#addresses);
    this.#recirculations = new Recirculations(this.clock);
    this.neighbours.onChange = ({ bridge, ip, mac }) =>
      this.#events.emit('neighbour-resolved', () => ({ bridge, ip: formatIp(ip), mac: formatMac(mac) }));
    this.#world = {
      bridges: this.#bridges,
      nativeTunnels: this.nativeTunnels,
      router: this.router,
      neighbours: this.neighbours,
      listeners: this.#listeners,
      recirculations: this.#recirculations,
      nowMs: () => this.clock.now(),
      addressesOf: (device) => this.#addresses.filter((address) => address.device === device),
      findBridgePort: (name) => this.#findBridgePort(name),
      sendFrom: (port, frame, depth) => this.#sendFrom(port, frame, depth),
    };
    this.#revalidator = new Revalidator(
      {
        datapath: this.datapath,
        world: this.#world,
        portFor: (key) => this.#portFor(key),
        removed: (flow, reason) => this.#events.emit('flow-removed', () => ({ flow, reason })),
      },
      options,
    );
    this.#dropRates = new DropRates(this.clock, () => this.#drops());
    this.#schedule(SWEEP_INTERVAL_MS);
  }

  // ---- configuration -----------------------------------------------------------------------------------------------------

  /**
   * Adds a bridge with its LOCAL port (named like the bridge) and its ports. Throws `already-exists`, `bad-config` and what ports throw; the
   * switch is then as it was.
   */
  addBridge(config: BridgeConfig): void {
    this.#assertOpen();
    if (this.findPort(config.name)) {
      throw new MegaflowError(
        'already-exists',
        `there is a port or bridge ${config.name} already`,
        config.name,
        'a name that is free',
      );
    }
    const bridge: Bridge = {
      name: config.name,
      mac: parseMac(config.mac),
      ports: [],
      byOfPort: new Map(),
      macTable: new MacTable<SwitchPort>(this.clock),
      config,
      forwardBpdu: false,
      mirrors: [],
      tables: createFlowTables(this.clock.now()),
      groups: createGroupTable(),
    };
    bridge.macTable.onLearn = ({ mac, vlan, port }, moved) =>
      this.#events.emit(moved ? 'mac-moved' : 'mac-learned', () => ({
        bridge: bridge.name,
        port: port.name,
        vlan,
        mac: formatMac(mac),
      }));
    this.#configureBridge(bridge, config);
    this.#bridges.set(config.name, bridge);
    try {
      const port = config.local ?? createIdlePort(config.name);
      this.#addPort(bridge, {
        name: config.name,
        interface: { type: 'internal', ofport: LOCAL },
        port,
        mac: config.mac,
      });
      for (const added of config.ports ?? []) this.addPort(config.name, added);
      bridge.mirrors = createMirrors(bridge, config.mirrors ?? []);
      for (const group of config.groups ?? []) bridge.groups.add(parseGroup(group, portNames(bridge)));
      if (config.openflow) for (const flow of config.openflow) this.addFlow(config.name, flow);
      else addDefaultRule(bridge.tables, this.clock.now());
    } catch (error) {
      this.removeBridge(config.name);
      throw error;
    }
    this.#invalidate();
  }

  /** Adds a rule to a bridge's tables, or replaces it: the syntax of `ovs-ofctl add-flow`. Throws `bad-flow-text`. */
  addFlow(bridgeName: string, flow: string): void {
    this.#changeFlows(bridgeName, flow, 'add');
  }

  /** Changes the actions of the rules that a text chooses (`ovs-ofctl mod-flows`); `strict`: of the very rule. */
  modifyFlows(bridgeName: string, flow: string, strict = false): void {
    this.#changeFlows(bridgeName, flow, strict ? 'modify_strict' : 'modify');
  }

  /** Removes the rules that a text chooses (`ovs-ofctl del-flows`; an empty text: all). */
  removeFlows(bridgeName: string, flow = '', strict = false): void {
    this.#changeFlows(bridgeName, flow, strict ? 'delete_strict' : 'delete');
  }

  #changeFlows(bridgeName: string, flow: string, command: FlowCommand): void {
    const bridge = this.#bridge(bridgeName);
    bridge.tables.apply(parseFlowMod(flow, command, portNames(bridge)), this.clock.now());
    this.#invalidate();
  }

  /** The rules of a bridge, as `ovs-ofctl dump-flows` prints them, with all packets counted so far. */
  dumpRules(bridgeName: string): string {
    const bridge = this.#bridge(bridgeName);
    this.revalidate();
    const nowMs = this.clock.now();
    return [...bridge.tables.rules()].map((rule) => `${formatRule(rule, nowMs)}\n`).join('');
  }

  removeBridge(name: string): void {
    const bridge = this.#bridge(name);
    for (const port of [...bridge.ports].reverse()) this.#removePort(port);
    this.#bridges.delete(name);
    this.#invalidate();
  }

  /** Changes a bridge: what is not named stays. */
  setBridge(name: string, changes: Pick<BridgeConfig, 'otherConfig' | 'floodVlans' | 'mirrors'>): void {
    const bridge = this.#bridge(name);
    const config = {
      ...bridge.config,
      ...changes,
      otherConfig: { ...bridge.config.otherConfig, ...changes.otherConfig },
    };
    const mirrors = createMirrors(bridge, config.mirrors ?? []);
    this.#configureBridge(bridge, config);
    bridge.config = config;
    bridge.mirrors = mirrors;
    this.#invalidate();
  }

  #configureBridge(bridge: Bridge, config: BridgeConfig): void {
    const other = config.otherConfig ?? {};
    const agingSeconds = parseCount('mac-aging-time', other['mac-aging-time'], DEFAULT_AGING_SECONDS);
    const size = parseCount('mac-table-size', other['mac-table-size'], DEFAULT_MAC_TABLE_SIZE);
    bridge.forwardBpdu = other['forward-bpdu'] === 'true';
    bridge.macTable.agingSeconds = agingSeconds;
    bridge.macTable.size = size;
    bridge.macTable.floodVlans = new Set(config.floodVlans ?? []);
  }

  /** Adds a port to a bridge. Throws `already-exists`, `bad-config`, `bad-option`; the switch is then as it was. */
  addPort(bridgeName: string, config: PortConfig): void {
    this.#assertOpen();
    const bridge = this.#bridge(bridgeName);
    if (this.findPort(config.name)) {
      throw new MegaflowError(
        'already-exists',
        `there is a port ${config.name} already`,
        config.name,
        'a name that is free',
      );
    }
    this.#addPort(bridge, config);
    bridge.mirrors = createMirrors(bridge, bridge.config.mirrors ?? []);
    this.#invalidate();
  }

  #addPort(bridge: Bridge, config: PortConfig): void {
    const type = config.interface?.type ?? 'system';
    if (!INTERFACE_TYPES.includes(type)) {
      throw new MegaflowError(
        'bad-config',
        `port ${config.name}: interface type ${type}`,
        type,
        INTERFACE_TYPES.join(', '),
      );
    }
    const options = config.interface?.options ?? {};
    const vlan = vlanRules(config.name, config);
    const mac = config.mac === undefined ? 0 : parseMac(config.mac);
    const ofPort = this.#chooseOfPort(bridge, config);
    const tunnelConfig = type === 'vxlan' ? parseTunnelOptions(config.name, options) : undefined;
    if (type === 'patch' && options.peer === undefined) {
      throw new MegaflowError(
        'bad-option',
        `${config.name}: patch type requires valid 'peer' argument`,
        undefined,
        'the name of a patch port',
      );
    }
    let datapathPort = -1;
    if (tunnelConfig) datapathPort = this.#acquireTunnelDevice(tunnelConfig.destinationPort);
    else if (type !== 'patch') {
      const port = config.port ?? createIdlePort(config.name);
      datapathPort = this.#addDatapathPort(port, config.name, type === 'internal' ? 'tap' : 'system');
    }
    const added: SwitchPort = {
      name: config.name,
      bridge,
      type,
      ofPort,
      datapathPort,
      mac,
      config,
      vlan,
      protected: config.protected ?? false,
      tunnel: undefined,
      tunnelConfig,
      peer: type === 'patch' ? options.peer : undefined,
      counters: { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0 },
    };
    if (tunnelConfig) {
      added.tunnel = { datapathPort, config: tunnelConfig, owner: added };
      try {
        this.#tunnels.add(added.tunnel);
      } catch (error) {
        this.#releaseTunnelDevice(tunnelConfig.destinationPort);
        throw error;
      }
    } else if (datapathPort >= 0) this.#byDatapathPort[datapathPort] = added;
    bridge.ports.push(added);
    bridge.byOfPort.set(ofPort, added);
    this.#rebuildListeners();
  }

  #chooseOfPort(bridge: Bridge, config: PortConfig): number {
    const wanted = config.interface?.ofport;
    if (wanted === undefined) {
      let free = 1;
      while (bridge.byOfPort.has(free)) free++;
      return free;
    }
    if (!Number.isInteger(wanted) || wanted < 1 || (wanted > 65279 && wanted !== LOCAL)) {
      throw new MegaflowError(
        'bad-config',
        `port ${config.name}: ofport ${wanted}`,
        wanted,
        'a whole number from 1 to 65279',
      );
    }
    if (bridge.byOfPort.has(wanted)) {
      throw new MegaflowError(
        'already-exists',
        `port ${config.name}: ofport ${wanted} is taken`,
        wanted,
        'a number that is free',
      );
    }
    return wanted;
  }

  removePort(name: string): void {
    const port = this.#port(name);
    if (port.ofPort === LOCAL) {
      throw new MegaflowError(
        'bad-config',
        `${name} is the LOCAL port of its bridge`,
        name,
        'a port that is not LOCAL: remove the bridge',
      );
    }
    this.#removePort(port);
    port.bridge.mirrors = createMirrors(port.bridge, port.bridge.config.mirrors ?? []);
    this.#invalidate();
  }

  #removePort(port: SwitchPort): void {
    const { bridge } = port;
    bridge.ports.splice(bridge.ports.indexOf(port), 1);
    bridge.byOfPort.delete(port.ofPort);
    bridge.macTable.removePort(port);
    if (port.tunnel && port.tunnelConfig) {
      this.#tunnels.remove(port.tunnel);
      this.#releaseTunnelDevice(port.tunnelConfig.destinationPort);
    } else if (port.datapathPort >= 0) {
      this.#byDatapathPort[port.datapathPort] = undefined;
      this.#removeDatapathPort(port.datapathPort);
    }
    this.#forgetAddresses(port.name);
    this.#rebuildListeners();
  }

  /** A port of the datapath goes with the flows that came in on it. */
  #removeDatapathPort(number: number): void {
    for (const flow of this.datapath.flowNumbers()) {
      if (getField(this.datapath.flow(flow).key, 'inPort') !== number) continue;
      this.#events.emit('flow-removed', () => ({ flow, reason: 'stale' }));
      this.datapath.deleteFlow(flow);
      this.#revalidator.forget(flow);
    }
    this.datapath.removePort(number);
  }

  /** Changes columns of a port; `tag: null` clears it, and what is not named stays. */
  setPort(name: string, columns: VlanColumns & { protected?: boolean }): void {
    const port = this.#port(name);
    const config: PortConfig = {
      ...port.config,
      ...columns,
      otherConfig: { ...port.config.otherConfig, ...columns.otherConfig },
    };
    const vlan = vlanRules(name, config);
    const isProtected = config.protected ?? false;
    // What was learned there was learned under other rules.
    if (!sameVlanRules(vlan, port.vlan) || isProtected !== port.protected) port.bridge.macTable.removePort(port);
    port.vlan = vlan;
    port.protected = isProtected;
    port.config = config;
    this.#invalidate();
  }

  /** Gives an interface new options, all of them. */
  setInterface(name: string, options: Readonly<Record<string, string>>): void {
    const port = this.#port(name);
    const config: PortConfig = { ...port.config, interface: { ...port.config.interface, options } };
    if (port.type === 'patch') {
      if (options.peer === undefined) {
        throw new MegaflowError(
          'bad-option',
          `${name}: patch type requires valid 'peer' argument`,
          undefined,
          'the name of a patch port',
        );
      }
      port.peer = options.peer;
    } else if (port.tunnel && port.tunnelConfig) {
      const tunnelConfig = parseTunnelOptions(name, options);
      const before = port.tunnel;
      const datapathPort = this.#acquireTunnelDevice(tunnelConfig.destinationPort);
      this.#tunnels.remove(before);
      const tunnel = { datapathPort, config: tunnelConfig, owner: port };
      try {
        this.#tunnels.add(tunnel);
      } catch (error) {
        this.#releaseTunnelDevice(tunnelConfig.destinationPort);
        this.#tunnels.add(before);
        throw error;
      }
      this.#releaseTunnelDevice(port.tunnelConfig.destinationPort);
      port.tunnel = tunnel;
      port.tunnelConfig = tunnelConfig;
      this.#rebuildListeners();
    } else {
      throw new MegaflowError('bad-config', `${name} has no options`, name, 'a vxlan or patch port');
    }
    port.config = config;
    this.#invalidate();
  }

  #acquireTunnelDevice(destinationPort: number): number {
    const device = this.#tunnelDevices.get(destinationPort);
    if (device) {
      device.users++;
      return device.datapathPort;
    }
    const name = `vxlan_sys_${destinationPort}`;
    const options: Record<string, string> = {};
    if (destinationPort !== 4789) options.dst_port = String(destinationPort);
    options.packet_type = 'ptap';
    const port = this.nativeTunnels ? undefined : this.#tunnelDevice?.(name, destinationPort);
    const datapathPort = this.#addDatapathPort(port, name, 'vxlan', options);
    this.#tunnelDevices.set(destinationPort, { datapathPort, users: 1 });
    return datapathPort;
  }

  #addDatapathPort(port: Port | undefined, name: string, type: string, options: Record<string, string> = {}): number {
    const wanted = this.#numberOf(name);
    const number = wanted !== undefined && this.datapath.port(wanted) ? undefined : wanted;
    return this.datapath.addPort(port, { name, number, type, options });
  }

  #releaseTunnelDevice(destinationPort: number): void {
    const device = this.#tunnelDevices.get(destinationPort);
    if (!device || --device.users > 0) return;
    this.#tunnelDevices.delete(destinationPort);
    this.#removeDatapathPort(device.datapathPort);
  }

  // ---- addresses, routes, neighbours -------------------------------------------------------------------------------------

  /** Gives a device (a bridge's LOCAL port, say) an address: `'10.10.10.1/24'`. */
  addAddress(device: string, prefix: string): void {
    const { bytes, length } = parsePrefix(prefix);
    this.#port(device);
    if (this.#addresses.some((address) => address.device === device && formatIp(address.ip) === formatIp(bytes))) {
      throw new MegaflowError(
        'already-exists',
        `${device} has the address ${formatIp(bytes)} already`,
        prefix,
        'another address',
      );
    }
    this.#addresses.push({ device, ip: bytes, prefixLength: length });
    this.#addressesChanged(device);
  }

  removeAddress(device: string, prefix: string): void {
    const { bytes } = parsePrefix(prefix);
    const at = this.#addresses.findIndex(
      (address) => address.device === device && formatIp(address.ip) === formatIp(bytes),
    );
    if (at < 0)
      throw new MegaflowError(
        'not-found',
        `${device} has no address ${formatIp(bytes)}`,
        prefix,
        'an address of the device',
      );
    this.#addresses.splice(at, 1);
    this.#addressesChanged(device);
  }

  /** A device that leaves takes its addresses with it, and the routes that came with them. */
  #forgetAddresses(device: string): void {
    for (let at = this.#addresses.length - 1; at >= 0; at--)
      if (this.#addresses[at].device === device) this.#addresses.splice(at, 1);
    if (this.#systemRoutes) this.router.removeCached(device);
  }

  /** Addresses of all devices. */
  addresses(): readonly DeviceAddress[] {
    return this.#addresses;
  }

  #addressesChanged(device: string): void {
    if (this.#systemRoutes) {
      this.router.removeCached(device);
      for (const { ip, prefixLength } of this.#addresses.filter((address) => address.device === device)) {
        this.router.add({ prefix: ip, prefixLength: ip.length * 8, device, kind: 'cached', local: true });
        this.router.add({ prefix: ip, prefixLength, device, kind: 'cached' });
      }
    }
    this.#rebuildListeners();
    this.#invalidate();
  }

  /** Adds a route of the tunnel router: `addRoute('0.0.0.0/0', 'br1', '10.10.10.254')`. */
  addRoute(prefix: string, device: string, gateway?: string, mark = 0): void {
    const { bytes, length } = parsePrefix(prefix);
    this.router.add({
      prefix: bytes,
      prefixLength: length,
      device,
      gateway: gateway === undefined ? undefined : parseIp(gateway),
      mark,
    });
    this.#rebuildListeners();
    this.#noteChanges();
  }

  /** Removes a route that was added; false when there was none. */
  removeRoute(prefix: string, mark = 0): boolean {
    const { bytes, length } = parsePrefix(prefix);
    const removed = this.router.remove(bytes, length, mark);
    this.#rebuildListeners();
    this.#noteChanges();
    return removed;
  }

  /** Sets an entry of the tunnel neighbour table. */
  setNeighbour(bridge: string, ip: string, mac: string): void {
    this.neighbours.set(bridge, parseIp(ip), parseMac(mac));
    this.#noteChanges();
  }

  /** Devices that have a route listen on their addresses, for the tunnel ports that there are. */
  #rebuildListeners(): void {
    const devices = [...this.router.listening].flatMap((name) => {
      const port = this.#findBridgePort(name);
      const addresses = this.#addresses.filter((address) => address.device === name).map((address) => address.ip);
      return port ? [{ name, mac: port.mac, addresses }] : [];
    });
    const ports = [...this.#tunnelDevices].map(([destinationPort, { datapathPort }]) => ({
      destinationPort,
      datapathPort,
    }));
    this.#listeners.rebuild(devices, ports);
  }

  // ---- looking at it -----------------------------------------------------------------------------------------------------

  bridges(): readonly Bridge[] {
    return [...this.#bridges.values()];
  }

  /** A bridge; throws `not-found`. */
  bridge(name: string): Bridge {
    return this.#bridge(name);
  }

  /** A port of any bridge, LOCAL ports included. */
  findPort(name: string): SwitchPort | undefined {
    for (const bridge of this.#bridges.values()) {
      const port = findPort(bridge, name);
      if (port) return port;
    }
    return undefined;
  }

  /** Headers that are terminated. */
  get listeners(): ListenerTable {
    return this.#listeners;
  }

  counters(): SwitchCounters {
    const { hit, missed, lost, flows, drops } = this.datapath.statistics();
    const ports: SwitchCounters['ports'] = {};
    for (const port of this.datapath.ports()) {
      const { rxPackets, rxBytes, txPackets, txBytes } = port;
      ports[port.name] = { rxPackets, rxBytes, txPackets, txBytes, drops: reasonCounts(portDrops(port)) };
    }
    return { lookups: { hit, missed, lost }, flows, drops, ports };
  }

  /** Drops of the datapath and of all ports, by `Reason`: how many so far, and how many a second of late. */
  dropRates(): DropRate[] {
    this.#dropRates.run();
    return this.#dropRates.rates();
  }

  #drops(): Float64Array {
    const totals = new Float64Array(REASON_COUNT);
    for (const counts of [this.datapath.drops, ...this.datapath.ports().map(portDrops)]) {
      for (let reason = 0; reason < REASON_COUNT; reason++) totals[reason] += counts[reason];
    }
    return totals;
  }

  /** How the flows are looked after, in numbers. */
  revalidation(): SweepStatistics & { flows: number; flowLimit: number } {
    const { flowCount, flowLimit } = this.datapath;
    return { ...this.#revalidator.statistics, flows: flowCount, flowLimit };
  }

  /** The port that packets with this key have come in on: for a tunnel's key, the tunnel port. */
  portOf(key: FlowWords): SwitchPort | undefined {
    return this.#portFor(key);
  }

  /** Calls `listener` when something happens; answers a function that ends it. */
  on<Name extends keyof SwitchEvents>(name: Name, listener: (event: SwitchEvents[Name]) => void): () => void {
    const off = this.#events.on(name, listener);
    const watchDrops = (): void => {
      this.datapath.onDrop = this.#events.has('drop')
        ? (reason, count) => this.#events.emit('drop', () => ({ reason: reasonName(reason), count }))
        : undefined;
    };
    if (name === 'drop') watchDrops();
    return () => {
      off();
      if (name === 'drop') watchDrops();
    };
  }

  // ---- packets -----------------------------------------------------------------------------------------------------------

  /** A frame comes in on a port, and goes all the way at once. */
  receive(port: string, frame: Uint8Array): void {
    this.datapath.inject(this.#datapathPort(port), frame);
  }

  /**
   * A frame comes in on a port; answers the frames that left because of it, by port, in order, with the clock stopped. For tests: it does not
   * matter what the ports are, and what their hosts answer at once is delivered too.
   */
  deliver(port: string, frame: Uint8Array): Record<string, Uint8Array[]> {
    const number = this.#datapathPort(port);
    return this.collect(() => {
      // Nothing stale decides, and nothing is left to be done: tests see each change at once.
      this.settle();
      this.datapath.inject(number, frame);
      this.datapath.poll();
      this.settle();
    });
  }

  /** Does something, and what is due after it, and answers the frames that left meanwhile, by port, in order. */
  collect(action: () => void): Record<string, Uint8Array[]> {
    const frames: Record<string, Uint8Array[]> = {};
    const before = this.datapath.onSend;
    this.datapath.onSend = ({ name }, sent) => (frames[name] ??= []).push(sent.slice());
    try {
      action();
      this.run();
      this.datapath.poll();
      this.run();
    } finally {
      this.datapath.onSend = before;
    }
    return frames;
  }

  #datapathPort(name: string): number {
    const port = this.#port(name);
    if (port.tunnel || port.datapathPort < 0) {
      throw new MegaflowError('bad-argument', `no frames come in on ${name} itself`, name, 'a system or LOCAL port');
    }
    return port.datapathPort;
  }

  #upcall(packet: Packet, key: FlowWords): Upcall | null {
    const port = this.#portFor(key);
    if (!port) return null;
    const { sequence } = this.#revalidator;
    const translation = translate(this.#world, port, key, { sideEffects: true });
    applyEffects(this.#world, translation.effects, 1, packet.length);
    this.#noteChanges();
    const { mask, actions, installed, recirculations } = translation;
    // Packets that go round find their state for a while, whether there is a flow or not.
    if (recirculations.length !== 0) this.#looseRecirculations.add(recirculations);
    return {
      mask,
      actions,
      install: this.#revalidator.wasDeleted(key) ? null : installed === actions ? undefined : installed,
      installed: (flow) => {
        this.#looseRecirculations.delete(recirculations);
        this.#revalidator.track(flow, sequence, translation);
        this.#events.emit('flow-installed', () => ({ flow, key, mask, actions: this.datapath.flowActionsText(flow) }));
      },
    };
  }

  /**
   * What is done with a packet of a flow that is left to the slow path. The flow has counted it, and a sweep will tell whom that
   * concerns; what tables learn from it they learn now.
   */
  #slowPath(key: FlowWords): readonly Action[] | null {
    const port = this.#portFor(key);
    if (!port) return null;
    const { actions, recirculations } = translate(this.#world, port, key, { sideEffects: true });
    this.#noteChanges();
    if (recirculations.length !== 0) this.#looseRecirculations.add(recirculations);
    return actions;
  }

  /** The port that a packet with this key came in on. */
  #portFor(key: FlowWords): SwitchPort | undefined {
    const recirculation = getField(key, 'recircId');
    if (recirculation !== 0) {
      const state = this.#recirculations.find(recirculation);
      // A packet whose state is gone is lost.
      if (!state) return undefined;
      if (state.port?.bridge.byOfPort.get(state.port.ofPort) === state.port) return state.port;
    }
    const number = getField(key, 'inPort');
    // Frames with tunnel metadata are those of tunnel ports, whatever else they say.
    const remote = tunnelAddress(key, 'destination');
    if (remote.every((byte) => byte === 0)) return this.#byDatapathPort[number];
    // Ports take frames. What else VXLAN-GPE may carry finds none.
    if (getField(key, 'packetType') !== 0) return undefined;
    return this.#tunnels.find(number, {
      key: getField(key, 'tunIdHigh') * 0x1_0000_0000 + getField(key, 'tunId'),
      source: tunnelAddress(key, 'source'),
      destination: remote,
    })?.owner;
  }

  /** A frame of the switch's own, such as a request for a neighbour. */
  #sendFrom(port: SwitchPort, frame: Uint8Array, depth: number): void {
    const key = this.datapath.keyOf(frame, Math.max(0, port.datapathPort));
    if (!key) return;
    const translation = translate(this.#world, port, key, { sideEffects: true, depth });
    applyEffects(this.#world, translation.effects, 1, frame.length);
    this.datapath.execute(frame, translation.actions, Math.max(0, port.datapathPort));
    this.#recirculations.release(translation.recirculations);
    this.#noteChanges();
  }

  /** What would become of a packet with this key: nothing is learned, sent or installed. `key` need not be sealed. */
  translate(key: FlowWords): Translation | undefined {
    if (key[GROUPS_WORD] === 0) sealKey(key);
    const port = this.originOf(key);
    return port && this.trace(port, key, { traceOf: 'flow' });
  }

  /** The port that a packet with this key came in on; undefined: none that there is. */
  originOf(key: FlowWords): SwitchPort | undefined {
    return this.#portFor(key);
  }

  /**
   * As `translate`, for a flow (`FLOW_WORDS` words, or a key) that came in there, with its steps reported. `forReal`: what Open vSwitch
   * does beside it is done, requests for neighbours are sent, and tables learn from a packet; it itself goes nowhere.
   */
  trace(
    origin: Origin,
    flow: FlowWords,
    { forReal = false, ...options }: Pick<TranslateOptions, 'traceOf' | 'reporter'> & { forReal?: boolean },
  ): Translation {
    const world = forReal ? this.#world : { ...this.#world, sendFrom: () => undefined };
    const sideEffects = forReal && options.traceOf === 'packet';
    const translation = translate(world, origin, flow, { sideEffects, ...options });
    this.#recirculations.release(translation.recirculations);
    if (forReal) this.#noteChanges();
    return translation;
  }

  // ---- housekeeping ------------------------------------------------------------------------------------------------------

  /** Something was configured: all flows are looked at again. */
  #invalidate(): void {
    this.#changed = true;
    this.#schedule(0);
  }

  /** Tables may have learned something that flows rely on. */
  #noteChanges(): void {
    if (this.#tablesChanged()) this.#schedule(0);
  }

  #tablesChanged(): boolean {
    if (this.#changed || this.neighbours.sequence !== this.#seenNeighbours || this.#rulesSequence() !== this.#seenRules)
      return true;
    if (this.router.sequence !== this.#seenRoutes) return true;
    for (const bridge of this.#bridges.values()) if (bridge.macTable.changed) return true;
    return false;
  }

  #rulesSequence(): number {
    let sum = 0;
    for (const bridge of this.#bridges.values()) sum += bridge.tables.sequence + bridge.groups.sequence;
    return sum;
  }

  /** Runs in `delayMs`, but not within the gap after the last sweep. An earlier date replaces a later one. */
  #schedule(delayMs: number): void {
    if (this.#closed) return;
    const nowMs = this.clock.now();
    const dueMs = Math.max(nowMs + delayMs, this.#revalidator.startMs + LEAST_SWEEP_GAP_MS);
    if (this.#timer && this.#timerDueMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.clock.after(dueMs - nowMs, () => {
      this.#timer = undefined;
      this.#turn();
    });
  }

  /** One slice of what is due. */
  #turn(): void {
    this.#age();
    this.#beginWhatIsDue(LEAST_SWEEP_GAP_MS);
    const done = this.#revalidator.step(FLOWS_PER_SLICE);
    // A listener may have closed the switch.
    if (this.#closed) return;
    if (!done) {
      this.#timerDueMs = this.clock.now();
      this.#timer = this.clock.soon(() => {
        this.#timer = undefined;
        this.#turn();
      });
    } else this.#schedule(this.#tablesChanged() ? 0 : this.#revalidator.startMs + SWEEP_INTERVAL_MS - this.clock.now());
  }

  /**
   * Ages tables and sweeps flows now, as far as it is due. As in Open vSwitch a sweep begins 5 ms after the one before at the earliest,
   * whatever has changed; the clock's next turn then does it.
   */
  run(): void {
    this.#assertOpen();
    this.#age();
    this.#beginWhatIsDue(LEAST_SWEEP_GAP_MS);
    this.#revalidator.step(Infinity);
  }

  /** Does at once what has become due, and what follows from it, until all flows are right for the tables as they are. */
  settle(): void {
    this.#assertOpen();
    // What a sweep learns may call for another one; two are enough unless two sources of one MAC fight for it.
    for (let round = 0; round < 4 && (round === 0 || this.#tablesChanged()); round++) {
      this.#age();
      this.#beginWhatIsDue(0);
      this.#revalidator.step(Infinity);
    }
  }

  /**
   * Sweeps all flows now, whether it is due or not, and does what follows from it: tables then know of all packets so far
   * (`ovs-appctl revalidator/wait`).
   */
  revalidate(): void {
    this.#assertOpen();
    this.#age();
    this.#noteInvalid();
    this.#revalidator.begin();
    this.#revalidator.step(Infinity);
  }

  /** Deletes all flows, when tables have been told what they have counted. */
  purge(): void {
    this.#assertOpen();
    this.#revalidator.purge();
  }

  /**
   * Deletes one flow. Nothing is told of what it has counted since the last sweep, and as in Open vSwitch 3.1 packets with its very key get no
   * flow again until it would have to match more than that flow did, or until `purge`. Throws `not-found`.
   */
  deleteFlow(flow: number): void {
    this.#revalidator.deleteByHand(flow);
  }

  #age(): void {
    this.#dropRates.run();
    for (const bridge of this.#bridges.values()) {
      bridge.macTable.sweep();
      if (bridge.tables.expire(this.clock.now()).length !== 0) this.#changed = true;
    }
    this.neighbours.sweep();
    for (const ids of this.#looseRecirculations) this.#recirculations.release(ids);
    this.#looseRecirculations.clear();
    this.#recirculations.sweep();
  }

  #beginWhatIsDue(gapMs: number): void {
    const sinceMs = this.clock.now() - this.#revalidator.startMs;
    // A changed configuration does not wait.
    if (this.#changed || (this.#tablesChanged() && sinceMs >= gapMs)) {
      this.#noteInvalid();
      this.#revalidator.begin();
    } else if (!this.#revalidator.sweeping && sinceMs >= SWEEP_INTERVAL_MS) this.#revalidator.begin();
  }

  /** If anything has changed, all flows are to be translated again. */
  #noteInvalid(): void {
    if (!this.#tablesChanged()) return;
    this.#changed = false;
    this.#seenNeighbours = this.neighbours.sequence;
    this.#seenRoutes = this.router.sequence;
    this.#seenRules = this.#rulesSequence();
    for (const bridge of this.#bridges.values()) bridge.macTable.changed = false;
    this.#revalidator.invalidate();
  }

  // ---- the end -----------------------------------------------------------------------------------------------------------

  #bridge(name: string): Bridge {
    const bridge = this.#bridges.get(name);
    if (!bridge)
      throw new MegaflowError('not-found', `no such bridge ${name}`, name, [...this.#bridges.keys()].join(', '));
    return bridge;
  }

  #port(name: string): SwitchPort {
    const port = this.findPort(name);
    if (!port) throw new MegaflowError('not-found', `there is no port ${name}`, name, 'the name of a port');
    return port;
  }

  /** The port that a device is: that of the bridge of its name first. */
  #findBridgePort(name: string): SwitchPort | undefined {
    const bridge = this.#bridges.get(name);
    return (bridge && findPort(bridge, name)) ?? this.findPort(name);
  }

  #assertOpen(): void {
    if (this.#closed) throw new MegaflowError('closed', 'the switch is closed', undefined, 'a switch that is open');
  }

  /** Cancels all timers and detaches all ports. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.datapath.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Ports of a bridge by name, for the text of rules. */
function portNames(bridge: Bridge): PortNames {
  return { portNumber: (name) => findPort(bridge, name)?.ofPort };
}

function portDrops(port: DatapathPort): Float64Array {
  return port.rxDrops.map((count, reason) => count + port.txDrops[reason]);
}
