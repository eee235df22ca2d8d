/**
 * What a switch is made of, as translation sees it: bridges, their ports, mirrors. Configuration in (`BridgeConfig`, `PortConfig`: the
 * columns of Open vSwitch's database), state out. In Open vSwitch's terms a `SwitchPort` is bundle and port in one: there are no bonds.
 */
import type { Action } from '../action/types.js';
import type { Port } from '../io/port.js';
import type { GroupTable } from '../openflow/group.js';
import type { FlowTables } from '../openflow/table.js';
import type { TunnelConfig } from '../tunnel/options.js';
import type { TunnelPort } from '../tunnel/ports.js';
import type { Effect } from './effects.js';
import type { MacTable } from './mac-table.js';
import type { VlanColumns, VlanRules } from './vlan.js';

/** OpenFlow number of a bridge's LOCAL port. */
export const LOCAL = 65534;

export type InterfaceType = 'system' | 'internal' | 'vxlan' | 'patch';

export interface PortConfig extends VlanColumns {
  name: string;
  /** Frames are not forwarded between protected ports. */
  protected?: boolean;
  interface?: {
    /** Default `system`. */
    type?: InterfaceType;
    /** OpenFlow number, 1 to 65279; by default the lowest that is free. */
    ofport?: number;
    /** `vxlan`: see `parseTunnelOptions`; `patch`: `peer`. */
    options?: Readonly<Record<string, string>>;
  };
  /** What frames of a `system` or `internal` port come from and go to. Without it the port is for `deliver` and `receive`. */
  port?: Port;
  /** Hardware address of a `system` port, for tunnels that leave through it. */
  mac?: string;
}

export interface MirrorConfig {
  name: string;
  selectAll?: boolean;
  selectSrcPort?: readonly string[];
  selectDstPort?: readonly string[];
  selectVlan?: readonly number[];
  outputPort?: string;
  outputVlan?: number;
}

export interface BridgeConfig {
  name: string;
  /** Of the bridge and of its LOCAL port. */
  mac: string;
  ports?: readonly PortConfig[];
  /** The LOCAL port's frames; without it LOCAL is for `deliver` and `receive`. */
  local?: Port;
  /** `mac-aging-time`, `mac-table-size`, `forward-bpdu`. */
  otherConfig?: Readonly<Record<string, string>>;
  floodVlans?: readonly number[];
  mirrors?: readonly MirrorConfig[];
  /** Rules in the syntax of `ovs-ofctl add-flow`; by default there is one: priority 0, NORMAL. */
  openflow?: readonly string[];
  /** Groups in the syntax of `ovs-ofctl add-group`. */
  groups?: readonly string[];
}

export interface SwitchPort {
  readonly name: string;
  readonly bridge: Bridge;
  readonly type: InterfaceType;
  readonly ofPort: number;
  /** Datapath port; -1 for a patch port. */
  readonly datapathPort: number;
  /** 48-bit number; 0 where there is none. */
  readonly mac: number;
  config: PortConfig;
  vlan: VlanRules;
  protected: boolean;
  tunnel: TunnelPort<SwitchPort> | undefined;
  tunnelConfig: TunnelConfig | undefined;
  /** Name of the other end of a patch port. */
  peer: string | undefined;
  /** Packets and bytes as OpenFlow counts them. */
  readonly counters: { rxPackets: number; rxBytes: number; txPackets: number; txBytes: number };
  /** What translations say of a packet that comes in there or leaves, made once for all of them. */
  readonly received: Effect;
  readonly sent: Effect;
  readonly output: Action;
}

/** A port from its columns. */
export function createSwitchPort(columns: Omit<SwitchPort, 'counters' | 'received' | 'sent' | 'output'>): SwitchPort {
  const port = {
    ...columns,
    counters: { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0 },
    output: { type: 'output', port: columns.datapathPort },
  } as { -readonly [Name in keyof SwitchPort]: SwitchPort[Name] };
  port.received = { type: 'received', port };
  port.sent = { type: 'sent', port };
  return port;
}

export interface Mirror {
  readonly name: string;
  /** 1, 2, 4 …: mirrors are handled as sets of bits. */
  readonly bit: number;
  /** Bits of this and of the mirrors with the same destination. */
  duplicates: number;
  readonly selectsSource: (port: SwitchPort) => boolean;
  readonly selectsDestination: (port: SwitchPort) => boolean;
  readonly vlans: ReadonlySet<number> | undefined;
  readonly outputPort: string | undefined;
  readonly outputVlan: number | undefined;
}

export interface Bridge {
  readonly name: string;
  /** 48-bit number. */
  readonly mac: number;
  /** In the order in which frames are flooded: LOCAL, then the others as they were added. */
  readonly ports: SwitchPort[];
  readonly byOfPort: Map<number, SwitchPort>;
  readonly macTable: MacTable<SwitchPort>;
  config: BridgeConfig;
  forwardBpdu: boolean;
  mirrors: Mirror[];
  readonly tables: FlowTables;
  readonly groups: GroupTable;
}

/** The port of a bridge with a name. */
export function findPort(bridge: Bridge, name: string): SwitchPort | undefined {
  return bridge.ports.find((port) => port.name === name);
}

/** Whether a port is where some mirror sends: it takes no ordinary traffic then. */
export function isMirrorOutput(bridge: Bridge, port: SwitchPort): boolean {
  return bridge.mirrors.length !== 0 && bridge.mirrors.some((mirror) => mirror.outputPort === port.name);
}
