/**
 * Translation: from the key of a packet to what the datapath is to do with it and with those like it. Nothing is kept between two
 * translations but what tables learn; what was looked at on the way becomes the mask of the megaflow.
 */
import type { Action } from '../action/types.js';
import { FLOW_WORDS, FRAG_LATER, KEY_WORDS, TunnelFlags, VLAN_PRESENT, getField, setExact, setField, type FlowWords } from '../flow/fields.js';
import { flowFromKey, type Context, type Effect, type Reporter, type World } from './context.js';
import { isMirrorOutput, type SwitchPort } from './model.js';
import { remoteAddress, tunnelAddress } from './native-tunnel.js';
import { runTables } from './pipeline.js';

export interface Translation {
  readonly actions: Action[];
  /** `KEY_WORDS` words. */
  readonly mask: FlowWords;
  readonly effects: Effect[];
  /** Why nothing but a drop came of it. */
  readonly error: string | undefined;
  /** The flow at the end. */
  readonly flow: FlowWords;
}

export interface TranslateOptions {
  /** Whether tables learn from the packet. */
  sideEffects: boolean;
  depth?: number;
  reporter?: Reporter;
}

const CE = 3;

/** Translates a packet with this key (and no other: the mask says which ones it speaks for) that came in on `port`. */
export function translate(world: World, port: SwitchPort, key: FlowWords, options: TranslateOptions): Translation {
  const flow = flowFromKey(key);
  const wildcards = new Int32Array(FLOW_WORDS);
  const tunnelled = hasTunnel(flow);
  setField(flow, 'ofInPort', port.ofPort);
  const base = flow.slice();
  // The datapath sends no tunnel metadata unless it is told to.
  base.fill(0, 12, 30);
  const ctx: Context = {
    world,
    bridge: port.bridge,
    flow,
    base,
    wildcards,
    actions: [],
    inPort: port,
    arrivedAt: remoteAddress(flow),
    sideEffects: options.sideEffects,
    effects: [],
    depth: options.depth ?? 0,
    resubmits: 0,
    table: 0,
    exit: false,
    mirrors: 0,
    error: undefined,
    reporter: options.reporter,
  };
  const effects = ctx.effects!;
  effects.push({ type: 'received', port });
  lookAlways(flow, wildcards);
  if (tunnelled) lookAtTunnel(flow, wildcards);
  options.reporter?.enter(`bridge("${port.bridge.name}")`);
  if (isMirrorOutput(port.bridge, port)) {
    options.reporter?.report(`dropping packet received on port ${port.name}, which is reserved exclusively for mirroring`);
  } else if (!tunnelled || takeCongestion(ctx)) runTables(ctx, true);
  options.reporter?.leave();
  if (ctx.error !== undefined) ctx.actions.length = 0;
  unwrapLastClone(ctx.actions);
  finishMask(key, wildcards);
  return { actions: ctx.actions, mask: wildcards.slice(0, KEY_WORDS), effects, error: ctx.error, flow: ctx.flow };
}

function hasTunnel(flow: FlowWords): boolean {
  return tunnelAddress(flow, 'destination').some((byte) => byte !== 0);
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
function takeCongestion({ flow, reporter }: Context): boolean {
  if (!isIp(flow) || (getField(flow, 'tunTos') & CE) !== CE) return true;
  const tos = getField(flow, 'ipTos');
  if ((tos & CE) === 0) {
    reporter?.report('dropping tunnel packet marked ECN CE but is not ECN capable');
    return false;
  }
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

/** Clears what the packet does not have, and completes what the datapath always matches. */
function finishMask(key: FlowWords, mask: FlowWords): void {
  if (getField(key, 'packetType') !== 0) {
    setField(mask, 'ethDst', 0);
    setField(mask, 'ethSrc', 0);
  }
  const type = getField(key, 'ethType');
  const protocol = getField(key, 'ipProto');
  if ((type === 0x0800 && protocol === 1) || (type === 0x86dd && protocol === 58)) mask[7] &= 0xff00_ff00;
  if (getField(key, 'ipFrag') & FRAG_LATER) mask[7] = 0;
  if (getField(key, 'vlanTpid') === 0 && !hasPartialTag(key)) {
    setField(mask, 'vlanTpid', 0);
    setField(mask, 'vlanTci', 0);
  } else if (getField(mask, 'vlanTci') !== 0) setField(mask, 'vlanTci', getField(mask, 'vlanTci') | VLAN_PRESENT);
  if (getField(key, 'innerVlanTpid') === 0) mask[48] = 0;
  else if (getField(mask, 'innerVlanTci') !== 0) setField(mask, 'innerVlanTci', getField(mask, 'innerVlanTci') | VLAN_PRESENT);
  if (type !== 0x8847 && type !== 0x8848) mask.fill(0, 49, 52);
  if (!hasTunnel(key)) mask.fill(0, 12, 30);
  // The VLAN cannot be left open in a datapath flow.
  if (getField(mask, 'vlanTci') === 0) setField(mask, 'vlanTci', getField(key, 'vlanTci') === 0 ? 0xffff : 0x0fff | VLAN_PRESENT);
}
