/**
 * OpenFlow actions, done to the flow of a translation (Open vSwitch's do_xlate_actions). A field is written only where the packet has it,
 * and what is written counts as looked at; the packet itself follows when something is output (`commit.ts`).
 */
import { COOKIE_LENGTH } from '../action/userspace-text.js';
import { FRAG_LATER, VLAN_PRESENT, getField, setExact, setField, type FieldName } from '../flow/fields.js';
import { formatOpenFlowAction } from '../openflow/action-format.js';
import { OpenFlowPort } from '../openflow/ports.js';
import { hasPrerequisites, maskSubfield, readSubfield, wholeField, writeSubfield, type Subfield } from '../openflow/subfield.js';
import type { ControllerReason, LearnAction, OpenFlowAction } from '../openflow/types.js';
import { hashKey } from '../flow/hash-key.js';
import { commit } from './commit.js';
import { MAX_DEPTH, type Context } from './context.js';
import { isMirrorOutput, type SwitchPort } from './model.js';
import { normal } from './normal.js';
import { output } from './output.js';
import { lookupTable } from './pipeline.js';

/** Does actions in order, until one ends everything. `last`: nothing is done with the packet afterwards. */
export function executeActions(ctx: Context, actions: readonly OpenFlowAction[], last: boolean): void {
  for (let index = 0; index < actions.length && !ctx.exit && ctx.error === undefined; index++) {
    const action = actions[index];
    ctx.reporter?.action(formatOpenFlowAction(action));
    if (!execute(ctx, action, last && index === actions.length - 1)) return;
  }
}

/** Does one action; false: the list it is in ends. */
function execute(ctx: Context, action: OpenFlowAction, last: boolean): boolean {
  const { flow, wildcards } = ctx;
  switch (action.type) {
    case 'normal':
      normal(ctx);
      return true;
    case 'flood':
    case 'all':
      floodPorts(ctx);
      return true;
    case 'local':
      outputNumber(ctx, OpenFlowPort.local, last);
      return true;
    case 'in_port':
      if (ctx.inPort) output(ctx, ctx.inPort, last);
      return true;
    case 'output':
      outputNumber(ctx, action.port, last);
      return true;
    case 'output_field': {
      maskSubfield(wildcards, action.source);
      outputNumber(ctx, Number(readSubfield(flow, action.source) & 0xffffn), last);
      return true;
    }
    case 'output_truncated': {
      const port = action.port === OpenFlowPort.inPort ? ctx.inPort : ctx.bridge.byOfPort.get(action.port);
      if (!port || (port === ctx.inPort && action.port !== OpenFlowPort.inPort)) ctx.reporter?.report('skipping output to input port');
      else output(ctx, port, last, action.maxLength);
      return true;
    }
    case 'controller':
      sendToController(ctx, action.maxLength, action.reason, action.id);
      return true;
    case 'resubmit': {
      const inPort = action.port === null || action.port === OpenFlowPort.inPort ? undefined : action.port;
      lookupTable(ctx, action.table ?? ctx.table, inPort, last);
      return true;
    }
    case 'goto_table':
      lookupTable(ctx, action.table, undefined, last);
      return true;
    case 'set_field':
      writePart(ctx, { field: action.field, offset: 0, bits: action.field.bits }, action.value, action.mask);
      return true;
    case 'load':
      writePart(ctx, action.target, action.value);
      return true;
    case 'move':
      move(ctx, action.source, action.target);
      return true;
    case 'mod_dl_src':
      write(ctx, 'ethSrc', action.mac);
      return true;
    case 'mod_dl_dst':
      write(ctx, 'ethDst', action.mac);
      return true;
    case 'mod_vlan_vid':
      writeTag(ctx, 0x0fff, action.vid);
      return true;
    case 'mod_vlan_pcp':
      writeTag(ctx, 0xe000, action.pcp << 13);
      return true;
    case 'mod_nw_src':
      if (getField(flow, 'ethType') === 0x0800) write(ctx, 'ipv4Src', action.ip);
      return true;
    case 'mod_nw_dst':
      if (getField(flow, 'ethType') === 0x0800) write(ctx, 'ipv4Dst', action.ip);
      return true;
    case 'mod_nw_tos':
      writeTos(ctx, 0xfc, action.tos);
      return true;
    case 'mod_nw_ecn':
      writeTos(ctx, 0x03, action.ecn);
      return true;
    case 'mod_nw_ttl':
      if (isIp(ctx)) write(ctx, 'ipTtl', action.ttl);
      return true;
    case 'mod_tp_src':
      writePort(ctx, 'tpSrc', action.port);
      return true;
    case 'mod_tp_dst':
      writePort(ctx, 'tpDst', action.port);
      return true;
    case 'push_vlan':
      pushTag(ctx, action.ethType);
      return true;
    case 'strip_vlan':
      popTag(ctx);
      return true;
    case 'dec_ttl':
      return decrementTtl(ctx, action.controllers);
    case 'set_tunnel':
      setField(flow, 'tunIdHigh', Number(action.id >> 32n));
      setField(flow, 'tunId', Number(action.id & 0xffffffffn));
      return true;
    case 'learn':
      learn(ctx, action);
      return true;
    case 'group':
      return runGroup(ctx, action.id, last);
    case 'clone':
      runClone(ctx, action.actions, last);
      return true;
    case 'note':
      return true;
    case 'exit':
      ctx.exit = true;
      return false;
  }
}

function isIp({ flow }: Context): boolean {
  const type = getField(flow, 'ethType');
  return type === 0x0800 || type === 0x86dd;
}

function outputNumber(ctx: Context, number: number, last: boolean): void {
  if (number === OpenFlowPort.none) return;
  const port = ctx.bridge.byOfPort.get(number);
  if (!port) ctx.reporter?.report('Nonexistent output port');
  else if (port === ctx.inPort) ctx.reporter?.report('skipping output to input port');
  else output(ctx, port, last);
}

/** FLOOD and ALL: no port of ours refuses to be flooded, so that they are one. */
function floodPorts(ctx: Context): void {
  const isOutput = (port: SwitchPort): boolean => port !== ctx.inPort && !isMirrorOutput(ctx.bridge, port);
  for (const port of ctx.bridge.ports) if (isOutput(port)) output(ctx, port);
}

function write({ flow, wildcards }: Context, name: FieldName, value: number): void {
  setExact(wildcards, name);
  setField(flow, name, value);
}

function writeTos(ctx: Context, bits: number, value: number): void {
  if (!isIp(ctx)) return;
  setField(ctx.wildcards, 'ipTos', getField(ctx.wildcards, 'ipTos') | bits);
  setField(ctx.flow, 'ipTos', (getField(ctx.flow, 'ipTos') & ~bits) | value);
}

function writePort(ctx: Context, name: 'tpSrc' | 'tpDst', value: number): void {
  if (!isIp(ctx) || getField(ctx.flow, 'ipFrag') & FRAG_LATER) return;
  setExact(ctx.wildcards, 'ipProto');
  write(ctx, name, value);
}

/** Writes bits of the outer tag, which is there afterwards. */
function writeTag({ flow, wildcards }: Context, bits: number, value: number): void {
  setField(wildcards, 'vlanTci', getField(wildcards, 'vlanTci') | bits | VLAN_PRESENT);
  const tci = getField(flow, 'vlanTci');
  if ((tci & VLAN_PRESENT) === 0) setField(flow, 'vlanTpid', 0x8100);
  setField(flow, 'vlanTci', (tci & ~bits) | value | VLAN_PRESENT);
}

function pushTag({ flow, wildcards }: Context, tpid: number): void {
  const tci = getField(flow, 'vlanTci');
  if (tci & VLAN_PRESENT) {
    for (const name of ['vlanTci', 'vlanTpid'] as const) setExact(wildcards, name);
    if (getField(flow, 'innerVlanTci') & VLAN_PRESENT) for (const name of ['innerVlanTci', 'innerVlanTpid'] as const) setExact(wildcards, name);
  }
  setField(flow, 'innerVlanTci', tci);
  setField(flow, 'innerVlanTpid', getField(flow, 'vlanTpid'));
  setField(flow, 'vlanTpid', tpid);
  setField(flow, 'vlanTci', VLAN_PRESENT);
}

function popTag({ flow, wildcards }: Context): void {
  const inner = getField(flow, 'innerVlanTci');
  if (inner & VLAN_PRESENT) for (const name of ['innerVlanTci', 'innerVlanTpid'] as const) setExact(wildcards, name);
  setField(flow, 'vlanTci', inner);
  setField(flow, 'vlanTpid', getField(flow, 'innerVlanTpid'));
  setField(flow, 'innerVlanTci', 0);
  setField(flow, 'innerVlanTpid', 0);
}

function writePart(ctx: Context, target: Subfield, value: bigint, mask?: bigint): void {
  const { flow, wildcards, reporter } = ctx;
  if (!hasPrerequisites(target.field.needs, flow, wildcards)) {
    reporter?.report(`unmet prerequisites for ${target.field.name}, set_field ignored`);
    return;
  }
  if (mask === undefined) {
    maskSubfield(wildcards, target);
    writeSubfield(flow, target, value);
    return;
  }
  for (let bit = 0; bit < target.bits; bit++) {
    if (((mask >> BigInt(bit)) & 1n) === 0n) continue;
    const part = { field: target.field, offset: target.offset + bit, bits: 1 };
    maskSubfield(wildcards, part);
    writeSubfield(flow, part, (value >> BigInt(bit)) & 1n);
  }
}

function move({ flow, wildcards }: Context, source: Subfield, target: Subfield): void {
  maskSubfield(wildcards, wholeField(target.field));
  maskSubfield(wildcards, wholeField(source.field));
  const isThere = hasPrerequisites(target.field.needs, flow, wildcards) && hasPrerequisites(source.field.needs, flow, wildcards);
  if (isThere) writeSubfield(flow, target, readSubfield(flow, source));
}

function decrementTtl(ctx: Context, controllers: readonly number[]): boolean {
  if (!isIp(ctx)) return true;
  setExact(ctx.wildcards, 'ipTtl');
  const ttl = getField(ctx.flow, 'ipTtl');
  if (ttl > 1) {
    setField(ctx.flow, 'ipTtl', ttl - 1);
    return true;
  }
  for (const id of controllers) sendToController(ctx, 0xffff, 'invalid_ttl', id);
  ctx.reporter?.report(`IPv${getField(ctx.flow, 'ethType') === 0x0800 ? 4 : 6} decrement TTL exception`);
  return false;
}

const REASONS: Readonly<Record<ControllerReason, number>> = {
  no_match: 0,
  action: 1,
  invalid_ttl: 2,
  action_set: 3,
  group: 4,
  packet_out: 5,
};

/** A copy of the packet for a controller: `userspace` with a cookie that says what it is for. */
function sendToController(ctx: Context, maxLength: number, reason: ControllerReason, id: number): void {
  commit(ctx);
  const userdata = new Uint8Array(COOKIE_LENGTH);
  const view = new DataView(userdata.buffer);
  view.setUint16(0, 5, true);
  view.setUint32(4, getField(ctx.flow, 'ofInPort'), true);
  view.setUint16(26, REASONS[reason], true);
  view.setUint16(40, id, true);
  view.setUint16(42, maxLength, true);
  ctx.actions.push({ type: 'userspace', pid: 0, userdata });
}

function learn(ctx: Context, action: LearnAction): void {
  const { flow, wildcards } = ctx;
  for (const spec of action.specs) if (typeof spec.source !== 'bigint') maskSubfield(wildcards, spec.source);
  const { tables } = ctx.bridge;
  // What is learned is seen by the translations that follow, not by this one; only a wish to know the outcome cannot wait.
  if (action.result) writePart(ctx, action.result, !ctx.sideEffects || tables.learn(action, flow, ctx.world.nowMs()) ? 1n : 0n);
  ctx.effects?.push({ type: 'learn-rule', tables, action, flow: flow.slice() });
}

/** Runs a list on a flow of its own; what it did to the flow is undone, and its end ends nothing else. */
function runApart(ctx: Context, actions: readonly OpenFlowAction[], last: boolean): void {
  const { flow } = ctx;
  ctx.flow = flow.slice();
  ctx.depth++;
  if (ctx.depth >= MAX_DEPTH) ctx.error = `over max translation depth ${MAX_DEPTH}`;
  else executeActions(ctx, actions, last);
  ctx.depth--;
  ctx.exit = false;
  ctx.flow = flow;
}

function runClone(ctx: Context, actions: readonly OpenFlowAction[], last: boolean): void {
  runApart(ctx, actions, last);
}

function runGroup(ctx: Context, id: number, last: boolean): boolean {
  const group = ctx.bridge.groups.get(id);
  if (!group) {
    ctx.reporter?.report(`output to nonexistent group ${id}`);
    return false;
  }
  switch (group.type) {
    case 'all':
      group.buckets.forEach((bucket, index) => runApart(ctx, bucket.actions, last && index === group.buckets.length - 1));
      break;
    case 'indirect':
      if (group.buckets[0]) runApart(ctx, group.buckets[0].actions, last);
      break;
    case 'ff': {
      const live = group.buckets.find((bucket) => isLive(ctx, bucket.watchPort, bucket.watchGroup));
      if (live) runApart(ctx, live.actions, last);
      break;
    }
    case 'select': {
      const bucket = selectBucket(ctx, group.buckets);
      if (bucket) runApart(ctx, bucket.actions, last);
      break;
    }
  }
  return true;
}

/** Ports of ours are always up: to be there is to be alive. */
function isLive(ctx: Context, port: number | undefined, group: number | undefined): boolean {
  if (port === undefined && group === undefined) return true;
  return (port !== undefined && ctx.bridge.byOfPort.has(port)) || (group !== undefined && ctx.bridge.groups.get(group) !== undefined);
}

/** The bucket for a flow, by weight: the same for all packets of one conversation. */
function selectBucket<B extends { readonly weight: number }>(ctx: Context, buckets: readonly B[]): B | undefined {
  const { flow, wildcards } = ctx;
  const total = buckets.reduce((sum, bucket) => sum + bucket.weight, 0);
  if (total === 0) return undefined;
  const names: FieldName[] = isIp(ctx) ? ['ipv4Src', 'ipv4Dst', 'ipv6Src', 'ipv6Dst', 'ipProto', 'tpSrc', 'tpDst'] : ['ethSrc', 'ethDst'];
  for (const name of names) setExact(wildcards, name);
  let at = (hashKey(flow) >>> 0) % total;
  for (const bucket of buckets) {
    if (at < bucket.weight) return bucket;
    at -= bucket.weight;
  }
  return undefined;
}
