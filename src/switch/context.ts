/**
 * What a translation carries along: the flow as it has become, the flow as the datapath's packet is at this point, the wildcards, and
 * the actions so far. `translate.ts` makes one for each packet or flow that is translated; the other files of this folder work on it.
 */
import type { Action } from '../action/types.js';
import { getField, type FlowWords } from '../flow/fields.js';
import type { Effect } from './effects.js';
import type { FlowStack } from './flow-stack.js';
import type { Freeze, FrozenAction } from './freeze.js';
import type { MaskMemory } from './mask-memory.js';
import type { Bridge, SwitchPort } from './model.js';
import type { Recirculations } from './recirculation.js';
import type { OpenFlowRule } from '../openflow/table.js';
import type { PortNames } from '../openflow/ports.js';
import type { NeighbourTable } from '../tunnel/neighbours.js';
import type { Router } from '../tunnel/router.js';
import type { ListenerTable } from '../tunnel/listeners.js';

/** The switch, as far as translation needs it. */
export interface World {
  readonly bridges: ReadonlyMap<string, Bridge>;
  readonly nativeTunnels: boolean;
  readonly router: Router;
  readonly neighbours: NeighbourTable;
  readonly listeners: ListenerTable;
  readonly recirculations: Recirculations;
  /** Where translations take the flows from that they work on, and the masks that they come to. */
  readonly flows: FlowStack;
  readonly masks: MaskMemory;
  /** Time on the switch's clock. */
  nowMs(): number;
  /** Addresses (4 or 16 bytes, with prefix length) of the device with that name. */
  addressesOf(device: string): readonly { readonly ip: Uint8Array; readonly prefixLength: number }[];
  findBridgePort(name: string): SwitchPort | undefined;
  /** Sends a frame of the switch's own into a bridge, as if it had come in on `port`; `depth` as in the translation that needs it. */
  sendFrom(port: SwitchPort, frame: Uint8Array, depth: number): void;
}

/** A step that holds others: a bridge, the rule of a table, a bucket of a group, what is brought back after a recirculation. */
export type StepGroup = 'bridge' | 'table' | 'bucket' | 'thaw';
/** A step by itself: an action, or what it led to. */
export type StepKind = 'action' | 'detail' | 'warning' | 'error';

/** Receives the steps of a translation, in Open vSwitch's words: what `trace` shows. */
export interface Reporter {
  /** One step; `kind` is `detail` by default. */
  report(text: string, kind?: StepKind): void;
  /** The steps that follow, up to `leave`, are within this one. */
  enter(group: StepGroup, title: string): void;
  leave(): void;
  /** Names of ports, if they are to be shown: those of the bridge where the packet came in, also for other bridges, as Open vSwitch has it. */
  readonly ports?: PortNames;
}

/** Levels of bridges and tables that a translation may go through (Open vSwitch's MAX_DEPTH). */
export const MAX_DEPTH = 64;
/** Bridges and tables that one translation may enter in all (Open vSwitch's MAX_RESUBMITS). */
export const MAX_RESUBMITS = MAX_DEPTH * MAX_DEPTH;

export interface Context {
  readonly world: World;
  bridge: Bridge;
  /** The packet as tables see it, `FLOW_WORDS` words; `ofInPort` says which port of `bridge` it is on. */
  flow: FlowWords;
  /** The packet as the datapath has it after the actions so far. */
  base: FlowWords;
  /** What was looked at. */
  wildcards: FlowWords;
  actions: Action[];
  /** The port that it came in on from outside, before it went round; undefined: none that is known, or a patch port. */
  readonly origin: SwitchPort | undefined;
  /** The key of the packet: to the destination of the tunnel that it came through it is not sent again. */
  readonly arrivedAs: FlowWords;
  /** Whether tables may learn from this packet: false for revalidation and for what happens behind a tunnel header. */
  sideEffects: boolean;
  /** A packet is traced: what tables would learn from it is reported, and not done. */
  imagined: boolean;
  /** Let look-ups know of what rules have taught so far, when the translation is done. */
  readonly learnings: (() => void)[];
  /** Effects to repeat with the flow's statistics; undefined: not collected. */
  effects: Effect[] | undefined;
  depth: number;
  /** How many bridges and tables were entered so far. */
  resubmits: number;
  /** The table whose rule is being executed. */
  table: number;
  /** That rule's cookie. */
  cookie: bigint;
  /** That rule; undefined: none matched, or the packet has come round. */
  rule: OpenFlowRule | undefined;
  /** `exit` was met: nothing more is done. */
  exit: boolean;
  /** Bits of the mirrors that the packet has gone to. */
  mirrors: number;
  /** Why the translation failed, if it did: the packet is then dropped. */
  error: TranslationError | undefined;
  /** Set while the translation comes to a halt, to go on when the packet comes round again (`freeze.ts`). */
  freeze: Freeze | undefined;
  /** What is then left to do. */
  readonly frozenActions: FrozenAction[];
  /** Whether the actions so far hold one that Open vSwitch's datapath does not know. */
  isSlow: boolean;
  /** The answer is not one to keep: a flow for which it comes up again goes. */
  avoidsCaching: boolean;
  /** Recirculation ids that the actions so far refer to; each counts as one reference. */
  readonly recirculations: number[];
  readonly reporter: Reporter | undefined;
}

/** Why a translation fails, as Open vSwitch says it. */
export type TranslationError =
  | 'Recursion too deep'
  | 'Too many resubmits'
  | 'Bridge not found'
  | 'No recirculation context';

/** The port the packet is on, in the bridge that it is in; undefined: none of that number is there. */
export function inputPort({ bridge, flow }: Context): SwitchPort | undefined {
  return bridge.byOfPort.get(getField(flow, 'ofInPort'));
}
