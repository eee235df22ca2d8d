/**
 * Packets for a controller: `userspace` with a cookie that says what the packet is for. No controller is connected to this switch; the
 * datapath hands the packet to its `userspace` handler.
 */
import { COOKIE_LENGTH } from '../action/userspace-text.js';
import type { OpenFlowRule } from '../openflow/table.js';
import type { ControllerAction, ControllerReason } from '../openflow/types.js';
import { commit } from './commit.js';
import type { Context } from './context.js';
import { currentState } from './freeze.js';

/** Open vSwitch's numbers. The last is that of an output to the controller in a rule for what no other rule matches. */
const REASONS: Readonly<Record<ControllerReason | 'explicit_miss', number>> = {
  no_match: 0,
  action: 1,
  invalid_ttl: 2,
  action_set: 3,
  group: 4,
  packet_out: 5,
  explicit_miss: 6,
};

const NO_PORT = 0xffff;

/** Whether a rule is the one that a table has for all packets that no other matches. */
function isMissRule({ priority, mask }: OpenFlowRule): boolean {
  return priority === 0 && mask.every((bits) => bits === 0);
}

/** A copy of the packet as it is now. */
export function sendToController(
  ctx: Context,
  action: Pick<ControllerAction, 'maxLength' | 'id' | 'userdata'>,
  reason: ControllerReason,
): void {
  commit(ctx);
  const id = ctx.world.recirculations.acquire(currentState(ctx, ctx.table, [], action.userdata));
  ctx.recirculations.push(id);
  putController(
    ctx,
    action,
    reason === 'action' && ctx.rule && isMissRule(ctx.rule) ? 'explicit_miss' : reason,
    id,
    false,
  );
}

/** Emits the action. `recirculation` is the number under which the controller may say that the packet goes on. */
export function putController(
  ctx: Context,
  action: Pick<ControllerAction, 'maxLength' | 'id'>,
  reason: keyof typeof REASONS,
  recirculation: number,
  isPaused: boolean,
): void {
  const userdata = new Uint8Array(COOKIE_LENGTH);
  const view = new DataView(userdata.buffer);
  view.setUint16(0, 5, true);
  view.setUint32(4, NO_PORT, true);
  // What is only traced is not sent.
  const isSent = ctx.sideEffects || ctx.imagined || ctx.effects !== undefined;
  view.setUint8(24, isSent ? 0 : 1);
  view.setUint8(25, isPaused ? 1 : 0);
  view.setUint16(26, REASONS[reason], true);
  view.setUint32(28, recirculation, true);
  view.setBigUint64(32, ctx.cookie);
  view.setUint16(40, action.id, true);
  view.setUint16(42, action.maxLength, true);
  ctx.actions.push({ type: 'userspace', pid: 0, userdata });
}
