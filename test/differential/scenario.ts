// The types of a recorded scenario: what FORMAT.md beside the recordings says, as TypeScript says it. Types only.

/** What was sent, by port, in order, as hex. */
export type SentFrames = Record<string, string[]>;

export interface InterfaceConfig {
  /** `system` (the default), `vxlan`, `patch` or `internal`. */
  type?: string;
  /** OpenFlow port number. */
  ofport?: number;
  options?: Record<string, string>;
}

/** Columns of the `Port` table; null clears one in a change. */
export interface PortConfig {
  name: string;
  tag?: number | null;
  trunks?: number[] | null;
  vlanMode?: string | null;
  cvlans?: number[] | null;
  protected?: boolean;
  otherConfig?: Record<string, string>;
  interface?: InterfaceConfig;
}

/** Columns of the `Mirror` table, ports by name. */
export interface MirrorConfig {
  name: string;
  selectAll?: boolean;
  selectSrcPort?: string[];
  selectDstPort?: string[];
  selectVlan?: number[];
  outputPort?: string;
  outputVlan?: number;
}

export interface BridgeConfig {
  name: string;
  /** Of the bridge and of its LOCAL port. */
  mac: string;
  ports: PortConfig[];
  /** Flows in `ovs-ofctl` syntax; absent: one flow, NORMAL. */
  openflow?: string[];
  /** Groups in the syntax of `ovs-ofctl add-group`. */
  groups?: string[];
  otherConfig?: Record<string, string>;
  floodVlans?: number[];
  mirrors?: MirrorConfig[];
}

export interface ScenarioConfig {
  bridges: BridgeConfig[];
  addresses?: Array<{ dev: string; ip: string }>;
  routes?: Array<{ prefix: string; dev: string; gateway?: string }>;
  neighbors?: Array<{ bridge: string; ip: string; mac: string }>;
  /** False: flow-based tunnel ports, as with a kernel datapath. */
  nativeTunnels?: boolean;
}

/** One of the five changes beside `bridge`. */
export interface ConfigChange {
  bridge: string;
  addPort?: PortConfig;
  removePort?: string;
  setPort?: PortConfig;
  setInterface?: { name: string; options?: Record<string, string> };
  set?: { otherConfig?: Record<string, string> };
}

/** One of `receive`, `advance`, `appctl`, `change`; `expect` is Open vSwitch's answer. */
export interface Step {
  receive?: { port: string; frame: string };
  /** Milliseconds. */
  advance?: number;
  appctl?: string[];
  change?: ConfigChange;
  expect?: SentFrames | string;
}

export interface Scenario {
  name: string;
  /** `frames`: only frames are compared, tables hold choices. */
  compare?: 'frames';
  config: ScenarioConfig;
  steps: Step[];
  recordedFrom?: string;
}
