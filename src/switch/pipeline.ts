/**
 * The OpenFlow pipeline of a bridge: a packet that has come in goes to the mirrors of its port and then through the tables, beginning
 * with table 0; what the rule that matches says is done in `openflow-actions.ts`. A packet that no rule matches is dropped.
 */
import { getField, setField } from '../flow/fields.js';
import { formatMatch } from '../openflow/match-format.js';
import type { OpenFlowRule } from '../openflow/table.js';
import { MAX_DEPTH, MAX_RESUBMITS, type Context } from './context.js';
import { mirrorPacket } from './mirror.js';
import type { SwitchPort } from './model.js';
import { executeActions } from './openflow-actions.js';

/** A packet has come in on `ctx.inPort`. `last`: nothing is done with the packet when the tables are done. */
export function runTables(ctx: Context, last: boolean): void {
  if (ctx.inPort) mirrorPacket(ctx, ctx.inPort, 'source');
  matchTable(ctx, 0, undefined, last);
}

/** The packet goes on into the bridge of `port`, as one that came in there: this counts as a look-up that an action asks for. */
export function resumeAt(ctx: Context, port: SwitchPort, last: boolean): void {
  mirrorPacket(ctx, port, 'source');
  lookupTable(ctx, 0, undefined, last);
}

/** A look-up that an action asks for: they may neither nest too deeply nor be too many. Parameters as of `matchTable`. */
export function lookupTable(ctx: Context, table: number, inPort: number | undefined, last: boolean): void {
  if (ctx.depth >= MAX_DEPTH) {
    ctx.error = `over max translation depth ${MAX_DEPTH}`;
    return;
  }
  if (ctx.resubmits >= MAX_RESUBMITS) {
    ctx.error = `over ${MAX_RESUBMITS} resubmit actions`;
    return;
  }
  ctx.resubmits++;
  ctx.depth++;
  matchTable(ctx, table, inPort, last);
  ctx.depth--;
}

/**
 * Looks up the packet in a table, as if it had come in on the port `inPort` (an OpenFlow number; undefined: where it did), and does what
 * the rule says.
 */
function matchTable(ctx: Context, table: number, inPort: number | undefined, last: boolean): void {
  const { bridge, flow, reporter } = ctx;
  const before = getField(flow, 'ofInPort');
  if (inPort !== undefined) setField(flow, 'ofInPort', inPort);
  const rule = bridge.tables.lookup(table, flow, ctx.wildcards);
  setField(flow, 'ofInPort', before);
  reporter?.table(table, rule && describeRule(rule));
  if (!rule) return;
  ctx.effects?.push({ type: 'rule', tables: bridge.tables, rule });
  const { table: outerTable } = ctx;
  ctx.table = table;
  executeActions(ctx, rule.actions, last);
  ctx.table = outerTable;
}

/** What a trace says of a rule: its match, priority and cookie. */
function describeRule(rule: OpenFlowRule): string {
  const match = formatMatch(rule);
  const cookie = rule.cookie === 0n ? '' : `, cookie 0x${rule.cookie.toString(16)}`;
  return `${match === '' ? '' : `${match}, `}priority ${rule.priority}${cookie}`;
}
