/**
 * What a translation carries along: the flow as it has become, the flow as the datapath's packet is at this point, the wildcards, and
 * the actions so far. `translate.ts` makes one for each packet or flow that is translated; the other files of this folder work on it.
 */
import type { Action } from '../action/types.js';
import { FLOW_WORDS, KEY_WORDS, type FlowWords } from '../flow/fields.js';
import type { Bridge, SwitchPort } from './model.js';
import type { FlowTables, OpenFlowRule } from '../openflow/table.js';
import type { LearnAction } from '../openflow/types.js';
import type { NeighbourTable } from '../tunnel/neighbours.js';
import type { Router } from '../tunnel/router.js';
import type { ListenerTable } from '../tunnel/listeners.js';

/** What a flow does beside forwarding, each time packets of it have been counted. */
export type Effect =
  | { readonly type: 'learn'; readonly bridge: Bridge; readonly port: SwitchPort; readonly mac: number; readonly vlan: number; readonly gratuitousArp: boolean }
  | { readonly type: 'neighbour'; readonly bridge: string; readonly ip: Uint8Array }
  | { readonly type: 'rule'; readonly tables: FlowTables; readonly rule: OpenFlowRule }
  | { readonly type: 'learn-rule'; readonly tables: FlowTables; readonly action: LearnAction; readonly flow: FlowWords }
  | { readonly type: 'received'; readonly port: SwitchPort }
  | { readonly type: 'sent'; readonly port: SwitchPort };

/** The switch, as far as translation needs it. */
export interface World {
  readonly bridges: ReadonlyMap<string, Bridge>;
  readonly nativeTunnels: boolean;
  readonly router: Router;
  readonly neighbours: NeighbourTable;
  readonly listeners: ListenerTable;
  /** Addresses (4 or 16 bytes, with prefix length) of the device with that name. */
  /** Time on the switch's clock. */
  nowMs(): number;
  addressesOf(device: string): readonly { readonly ip: Uint8Array; readonly prefixLength: number }[];
  findBridgePort(name: string): SwitchPort | undefined;
  /** Sends a frame of the switch's own into a bridge, as if it had come in on `port`; `depth` as in the translation that needs it. */
  sendFrom(port: SwitchPort, frame: Uint8Array, depth: number): void;
}

/** Receives the steps of a translation: what `trace` shows. */
export interface Reporter {
  /** One decision, in Open vSwitch's words where it has any. */
  report(text: string): void;
  /** A table was looked up: the rule that matched, as text, or none. */
  table(number: number, rule: string | undefined): void;
  /** An action of that rule is done. */
  action(text: string): void;
  /** A bridge is entered, and left with `leave`. */
  enter(title: string): void;
  leave(): void;
}

/** Levels of bridges and tables that a translation may go through (Open vSwitch's MAX_DEPTH). */
export const MAX_DEPTH = 64;
/** Bridges and tables that one translation may enter in all (Open vSwitch's MAX_RESUBMITS). */
export const MAX_RESUBMITS = MAX_DEPTH * MAX_DEPTH;

export interface Context {
  readonly world: World;
  bridge: Bridge;
  /** The packet as tables see it, `FLOW_WORDS` words. */
  flow: FlowWords;
  /** The packet as the datapath has it after the actions so far. */
  base: FlowWords;
  /** What was looked at. */
  wildcards: FlowWords;
  actions: Action[];
  /** The port the packet is on, in the bridge that it is in. */
  inPort: SwitchPort | undefined;
  /** Destination of the tunnel it came through, `::` for none: it is not sent there again. */
  arrivedAt: string;
  /** Whether tables may learn from this packet: false for revalidation and for what happens behind a tunnel header. */
  sideEffects: boolean;
  /** Effects to repeat with the flow's statistics; undefined: not collected. */
  effects: Effect[] | undefined;
  depth: number;
  /** How many bridges and tables were entered so far. */
  resubmits: number;
  /** The table whose rule is being executed. */
  table: number;
  /** `exit` was met: nothing more is done. */
  exit: boolean;
  /** Bits of the mirrors that the packet has gone to. */
  mirrors: number;
  /** Why the translation failed, if it did: the packet is then dropped. */
  error: string | undefined;
  readonly reporter: Reporter | undefined;
}

/** A flow in translation from the key of a packet. */
export function flowFromKey(key: FlowWords): FlowWords {
  const flow = new Int32Array(FLOW_WORDS);
  flow.set(key.length > KEY_WORDS ? key.subarray(0, KEY_WORDS) : key);
  return flow;
}
