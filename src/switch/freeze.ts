/**
 * Stopping a translation where it needs something of the packet that only the datapath can give (the hash for a bucket of a group), or a
 * controller's word: the actions that are left are kept as a `FrozenState`, the packet goes round (`hash(...),recirc(...)`), and its next
 * translation goes on with them.
 */
import { type FlowWords } from '../flow/fields.js';
import { formatOpenFlowActions } from '../openflow/action-format.js';
import type { PortNames } from '../openflow/ports.js';
import type { ControllerAction, OpenFlowAction } from '../openflow/types.js';
import { commit } from './commit.js';
import type { Context } from './context.js';
import { putController } from './controller.js';
import { METADATA_WORDS, type FrozenState } from './recirculation.js';

/** Why the translation stops. */
export type Freeze =
  | { readonly type: 'hash'; readonly algorithm: 'l4' | 'sym_l4'; readonly basis: number }
  | { readonly type: 'pause'; readonly controller: ControllerAction };

/** What is left to do; `unroll` brings back whose rule the actions behind it are of. */
export type FrozenAction =
  | OpenFlowAction
  | { readonly type: 'unroll'; readonly table: number; readonly cookie: bigint };

/** Whether an action may tell a controller of its rule, or asks for the table it stands in. */
function needsRule(action: FrozenAction): boolean {
  switch (action.type) {
    case 'normal':
    case 'flood':
    case 'all':
    case 'local':
    case 'in_port':
    case 'output':
    case 'output_field':
    case 'output_truncated':
    case 'controller':
    case 'group':
    case 'dec_ttl':
      return true;
    case 'resubmit':
      return action.table === null;
    default:
      return false;
  }
}

/** Keeps actions, from the one with number `from` on, for later. */
export function keepActions(ctx: Context, actions: readonly FrozenAction[], from: number): void {
  const { frozenActions, table, cookie } = ctx;
  for (const action of actions.slice(from)) {
    if (action.type === 'note') continue;
    if (needsRule(action)) {
      const [last] = frozenActions.filter((kept) => kept.type === 'unroll').slice(-1);
      if (last?.table !== table || last.cookie !== cookie) frozenActions.push({ type: 'unroll', table, cookie });
    }
    frozenActions.push(action.type === 'goto_table' ? { type: 'resubmit', port: null, table: action.table } : action);
  }
}

export function freeze(ctx: Context, reason: Freeze): void {
  ctx.exit = true;
  ctx.freeze = reason;
}

/** The state that the translation is in. */
export function currentState(
  ctx: Context,
  table: number,
  actions: readonly FrozenAction[],
  userdata?: Uint8Array,
): FrozenState {
  return { bridge: ctx.bridge, table, port: ctx.origin, mirrors: ctx.mirrors, metadata: ctx.flow, actions, userdata };
}

/** Emits what sends the packet round, if the translation is frozen; it can then go on with something else. */
export function finishFreezing(ctx: Context): void {
  const reason = ctx.freeze;
  if (!reason) return;
  commit(ctx);
  const controller = reason.type === 'pause' ? reason.controller : undefined;
  const id = ctx.world.recirculations.acquire(currentState(ctx, 0, [...ctx.frozenActions], controller?.userdata));
  ctx.recirculations.push(id);
  if (reason.type === 'pause') {
    if (ctx.sideEffects || ctx.imagined || ctx.effects)
      putController(ctx, reason.controller, reason.controller.reason, id, true);
  } else {
    ctx.actions.push({ type: 'hash', algorithm: reason.algorithm, basis: reason.basis }, { type: 'recirc', id });
  }
  ctx.freeze = undefined;
  ctx.frozenActions.length = 0;
}

/** Takes up a frozen translation; undefined: its bridge is gone. */
export function thaw(ctx: Context, state: FrozenState): readonly FrozenAction[] | undefined {
  const { reporter, flow } = ctx;
  reporter?.enter('thaw', 'thaw');
  if (ctx.world.bridges.get(state.bridge.name) !== state.bridge) {
    reporter?.report('Frozen bridge no longer exists.', 'error');
    ctx.error = 'Bridge not found';
  } else {
    ctx.bridge = state.bridge;
    ctx.table = state.table;
    reporter?.report(`Resuming from table ${state.table}`, 'action');
    clearConntrack(flow);
    for (const [first, end] of METADATA_WORDS) flow.set(state.metadata.subarray(first, end), first);
    ctx.mirrors = state.mirrors;
    if (state.actions.length !== 0)
      reporter?.report(
        `Restoring actions: ${state.actions.map((action) => formatFrozenAction(action, reporter.ports)).join(',')}`,
        'action',
      );
  }
  reporter?.leave();
  return ctx.error === undefined ? state.actions : undefined;
}

export function formatFrozenAction(action: FrozenAction, ports?: PortNames): string {
  return action.type === 'unroll'
    ? `unroll_xlate(table=${action.table}, cookie=${action.cookie})`
    : formatOpenFlowActions([action], ports);
}

/** Connection tracking's verdict is of one bridge, and of one look-up. */
export function clearConntrack(flow: FlowWords): void {
  flow.fill(0, 62, 81);
}
