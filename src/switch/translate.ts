/**
 * Translation: from the key of a packet to what the datapath is to do with it and with those like it. Nothing is kept between two
 * translations but what tables learn; what was looked at on the way becomes the mask of the megaflow.
 */
import { MOST_ACTION_BYTES, netlinkLength } from '../action/netlink-length.js';
import type { Action } from '../action/types.js';
import { slowPathAction } from '../action/userspace-text.js';
import {
  FRAG_LATER,
  KEY_WORDS,
  TunnelFlags,
  VLAN_PRESENT,
  getField,
  setExact,
  setField,
  type FlowWords,
} from '../flow/fields.js';
import { inputPort, type Context, type Reporter, type TranslationError, type World } from './context.js';
import type { Effect } from './effects.js';
import { finishFreezing, thaw } from './freeze.js';
import { mirrorPacket } from './mirror.js';
import { isMirrorOutput, type Bridge, type SwitchPort } from './model.js';
import { hasTunnel } from './native-tunnel.js';
import { executeActions } from './openflow-actions.js';
import { findRule } from './pipeline.js';

export interface Translation {
  /** What is done with the packet. */
  readonly actions: Action[];
  /** What the megaflow does: the same, or where Open vSwitch's datapath could not do it, `userspace(...)` for its slow path. */
  readonly installed: readonly Action[];
  /** `KEY_WORDS` words: the mask of the megaflow. Others may have the same array, and nobody writes to it. */
  readonly mask: FlowWords;
  readonly effects: Effect[];
  /** Recirculation ids that the actions refer to: the caller gives them back when it needs the actions no longer. */
  readonly recirculations: readonly number[];
  /** Whether Open vSwitch's datapath could not do the actions, so that the slow path does them for each packet. */
  readonly isSlow: boolean;
  /** Whether a flow that was installed for this goes when it is asked about again. */
  readonly avoidsCaching: boolean;
  /** Why nothing but a drop came of it. */
  readonly error: TranslationError | undefined;
}

/** What there is to show of a translation beside what comes of it: `FLOW_WORDS` words each. */
export interface FinalFlow {
  /** The flow at the end. */
  readonly flow: FlowWords;
  /** What was looked at: as `mask`, but for what the datapath adds to it. */
  readonly wildcards: FlowWords;
}

export interface TranslateOptions {
  /** Whether tables learn from the packet. */
  sideEffects: boolean;
  /** `flow`: nothing comes of it, of `packet` it is reported what tables would learn. Default: what is traced is done. */
  traceOf?: 'flow' | 'packet';
  depth?: number;
  reporter?: Reporter;
  /** Is filled in. */
  final?: FinalFlow;
}

/** Where a packet came in: a port, or a number that no port of the bridge has. */
export interface Origin {
  readonly bridge: Bridge;
  readonly ofPort: number;
}

const CE = 3;

const ATTRIBUTE_HEADER = 4;
/** Observed with 3.1.0: 1000 outputs are installed, 1001 are not. Those within clones do not count. */
const MOST_OUTPUTS = 1000;

/** Translates a packet with this key (and no other: the mask says which ones it speaks for) that came in there. */
export function translate(world: World, origin: Origin, key: FlowWords, options: TranslateOptions): Translation {
  const { flows } = world;
  const { height } = flows;
  try {
    return translateFlow(world, origin, key, flows.copy(key), options);
  } finally {
    flows.release(height);
  }
}

function translateFlow(
  world: World,
  origin: Origin,
  key: FlowWords,
  flow: FlowWords,
  options: TranslateOptions,
): Translation {
  const wildcards = world.flows.empty();
  setField(flow, 'ofInPort', origin.ofPort);
  const base = world.flows.copy(flow);
  // The datapath sends no tunnel metadata unless it is told to.
  base.fill(0, 12, 30);
  const port = origin.bridge.byOfPort.get(origin.ofPort);
  const effects: Effect[] = [];
  const ctx: Context = {
    world,
    bridge: origin.bridge,
    flow,
    base,
    wildcards,
    actions: [],
    origin: port?.type === 'patch' ? undefined : port,
    arrivedAs: key,
    sideEffects: options.sideEffects,
    learnings: [],
    imagined: options.traceOf === 'packet',
    effects: options.traceOf ? undefined : effects,
    depth: options.depth ?? 0,
    resubmits: 0,
    table: 0,
    cookie: 0xffff_ffff_ffff_ffffn,
    rule: undefined,
    exit: false,
    mirrors: 0,
    error: undefined,
    freeze: undefined,
    frozenActions: [],
    isSlow: false,
    avoidsCaching: false,
    recirculations: [],
    reporter: options.reporter,
  };
  lookAlways(flow, wildcards);
  if (hasTunnel(flow)) lookAtTunnel(flow, wildcards);
  ctx.reporter?.enter('bridge', `bridge("${origin.bridge.name}")`);
  run(ctx, port);
  ctx.reporter?.leave();
  for (const finish of ctx.learnings) finish();
  if (ctx.error !== undefined) ctx.actions.length = 0;
  unwrapLastClone(ctx.actions);
  if (ctx.error === undefined) finishWildcards(flow, key, wildcards);
  const mask = world.flows.copy(wildcards);
  if (ctx.error !== undefined) finishWildcards(flow, key, mask);
  closeVlan(mask);
  options.final?.flow.set(flow);
  options.final?.wildcards.set(wildcards);
  const isSlow = ctx.error === undefined && (ctx.isSlow || isTooMuch(ctx.actions));
  return {
    actions: ctx.actions,
    installed: isSlow ? [slowPathAction(origin.ofPort)] : ctx.actions,
    mask: world.masks.share(mask),
    effects,
    recirculations: ctx.recirculations,
    isSlow,
    avoidsCaching: ctx.avoidsCaching,
    error: ctx.error,
  };
}

/** Lists that do not fit into a netlink attribute, and those with so many outputs that Linux would not take them. */
function isTooMuch(actions: readonly Action[]): boolean {
  return (
    netlinkLength(actions) > MOST_ACTION_BYTES - ATTRIBUTE_HEADER ||
    (actions.length > MOST_OUTPUTS && actions.filter(({ type }) => type === 'output').length > MOST_OUTPUTS)
  );
}

/** From the first table, or from where the translation stopped, to the end. */
function run(ctx: Context, port: SwitchPort | undefined): void {
  const { flow, reporter, world } = ctx;
  const id = getField(flow, 'recircId');
  const frozen = id === 0 ? undefined : world.recirculations.find(id);
  if (id !== 0 && !frozen) {
    reporter?.report(`Recirculation context not found for ID ${id.toString(16)}`, 'error');
    ctx.error = 'No recirculation context';
    return;
  }
  let actions = frozen && thaw(ctx, frozen);
  if (ctx.error !== undefined) return;
  const isLookup = !actions?.length;
  if (isLookup) actions = findRule(ctx, getField(flow, 'ofInPort'))?.actions ?? [];
  if (!frozen && port) ctx.effects?.push(port.received);
  if (port && isMirrorOutput(port.bridge, port)) {
    reporter?.report(
      `dropping packet received on port ${port.name}, which is reserved exclusively for mirroring`,
      'error',
    );
  } else if (!hasTunnel(flow) || takeCongestion(flow)) {
    mirrorPacket(ctx, inputPort(ctx), 'source');
    executeActions(ctx, actions!, true);
    if (ctx.error === undefined) finishFreezing(ctx);
  }
  if (isLookup) reporter?.leave();
}

function isIp(flow: FlowWords): boolean {
  const type = getField(flow, 'ethType');
  return type === 0x0800 || type === 0x86dd;
}

function lookAlways(flow: FlowWords, wildcards: FlowWords): void {
  setExact(wildcards, 'packetType');
  setExact(wildcards, 'inPort');
  setExact(wildcards, 'ethType');
  setExact(wildcards, 'recircId');
  if (isIp(flow)) setExact(wildcards, 'ipFrag');
}

function lookAtTunnel(flow: FlowWords, wildcards: FlowWords): void {
  setExact(wildcards, 'tunId');
  setExact(wildcards, 'tunIdHigh');
  const ipv4 = getField(flow, 'tunDst') !== 0;
  setExact(wildcards, ipv4 ? 'tunSrc' : 'tunIpv6Src');
  setExact(wildcards, ipv4 ? 'tunDst' : 'tunIpv6Dst');
  setField(wildcards, 'tunFlags', TunnelFlags.dontFragment | TunnelFlags.checksum | TunnelFlags.key);
  setExact(wildcards, 'tunTos');
  if (isIp(flow) && (getField(flow, 'tunTos') & CE) === CE) setField(wildcards, 'ipTos', CE);
}

/** Congestion seen outside is carried inside (RFC 6040); false: the packet cannot say so and is dropped. */
function takeCongestion(flow: FlowWords): boolean {
  if (!isIp(flow) || (getField(flow, 'tunTos') & CE) !== CE) return true;
  const tos = getField(flow, 'ipTos');
  if ((tos & CE) === 0) return false;
  setField(flow, 'ipTos', tos | CE);
  return true;
}

/** A clone at the very end copies for nobody. */
function unwrapLastClone(actions: Action[]): void {
  const last = actions[actions.length - 1];
  if (last?.type === 'clone') actions.splice(actions.length - 1, 1, ...last.actions);
}

/** Whether a frame ends inside its tag: the TPID is then its Ethernet type, and there is no TCI. */
export function hasPartialTag(key: FlowWords): boolean {
  const type = getField(key, 'ethType');
  return (type === 0x8100 || type === 0x88a8) && (getField(key, 'vlanTci') & VLAN_PRESENT) === 0;
}

/** Clears what the packet does not have; `flow` is the packet at the end, `key` what it was. */
function finishWildcards(flow: FlowWords, key: FlowWords, mask: FlowWords): void {
  // Registers are of no concern to the datapath.
  mask.fill(0, KEY_WORDS);
  if (getField(key, 'packetType') !== 0) {
    setField(mask, 'ethDst', 0);
    setField(mask, 'ethSrc', 0);
  }
  const type = getField(flow, 'ethType');
  const protocol = getField(flow, 'ipProto');
  if ((type === 0x0800 && protocol === 1) || (type === 0x86dd && protocol === 58)) mask[7] &= 0xff00_ff00;
  if (getField(flow, 'ipFrag') & FRAG_LATER) mask[7] = 0;
  if (getField(key, 'vlanTpid') === 0) {
    setField(mask, 'vlanTpid', 0);
    setField(mask, 'vlanTci', 0);
  } else if (getField(mask, 'vlanTci') !== 0) setField(mask, 'vlanTci', getField(mask, 'vlanTci') | VLAN_PRESENT);
  if (getField(key, 'innerVlanTpid') === 0) mask[48] = 0;
  else if (getField(mask, 'innerVlanTci') !== 0)
    setField(mask, 'innerVlanTci', getField(mask, 'innerVlanTci') | VLAN_PRESENT);
  const keyType = getField(key, 'ethType');
  if (keyType !== 0x8847 && keyType !== 0x8848) mask.fill(0, 49, 52);
  if (!hasTunnel(key)) mask.fill(0, 12, 30);
}

/** The VLAN cannot be left open in a datapath flow. */
function closeVlan(mask: FlowWords): void {
  if (getField(mask, 'vlanTci') === 0) setField(mask, 'vlanTci', 0x0fff | VLAN_PRESENT);
}
