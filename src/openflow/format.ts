/**
 * The line of a rule as `ovs-ofctl dump-flows` prints it (OpenFlow 1.0 with Nicira's extensions, which that program
 * speaks unless told otherwise: no flags, no importance).
 */
import { formatOpenFlowActions } from './action-format.js';
import { formatMatch } from './match-format.js';
import type { PortNames } from './ports.js';
import type { OpenFlowRule } from './table.js';

/** Seconds as dumps have them: three decimals, none if all are zero. */
function formatSeconds(milliseconds: number): string {
  const whole = Math.floor(milliseconds / 1000);
  const rest = Math.floor(milliseconds) % 1000;
  return rest === 0 ? `${whole}s` : `${whole}.${String(rest).padStart(3, '0')}s`;
}

/** Whole seconds; more than fit into the message are not told. */
function toAge(milliseconds: number): number {
  return Math.min(Math.max(Math.floor(milliseconds / 1000), 0), 0xfffe);
}

export interface RuleFormat extends PortNames {
  /** False: neither counters nor ages, as with `--no-stats`. */
  readonly statistics?: boolean;
}

/** One line, without an end; it begins with a blank. `nowMs` on the clock of the table. */
export function formatRule(rule: OpenFlowRule, nowMs: number, format: RuleFormat = {}): string {
  const showsAll = format.statistics ?? true;
  const duration = Math.max(0, nowMs - rule.createdMs);
  const items: string[] = [];
  if (showsAll || rule.cookie !== 0n) items.push(`cookie=0x${rule.cookie.toString(16)}`);
  if (showsAll) items.push(`duration=${formatSeconds(duration)}`);
  if (showsAll || rule.table !== 0) items.push(`table=${rule.table}`);
  if (showsAll) items.push(`n_packets=${rule.packets}`, `n_bytes=${rule.bytes}`);
  if (rule.idleTimeout !== 0) items.push(`idle_timeout=${rule.idleTimeout}`);
  if (rule.hardTimeout !== 0) items.push(`hard_timeout=${rule.hardTimeout}`);
  if (showsAll) {
    items.push(`idle_age=${toAge(nowMs - rule.usedMs)}`);
    const age = toAge(nowMs - rule.modifiedMs);
    if (age !== Math.floor(duration / 1000)) items.push(`hard_age=${age}`);
  }
  const match = formatMatch(rule, { ...format, priority: rule.priority });
  const head = items.map((item) => `${item}, `).join('');
  return ` ${head}${match}${match === '' ? '' : ' '}actions=${formatOpenFlowActions(rule.actions, format)}`;
}
