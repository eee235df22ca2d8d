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
import {
  FLOW_WORDS,
  GROUPS_WORD,
  Group,
  KEY_WORDS,
  fields,
  getField,
  sealKey,
  type FlowWords,
} from '../flow/fields.js';
import { createIdlePort } from '../io/idle-port.js';
import type { Port } from '../io/port.js';
import { formatRule } from '../openflow/format.js';
import { createGroupTable, parseGroup } from '../openflow/group.js';
import { parseFlowMod, type FlowCommand } from '../openflow/parse.js';
import type { PortNames } from '../openflow/ports.js';
import { addDefaultRule, createFlowTables } from '../openflow/table.js';
import type { Packet } from '../packet/packet.js';
import { TUNNEL_WORDS } from '../packet/pool.js';
import { TunnelWord } from '../packet/tunnel.js';
import type { ListenerTable } from '../tunnel/listeners.js';
import type { NeighbourTable } from '../tunnel/neighbours.js';
import { parseTunnelOptions } from '../tunnel/options.js';
import type { DeviceAddress, Router } from '../tunnel/router.js';
import { formatIp, formatMac, parseMac } from '../util/address.js';
import type { Clock } from '../util/clock.js';
import { MegaflowError } from '../util/errors.js';
import { Events } from '../util/events.js';
import { REASON_COUNT, reasonCounts, reasonName } from '../util/reason.js';
import type { World } from './context.js';
import { applyEffects } from './effects.js';
import { FlowStack } from './flow-stack.js';
import { Housekeeping } from './housekeeping.js';
import { MacTable, parseCount, DEFAULT_AGING_SECONDS, DEFAULT_MAC_TABLE_SIZE } from './mac-table.js';
import { DropRates, type DropRate } from './drop-rates.js';
import { MaskMemory } from './mask-memory.js';
import { createMirrors } from './mirror-config.js';
import {
  LOCAL,
  createSwitchPort,
  findPort,
  type Bridge,
  type BridgeConfig,
  type InterfaceType,
  type PortConfig,
  type SwitchPort,
} from './model.js';
import { hasTunnel, tunnelAddress } from './native-tunnel.js';
import { Recirculations } from './recirculation.js';
import { Revalidator, type RevalidatorOptions, type SweepStatistics } from './revalidate.js';
import { translate, type FinalFlow, type Origin, type TranslateOptions, type Translation } from './translate.js';
import { Underlay, type UnderlayOptions } from './underlay.js';
import { sameVlanRules, vlanRules, type VlanColumns } from './vlan.js';

export interface VSwitchOptions
  extends RevalidatorOptions,
    UnderlayOptions,
    Pick<
      DatapathOptions,
      'clock' | 'pool' | 'poolOptions' | 'exactMatchEntries' | 'lookupOrder' | 'vlanLimit' | 'seed'
    > {
  /**
   * True (the default): the switch routes, resolves and builds tunnel headers itself. False: it attaches tunnel metadata and outputs to
   * a port that encapsulates (`tunnelDevice`).
   */
  nativeTunnels?: boolean;
  /**
   * The number that a port is to have in the datapath (`vxlan_sys_PORT` is the one of all tunnels with one UDP port). Without it, or
   * where that number is taken, the lowest that is free.
   */
  datapathPort?: (name: string) => number | undefined;
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
const TUNNEL_PORTS_WORD = fields.tunTpSrc.at >> 2;

export class VSwitch {
  readonly datapath: Datapath;
  readonly clock: Clock;
  readonly nativeTunnels: boolean;

  readonly #bridges = new Map<string, Bridge>();
  readonly #underlay: Underlay;
  readonly #byDatapathPort: (SwitchPort | undefined)[] = [];
  readonly #numberOf: (name: string) => number | undefined;
  readonly #events = new Events<SwitchEvents>();
  readonly #world: World;
  readonly #recirculations: Recirculations;
  readonly #revalidator: Revalidator;
  readonly #dropRates: DropRates;
  readonly #housekeeping: Housekeeping;
  #closed = false;

  constructor(options: VSwitchOptions = {}) {
    this.#numberOf = options.datapathPort ?? (() => undefined);
    this.nativeTunnels = options.nativeTunnels ?? true;
    this.datapath = new Datapath({
      ...options,
      upcall: (packet, key) => this.#upcall(packet, key),
      slowPath: (key) => this.#slowPath(key),
    });
    this.clock = this.datapath.clock;
    this.#underlay = new Underlay(
      {
        clock: this.clock,
        nativeTunnels: this.nativeTunnels,
        addDatapathPort: (port, name, options) => this.#addDatapathPort(port, name, 'vxlan', options),
        port: (name) => this.#port(name),
        findBridgePort: (name) => this.#findBridgePort(name),
        removeDatapathPort: (number) => this.#removeDatapathPort(number),
      },
      options,
    );
    this.#recirculations = new Recirculations(this.clock);
    this.neighbours.onChange = ({ bridge, ip, mac }) =>
      this.#events.emit('neighbour-resolved', () => ({ bridge, ip: formatIp(ip), mac: formatMac(mac) }));
    this.#world = {
      bridges: this.#bridges,
      nativeTunnels: this.nativeTunnels,
      router: this.router,
      neighbours: this.neighbours,
      listeners: this.listeners,
      recirculations: this.#recirculations,
      flows: new FlowStack(),
      masks: new MaskMemory(),
      nowMs: () => this.clock.now(),
      addressesOf: (device) => this.#underlay.addressesOf(device),
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
    this.#housekeeping = new Housekeeping({
      clock: this.clock,
      bridges: this.#bridges,
      underlay: this.#underlay,
      recirculations: this.#recirculations,
      revalidator: this.#revalidator,
      dropRates: this.#dropRates,
    });
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
    this.#housekeeping.invalidate();
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
    this.#housekeeping.invalidate();
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
    this.#housekeeping.invalidate();
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
    this.#housekeeping.invalidate();
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
    this.#housekeeping.invalidate();
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
    if (tunnelConfig) datapathPort = this.#underlay.acquireTunnelDevice(tunnelConfig.destinationPort);
    else if (type !== 'patch') {
      const port = config.port ?? createIdlePort(config.name);
      datapathPort = this.#addDatapathPort(port, config.name, type === 'internal' ? 'tap' : 'system');
    }
    const added = createSwitchPort({
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
    });
    if (tunnelConfig) {
      added.tunnel = { datapathPort, config: tunnelConfig, owner: added };
      try {
        this.#underlay.tunnels.add(added.tunnel);
      } catch (error) {
        this.#underlay.releaseTunnelDevice(tunnelConfig.destinationPort);
        throw error;
      }
    } else if (datapathPort >= 0) this.#byDatapathPort[datapathPort] = added;
    bridge.ports.push(added);
    bridge.byOfPort.set(ofPort, added);
    this.#underlay.rebuildListeners();
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
    this.#housekeeping.invalidate();
  }

  #removePort(port: SwitchPort): void {
    const { bridge } = port;
    bridge.ports.splice(bridge.ports.indexOf(port), 1);
    bridge.byOfPort.delete(port.ofPort);
    bridge.macTable.removePort(port);
    if (port.tunnel && port.tunnelConfig) {
      this.#underlay.tunnels.remove(port.tunnel);
      this.#underlay.releaseTunnelDevice(port.tunnelConfig.destinationPort);
    } else if (port.datapathPort >= 0) {
      this.#byDatapathPort[port.datapathPort] = undefined;
      this.#removeDatapathPort(port.datapathPort);
    }
    this.#underlay.forgetDevice(port.name);
  }

  /** A port of the datapath goes with the flows that came in on it. */
  #removeDatapathPort(number: number): void {
    const key = new Int32Array(KEY_WORDS);
    for (const flow of this.datapath.flowNumbers()) {
      this.datapath.readFlowKey(flow, key);
      if (getField(key, 'inPort') !== number) continue;
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
    this.#housekeeping.invalidate();
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
      const datapathPort = this.#underlay.acquireTunnelDevice(tunnelConfig.destinationPort);
      this.#underlay.tunnels.remove(before);
      const tunnel = { datapathPort, config: tunnelConfig, owner: port };
      try {
        this.#underlay.tunnels.add(tunnel);
      } catch (error) {
        this.#underlay.releaseTunnelDevice(tunnelConfig.destinationPort);
        this.#underlay.tunnels.add(before);
        throw error;
      }
      this.#underlay.releaseTunnelDevice(port.tunnelConfig.destinationPort);
      port.tunnel = tunnel;
      port.tunnelConfig = tunnelConfig;
      this.#underlay.rebuildListeners();
    } else {
      throw new MegaflowError('bad-config', `${name} has no options`, name, 'a vxlan or patch port');
    }
    port.config = config;
    this.#housekeeping.invalidate();
  }

  #addDatapathPort(port: Port | undefined, name: string, type: string, options: Record<string, string> = {}): number {
    const wanted = this.#numberOf(name);
    const number = wanted !== undefined && this.datapath.port(wanted) ? undefined : wanted;
    return this.datapath.addPort(port, { name, number, type, options });
  }

  // ---- addresses, routes, neighbours -------------------------------------------------------------------------------------

  /** Gives a device (a bridge's LOCAL port, say) an address: `'10.10.10.1/24'`. Throws `not-found`, `already-exists`. */
  addAddress(device: string, prefix: string): void {
    this.#underlay.addAddress(device, prefix);
    this.#housekeeping.invalidate();
  }

  /** Throws `not-found`. */
  removeAddress(device: string, prefix: string): void {
    this.#underlay.removeAddress(device, prefix);
    this.#housekeeping.invalidate();
  }

  /** Addresses of all devices. */
  addresses(): readonly DeviceAddress[] {
    return this.#underlay.addresses();
  }

  /** Adds a route of the tunnel router: `addRoute('0.0.0.0/0', 'br1', '10.10.10.254')`. Throws `bad-config`. */
  addRoute(prefix: string, device: string, gateway?: string, mark = 0): void {
    this.#underlay.addRoute(prefix, device, gateway, mark);
    this.#housekeeping.noteChanges();
  }

  /** Removes a route that was added; false when there was none. */
  removeRoute(prefix: string, mark = 0): boolean {
    const removed = this.#underlay.removeRoute(prefix, mark);
    this.#housekeeping.noteChanges();
    return removed;
  }

  /** Sets an entry of the tunnel neighbour table. */
  setNeighbour(bridge: string, ip: string, mac: string): void {
    this.#underlay.setNeighbour(bridge, ip, mac);
    this.#housekeeping.noteChanges();
  }

  get router(): Router {
    return this.#underlay.router;
  }

  get neighbours(): NeighbourTable {
    return this.#underlay.neighbours;
  }

  /** Headers that are terminated. */
  get listeners(): ListenerTable {
    return this.#underlay.listeners;
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
    const translation = translate(this.#world, port, this.#withTunnelPorts(packet, key), { sideEffects: true });
    this.#applyEffects(translation, key, packet.length);
    this.#housekeeping.noteChanges();
    const { mask, actions, installed, recirculations } = translation;
    // Packets that go round find their state for a while, whether there is a flow or not.
    this.#housekeeping.holdLoose(recirculations);
    return {
      mask,
      actions,
      install: this.#revalidator.wasDeleted(key) ? null : installed === actions ? undefined : installed,
      installed: (flow) => {
        this.#housekeeping.letGo(recirculations);
        this.#revalidator.track(flow, key, sequence, translation);
        this.#events.emit('flow-installed', () => ({
          flow,
          key: key.slice(),
          mask: mask.slice(),
          actions: this.datapath.flowActionsText(flow),
        }));
      },
    };
  }

  /**
   * The key with the transport ports of the packet's tunnel, which short keys have no room for: what is translated again has them, and
   * where a packet goes round, or to a controller, they are part of its state.
   */
  #withTunnelPorts(packet: Packet, key: FlowWords): FlowWords {
    if ((key[GROUPS_WORD] & (Group.tunnel | Group.tunnelWide)) !== Group.tunnel) return key;
    const full = key.slice();
    full[TUNNEL_PORTS_WORD] = this.datapath.pool.tunnel[packet.handle * TUNNEL_WORDS + TunnelWord.ports];
    return full;
  }

  /**
   * What is done with a packet of a flow that is left to the slow path. The flow has counted it, and a sweep will tell whom that
   * concerns; what tables learn from it they learn now.
   */
  #slowPath(key: FlowWords): readonly Action[] | null {
    const port = this.#portFor(key);
    if (!port) return null;
    const { actions, recirculations } = translate(this.#world, port, key, { sideEffects: true });
    this.#housekeeping.noteChanges();
    this.#housekeeping.holdLoose(recirculations);
    return actions;
  }

  /** Does for a packet what its translation does beside forwarding. */
  #applyEffects({ effects }: Translation, key: FlowWords, bytes: number): void {
    const source = getField(key, 'ethSrc');
    applyEffects(this.neighbours, effects, { packets: 1, bytes, source, nowMs: this.clock.now() });
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
    if (!hasTunnel(key)) return this.#byDatapathPort[number];
    // Ports take frames. What else VXLAN-GPE may carry finds none.
    if (getField(key, 'packetType') !== 0) return undefined;
    return this.#underlay.tunnels.find(number, {
      key: getField(key, 'tunIdHigh') * 0x1_0000_0000 + getField(key, 'tunId'),
      source: tunnelAddress(key, 'source'),
      destination: tunnelAddress(key, 'destination'),
    })?.owner;
  }

  /** A frame of the switch's own, such as a request for a neighbour. */
  #sendFrom(port: SwitchPort, frame: Uint8Array, depth: number): void {
    const key = this.datapath.keyOf(frame, Math.max(0, port.datapathPort));
    if (!key) return;
    const translation = translate(this.#world, port, key, { sideEffects: true, depth });
    this.#applyEffects(translation, key, frame.length);
    this.datapath.execute(frame, translation.actions, Math.max(0, port.datapathPort));
    this.#recirculations.release(translation.recirculations);
    this.#housekeeping.noteChanges();
  }

  /** What would become of a packet with this key: nothing is learned, sent or installed. `key` need not be sealed. */
  translate(key: FlowWords): (Translation & FinalFlow) | undefined {
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
  ): Translation & FinalFlow {
    const world = forReal ? this.#world : { ...this.#world, sendFrom: () => undefined };
    const sideEffects = forReal && options.traceOf === 'packet';
    const final = { flow: new Int32Array(FLOW_WORDS), wildcards: new Int32Array(FLOW_WORDS) };
    const translation = translate(world, origin, flow, { sideEffects, final, ...options });
    this.#recirculations.release(translation.recirculations);
    if (forReal) this.#housekeeping.noteChanges();
    return { ...translation, ...final };
  }

  // ---- housekeeping ------------------------------------------------------------------------------------------------------

  /**
   * Ages tables and sweeps flows now, as far as it is due. As in Open vSwitch a sweep begins 5 ms after the one before at the earliest,
   * whatever has changed; the clock's next turn then does it.
   */
  run(): void {
    this.#assertOpen();
    this.#housekeeping.run();
  }

  /** Does at once what has become due, and what follows from it, until all flows are right for the tables as they are. */
  settle(): void {
    this.#assertOpen();
    this.#housekeeping.settle();
  }

  /**
   * Sweeps all flows now, whether it is due or not, and does what follows from it: tables then know of all packets so far
   * (`ovs-appctl revalidator/wait`).
   */
  revalidate(): void {
    this.#assertOpen();
    this.#housekeeping.sweep();
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
    this.#housekeeping.close();
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
