/**
 * The OpenFlow pipeline of a bridge: a packet that has come in goes to the mirrors of its port and then through the tables, beginning
 * with table 0; what the rule that matches says is done in `openflow-actions.ts`. A packet that no rule matches is dropped.
 */
import { getField, setField } from '../flow/fields.js';
import { MOST_ACTION_BYTES, netlinkLength } from '../action/netlink-length.js';
import { formatMatch } from '../openflow/match-format.js';
import type { PortNames } from '../openflow/ports.js';
import type { OpenFlowRule } from '../openflow/table.js';
import type { OpenFlowAction } from '../openflow/types.js';
import { MAX_DEPTH, MAX_RESUBMITS, type Context } from './context.js';
import { executeActions } from './openflow-actions.js';

/** What does the actions of a rule: `executeActions`, or `cloneActions`. */
type Execute = (ctx: Context, actions: readonly OpenFlowAction[], last: boolean) => void;

/** Whether the limits allow to go on to another table or group; if not, says so. */
export function mayGoOn(ctx: Context): boolean {
  if (ctx.depth >= MAX_DEPTH) {
    ctx.reporter?.report(`over max translation depth ${MAX_DEPTH}`, 'error');
    ctx.error = 'Recursion too deep';
  } else if (ctx.resubmits >= MAX_RESUBMITS) {
    ctx.reporter?.report(`over ${MAX_RESUBMITS} resubmit actions`, 'error');
    ctx.error = 'Too many resubmits';
  } else if (ctx.actions.length > MOST_ACTION_BYTES / 1024 && netlinkLength(ctx.actions) > 0xffff) {
    ctx.reporter?.report('resubmits yielded over 64 kB of actions', 'error');
    ctx.exit = true;
  } else return true;
  return false;
}

/**
 * Looks up the packet in a table, as if it had come in on the port `inPort` (an OpenFlow number), and does what the rule says. `last`:
 * nothing is done with the packet afterwards.
 */
export function lookupTable(
  ctx: Context,
  table: number,
  inPort: number,
  last: boolean,
  execute: Execute = executeActions,
): void {
  if (!mayGoOn(ctx)) return;
  const { table: outerTable, cookie, rule: outerRule } = ctx;
  ctx.table = table;
  const rule = findRule(ctx, inPort);
  const deepens = table <= outerTable ? 1 : 0;
  ctx.resubmits++;
  ctx.depth += deepens;
  execute(ctx, rule?.actions ?? [], last);
  ctx.depth -= deepens;
  ctx.reporter?.leave();
  ctx.cookie = cookie;
  ctx.rule = outerRule;
  ctx.table = outerTable;
}

/** Finds the rule of `ctx.table` and makes it the one that is executed; in a trace, what follows is within it. */
export function findRule(ctx: Context, inPort: number): OpenFlowRule | undefined {
  const { bridge, flow, table } = ctx;
  const before = getField(flow, 'ofInPort');
  setField(flow, 'ofInPort', inPort);
  const rule = bridge.tables.lookup(table, flow, ctx.wildcards);
  setField(flow, 'ofInPort', before);
  ctx.reporter?.enter(
    'table',
    `${String(table).padStart(2)}. ${rule ? describeRule(rule, ctx.reporter.ports) : 'No match.'}`,
  );
  ctx.effects?.push({ type: 'rule', tables: bridge.tables, rule: rule ?? bridge.tables.missRule });
  ctx.cookie = rule?.cookie ?? 0n;
  ctx.rule = rule;
  return rule;
}

/** What a trace says of a rule: its match, priority and cookie. */
function describeRule(rule: OpenFlowRule, ports: PortNames | undefined): string {
  const match = formatMatch(rule, ports);
  const cookie = rule.cookie === 0n ? '' : `, cookie 0x${rule.cookie.toString(16)}`;
  return `${match === '' ? '' : `${match}, `}priority ${rule.priority}${cookie}`;
}
