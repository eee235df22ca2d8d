/**
 * OpenFlow actions, done to the flow of a translation (Open vSwitch's do_xlate_actions). What writes fields is in `set-field.ts`, groups
 * are in `run-group.ts`.
 */
import { getField, setExact, setField } from '../flow/fields.js';
import { learnedRule } from '../openflow/learn.js';
import { formatOpenFlowActions } from '../openflow/action-format.js';
import { formatMatch } from '../openflow/match-format.js';
import { OpenFlowPort, formatPort } from '../openflow/ports.js';
import { maskSubfield, readSubfield } from '../openflow/subfield.js';
import type { ControllerAction, LearnAction } from '../openflow/types.js';
import type { Action } from '../action/types.js';
import { commit } from './commit.js';
import { inputPort, type Context } from './context.js';
import { sendToController } from './controller.js';
import { floodOrder } from './flood-order.js';
import { finishFreezing, formatFrozenAction, freeze, keepActions, type FrozenAction } from './freeze.js';
import { normal } from './normal.js';
import { output } from './output.js';
import { lookupTable } from './pipeline.js';
import { runGroup } from './run-group.js';
import {
  isIp,
  lookAtProtocol,
  move,
  popTag,
  pushTag,
  reportSubfield,
  write,
  writePart,
  writePort,
  writeTag,
  writeTos,
} from './set-field.js';

/**
 * Does actions in order, until one ends everything. `last`: nothing is done with the packet afterwards. `inBucket`: they are the actions
 * of a group's bucket.
 */
export function executeActions(ctx: Context, actions: readonly FrozenAction[], last: boolean, inBucket = false): void {
  if (actions.length === 0) ctx.reporter?.report('drop', 'action');
  for (let index = 0; index < actions.length && ctx.error === undefined; index++) {
    if (ctx.exit) {
      if (ctx.freeze) keepActions(ctx, actions, index);
      return;
    }
    const action = actions[index];
    if (ctx.reporter && action.type !== 'unroll')
      ctx.reporter.report(formatFrozenAction(action, ctx.reporter.ports), 'action');
    if (!execute(ctx, action, last && index === actions.length - 1, inBucket)) return;
    // What a table that an action led to has left to do comes before what is left here.
    if (ctx.freeze && ctx.frozenActions.length === 0 && action.type !== 'resubmit' && action.type !== 'goto_table') {
      keepActions(ctx, actions, ctx.freeze.type === 'pause' ? index + 1 : index);
      return;
    }
  }
}

/** Does one action; false: the list it is in ends. */
function execute(ctx: Context, action: FrozenAction, last: boolean, inBucket: boolean): boolean {
  const { flow, wildcards } = ctx;
  switch (action.type) {
    case 'normal':
      normal(ctx);
      return true;
    case 'flood':
    case 'all':
      floodPorts(ctx, last);
      return true;
    case 'local':
      outputNumber(ctx, OpenFlowPort.local, last, inBucket);
      return true;
    case 'in_port':
      outputNumber(ctx, OpenFlowPort.inPort, last, inBucket);
      return true;
    case 'output':
      outputNumber(ctx, action.port, last, inBucket);
      return true;
    case 'output_field': {
      const port = readSubfield(flow, action.source);
      if (port > 0xffffn) {
        ctx.reporter?.report(`output port ${port} is out of range`, 'warning');
        return true;
      }
      ctx.reporter?.report(`output port is ${port}`);
      maskSubfield(wildcards, action.source);
      outputNumber(ctx, Number(port), last, inBucket);
      return true;
    }
    case 'output_truncated':
      outputTruncated(ctx, action.port, action.maxLength, last);
      return true;
    case 'controller':
      if (action.pause) freeze(ctx, { type: 'pause', controller: action });
      else sendToController(ctx, action, inBucket && isOutput(action) ? 'group' : action.reason);
      return true;
    case 'resubmit': {
      const inPort =
        action.port === null || action.port === OpenFlowPort.inPort ? getField(flow, 'ofInPort') : action.port;
      lookupTable(ctx, action.table ?? ctx.table, inPort, last);
      return true;
    }
    case 'goto_table':
      lookupTable(ctx, action.table, getField(flow, 'ofInPort'), last);
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
      if (getField(flow, 'ethType') === 0x0800) {
        lookAtProtocol(ctx);
        write(ctx, 'ipv4Src', action.ip);
      }
      return true;
    case 'mod_nw_dst':
      if (getField(flow, 'ethType') === 0x0800) {
        lookAtProtocol(ctx);
        write(ctx, 'ipv4Dst', action.ip);
      }
      return true;
    case 'mod_nw_tos':
      writeTos(ctx, 0xfc, action.tos);
      return true;
    case 'mod_nw_ecn':
      writeTos(ctx, 0x03, action.ecn);
      return true;
    case 'mod_nw_ttl':
      if (isIp(ctx)) {
        lookAtProtocol(ctx);
        write(ctx, 'ipTtl', action.ttl);
      }
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
      cloneActions(ctx, action.actions, last);
      return true;
    case 'note':
      return true;
    case 'exit':
      ctx.exit = true;
      return true;
    case 'unroll':
      ctx.table = action.table;
      ctx.cookie = action.cookie;
      ctx.reporter?.report(
        `restored state: table=${action.table}, cookie=${action.cookie === 0n ? '0' : `0x${action.cookie.toString(16)}`}`,
        'action',
      );
      return true;
  }
}

const WHOLE_PACKET: Pick<ControllerAction, 'maxLength' | 'id'> = { maxLength: 0xffff, id: 0 };

/** Whether a controller action says no more than an output to the controller. */
function isOutput({ reason, id, userdata, meterId }: ControllerAction): boolean {
  return reason === 'action' && id === 0 && userdata === undefined && meterId === undefined;
}

/** Outputs to a port by its number, which may be a reserved one. */
function outputNumber(ctx: Context, number: number, last: boolean, inBucket: boolean, maxLength = 0): void {
  switch (number) {
    case OpenFlowPort.inPort:
      outputPort(ctx, getField(ctx.flow, 'ofInPort'), last, maxLength);
      return;
    case OpenFlowPort.table:
      lookupTable(ctx, 0, getField(ctx.flow, 'ofInPort'), false);
      return;
    case OpenFlowPort.normal:
      normal(ctx);
      return;
    case OpenFlowPort.flood:
    case OpenFlowPort.all:
      floodPorts(ctx, last);
      return;
    case OpenFlowPort.controller:
      sendToController(ctx, WHOLE_PACKET, inBucket ? 'group' : 'action');
      return;
    case OpenFlowPort.none:
      return;
    default:
      if (number === getField(ctx.flow, 'ofInPort')) ctx.reporter?.report('skipping output to input port', 'warning');
      else outputPort(ctx, number, last, maxLength);
  }
}

function outputPort(ctx: Context, number: number, last: boolean, maxLength = 0): void {
  const port = ctx.bridge.byOfPort.get(number);
  if (port) output(ctx, port, last, maxLength);
  else ctx.reporter?.report('Nonexistent output port', 'warning');
}

const NO_CUT: ReadonlySet<number> = new Set([
  OpenFlowPort.table,
  OpenFlowPort.normal,
  OpenFlowPort.flood,
  OpenFlowPort.all,
  OpenFlowPort.controller,
  OpenFlowPort.none,
]);

function outputTruncated(ctx: Context, number: number, maxLength: number, last: boolean): void {
  const { reporter } = ctx;
  if (NO_CUT.has(number)) {
    reporter?.report(`output_trunc does not support port: ${formatPort(number)}`, 'warning');
    return;
  }
  if (number === getField(ctx.flow, 'ofInPort')) {
    reporter?.report('skipping output to input port', 'warning');
    return;
  }
  const port = ctx.bridge.byOfPort.get(number);
  if (!port || port.type === 'patch') {
    reporter?.report(`output_trunc does not support patch port ${formatPort(number)}`, 'error');
    return;
  }
  ctx.actions.push({ type: 'trunc', maxLength });
  output(ctx, port, last, maxLength);
}

/** FLOOD and ALL: no port of ours refuses to be flooded, so that they are one. */
function floodPorts(ctx: Context, last: boolean): void {
  const from = inputPort(ctx);
  const ports = floodOrder(ctx.bridge.ports).filter((port) => port !== from);
  ports.forEach((port, index) => output(ctx, port, last && index === ports.length - 1));
}

function decrementTtl(ctx: Context, controllers: readonly number[]): boolean {
  // Even of what is not IP, as Open vSwitch 3.1 does.
  setExact(ctx.wildcards, 'ipTtl');
  lookAtProtocol(ctx);
  if (!isIp(ctx)) return true;
  const ttl = getField(ctx.flow, 'ipTtl');
  if (ttl > 1) {
    setField(ctx.flow, 'ipTtl', ttl - 1);
    return true;
  }
  for (const id of controllers) sendToController(ctx, { maxLength: 0xffff, id }, 'invalid_ttl');
  ctx.reporter?.report(`IPv${getField(ctx.flow, 'ethType') === 0x0800 ? 4 : 6} decrement TTL exception`, 'warning');
  return false;
}

function learn(ctx: Context, action: LearnAction): void {
  const { flow, wildcards, reporter } = ctx;
  for (const spec of action.specs) if (typeof spec.source !== 'bigint') maskSubfield(wildcards, spec.source);
  if (!ctx.effects && !ctx.sideEffects && !ctx.imagined) {
    reporter?.report('suppressing side effects, so learn action ignored', 'warning');
    return;
  }
  reporter?.report(describeLearned(ctx, action));
  const { tables } = ctx.bridge;
  const finish = ctx.sideEffects ? tables.learnLater(action, flow, ctx.world.nowMs()) : undefined;
  if (finish) ctx.learnings.push(finish);
  const learned = !ctx.sideEffects || finish !== undefined;
  // What comes of a limit depends on more than the flow: it is asked anew with the next packet.
  if (!ctx.sideEffects && action.limit !== 0 && !tables.hasLearned(action, flow)) ctx.avoidsCaching = true;
  if (action.result) {
    writePart(ctx, action.result, learned ? 1n : 0n);
    reportSubfield(ctx, action.result);
  }
  if (learned) ctx.effects?.push({ type: 'learn-rule', tables, action, flow: flow.slice() });
  else reporter?.report('Limit exceeded, learn failed');
}

/** The rule that is learned, as a trace shows it. */
function describeLearned(ctx: Context, action: LearnAction): string {
  const { table, match, priority, cookie, idleTimeout, hardTimeout, actions } = learnedRule(action, ctx.flow);
  const items = [`table=${table}`];
  const matchText = formatMatch(match);
  if (matchText !== '') items.push(matchText);
  items.push(`priority=${priority}`);
  if (cookie !== 0n) items.push(`cookie=0x${cookie.toString(16)}`);
  if (idleTimeout !== 0) items.push(`idle=${idleTimeout}`);
  if (hardTimeout !== 0) items.push(`hard=${hardTimeout}`);
  if (action.sendFlowRemoved) items.push('send_flow_rem');
  return `${items.join(' ')} actions=${formatOpenFlowActions(actions)}`;
}

/**
 * Runs a list on a flow of its own: what it did to the flow is undone, and the packet follows at the next output. Only what cannot be
 * undone, the cutting of a packet, is done to a copy.
 */
export function cloneActions(ctx: Context, actions: readonly FrozenAction[], last: boolean): void {
  const { flow } = ctx;
  const { flows } = ctx.world;
  const { height } = flows;
  ctx.flow = flows.copy(flow);
  if (last || !actions.some((action) => action.type === 'output_truncated')) {
    executeActions(ctx, actions, last);
    finishFreezing(ctx);
  } else {
    ctx.flow = flow;
    commit(ctx);
    const { base, actions: outer } = ctx;
    ctx.flow = flows.copy(flow);
    ctx.base = flows.copy(base);
    const inner: Action[] = [];
    ctx.actions = inner;
    executeActions(ctx, actions, true);
    finishFreezing(ctx);
    ctx.actions = outer;
    ctx.base = base;
    if (inner.length !== 0) outer.push({ type: 'clone', actions: inner });
  }
  ctx.flow = flow;
  flows.release(height);
}
