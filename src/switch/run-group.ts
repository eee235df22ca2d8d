/**
 * Groups: which bucket a packet meets, and doing what the bucket says on a flow of its own (Open vSwitch's xlate_group_action).
 */
import { setField, getField } from '../flow/fields.js';
import type { GroupBucket, OpenFlowGroup } from '../openflow/group.js';
import { formatPort } from '../openflow/ports.js';
import type { OpenFlowAction } from '../openflow/types.js';
import type { Context } from './context.js';
import { finishFreezing, freeze } from './freeze.js';
import { executeActions } from './openflow-actions.js';
import { mayGoOn } from './pipeline.js';
import { bestBucket, selection } from './select-bucket.js';

/** How many groups a bucket's life may hang on, one by the other. */
const MOST_LINKS = 128;

/** Meets a group; false: there is none, and the list of actions ends. */
export function runGroup(ctx: Context, id: number, last: boolean): boolean {
  if (!mayGoOn(ctx)) return true;
  const group = ctx.bridge.groups.get(id);
  const { reporter } = ctx;
  if (!group) {
    reporter?.report(`output to nonexistent group ${id}`, 'warning');
    return false;
  }
  const { buckets } = group;
  if (group.type === 'all' || group.type === 'indirect') {
    buckets.forEach((bucket, index) => runBucket(ctx, bucket, last && index === buckets.length - 1));
    return true;
  }
  const bucket = group.type === 'ff' ? firstLive(ctx, group, 0) : selectBucket(ctx, group);
  if (bucket) {
    reporter?.report(`using bucket ${bucket.id}`);
    runBucket(ctx, bucket, last);
  } else reporter?.report('no live bucket');
  return true;
}

function runBucket(ctx: Context, bucket: GroupBucket, last: boolean): void {
  const { flow } = ctx;
  const { flows } = ctx.world;
  const { height } = flows;
  ctx.reporter?.enter('bucket', `bucket ${bucket.id}`);
  ctx.flow = flows.copy(flow);
  ctx.depth++;
  executeActions(ctx, actionSet(bucket.actions), last, true);
  ctx.depth--;
  finishFreezing(ctx);
  ctx.flow = flow;
  flows.release(height);
  ctx.exit = false;
  ctx.reporter?.leave();
}

type ActionType = OpenFlowAction['type'];
/** Each once, in this order, whatever the order of the bucket. */
const FIRST: readonly ActionType[] = ['strip_vlan', 'push_vlan', 'dec_ttl'];
const OUTPUTS: ReadonlySet<ActionType> = new Set<ActionType>(['output', 'local', 'in_port', 'normal', 'flood', 'all']);
const SETS: ReadonlySet<ActionType> = new Set<ActionType>([
  'set_field',
  'load',
  'move',
  'set_tunnel',
  'mod_dl_src',
  'mod_dl_dst',
  'mod_vlan_vid',
  'mod_vlan_pcp',
  'mod_nw_src',
  'mod_nw_dst',
  'mod_nw_tos',
  'mod_nw_ecn',
  'mod_nw_ttl',
  'mod_tp_src',
  'mod_tp_dst',
]);

/** What decides where a packet goes, by rank; 0: an action does not. */
function finalRank(action: OpenFlowAction): number {
  if (action.type === 'group') return 3;
  if (
    OUTPUTS.has(action.type) ||
    (action.type === 'controller' && action.reason === 'action' && action.id === 0 && !action.userdata)
  )
    return 2;
  return action.type === 'resubmit' ? 1 : 0;
}

/**
 * A bucket holds an action set (OpenFlow 1.5, section 5.6): its order is fixed, of each kind the last counts, one action decides where the
 * packet goes, and without that one nothing is done.
 */
export function actionSet(actions: readonly OpenFlowAction[]): OpenFlowAction[] {
  let final: OpenFlowAction | undefined;
  for (const action of actions)
    if (finalRank(action) !== 0 && (!final || finalRank(action) >= finalRank(final))) final = action;
  if (!final) return [];
  const first = FIRST.flatMap((type) => actions.filter((action) => action.type === type).slice(-1));
  return [...first, ...actions.filter((action) => SETS.has(action.type)), final];
}

/** Ports of ours are always up: to be there is to be alive. */
function isLive(ctx: Context, { watchPort, watchGroup }: GroupBucket, links: number): boolean {
  if (links >= MOST_LINKS) {
    ctx.reporter?.report(`bucket chaining exceeded ${MOST_LINKS} links`, 'error');
    return false;
  }
  if (watchPort === undefined && watchGroup === undefined) return true;
  if (watchPort !== undefined && ctx.bridge.byOfPort.has(watchPort)) return true;
  const watched = watchGroup === undefined ? undefined : ctx.bridge.groups.get(watchGroup);
  return watched !== undefined && firstLive(ctx, watched, links + 1) !== undefined;
}

function reportDead(ctx: Context, { id, watchPort, watchGroup }: GroupBucket): void {
  const reasons: string[] = [];
  if (watchPort !== undefined) reasons.push(`port ${formatPort(watchPort)}`);
  // A group is called a port, there as here.
  if (watchGroup !== undefined) reasons.push(`port ${watchGroup}`);
  ctx.reporter?.report(`bucket ${id}: not live due to ${reasons.join(' and ')}`);
}

function firstLive(ctx: Context, group: OpenFlowGroup, links: number): GroupBucket | undefined {
  for (const bucket of group.buckets) {
    if (isLive(ctx, bucket, links)) return bucket;
    reportDead(ctx, bucket);
  }
  return undefined;
}

function selectBucket(ctx: Context, group: OpenFlowGroup): GroupBucket | undefined {
  const { flow, wildcards } = ctx;
  const way = selection(group);
  if (way.method !== 'dp_hash') {
    return bestBucket(
      ctx,
      group,
      way.method,
      (bucket) => isLive(ctx, bucket, 0),
      (bucket) => reportDead(ctx, bucket),
    );
  }
  const hash = getField(flow, 'dpHash');
  if (hash === 0) {
    freeze(ctx, { type: 'hash', algorithm: way.algorithm, basis: way.basis });
    return undefined;
  }
  const slots = way.buckets.length;
  setField(wildcards, 'dpHash', (getField(wildcards, 'dpHash') | (slots - 1)) >>> 0);
  for (let step = 0; step < slots; step++) {
    const bucket = way.buckets[(hash + step) & (slots - 1)];
    if (isLive(ctx, bucket, 0)) return bucket;
  }
  return undefined;
}
