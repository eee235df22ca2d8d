/**
 * `bridge/dump-flows`: the rules of a bridge as Open vSwitch itself shows them, those that it has for itself included.
 * What `ovs-ofctl dump-flows` prints is `VSwitch.dumpRules`.
 */
import { formatOpenFlowActions } from '../openflow/action-format.js';
import { formatMatch } from '../openflow/match-format.js';
import type { OpenFlowRule } from '../openflow/table.js';
import type { VSwitch } from '../switch/vswitch.js';
import { fail, type Commands } from './command.js';

/** Number of the table for rules that nobody gave: what becomes of packets that no rule matches, and of none. */
const INTERNAL_TABLE = 254;

/** How those rules read; what would go to a controller goes nowhere here. */
const INTERNAL_TEXTS = [
  'priority=2,recirc_id=0,actions=drop',
  'priority=0,reg0=0x1,actions=controller(reason=)',
  'priority=0,reg0=0x2,actions=drop',
  'priority=0,reg0=0x3,actions=drop',
] as const;

export interface DumpRulesOptions {
  /** What hardware has counted, which there is none of. */
  offloadStatistics?: boolean;
}

/** `bridge/dump-flows BRIDGE`: rules with what they have counted as of the last sweep. */
export function dumpBridgeRules(vswitch: VSwitch, bridgeName: string, options: DumpRulesOptions = {}): string {
  const bridge =
    vswitch.bridges().find(({ name }) => name === bridgeName) ??
    fail(
      'Unknown bridge',
      bridgeName,
      vswitch
        .bridges()
        .map(({ name }) => name)
        .join(', '),
    );
  const nowMs = vswitch.clock.now();
  const offloaded = options.offloadStatistics ? 'n_offload_packets=0, n_offload_bytes=0, ' : '';
  const line = (table: number, rule: Pick<OpenFlowRule, 'createdMs' | 'packets' | 'bytes'>, text: string): string =>
    `${table === 0 ? '' : `table_id=${table}, `}duration=${Math.floor((nowMs - rule.createdMs) / 1000)}s, ` +
    `n_packets=${rule.packets}, n_bytes=${rule.bytes}, ${offloaded}${text}\n`;
  const { tables } = bridge;
  const rules = [...tables.rules()].map((rule) =>
    line(
      rule.table,
      rule,
      `${formatMatch(rule, { priority: rule.priority })},actions=${formatOpenFlowActions(rule.actions)}`,
    ),
  );
  const internal = tables.internalRules.map((rule, index) => line(INTERNAL_TABLE, rule, INTERNAL_TEXTS[index]));
  return [...rules, ...internal].join('');
}

export const ruleCommands: Commands = {
  'bridge/dump-flows': {
    usage: '[--offload-stats] bridge',
    least: 1,
    most: 2,
    run: (vswitch, words) =>
      dumpBridgeRules(vswitch, words[words.length - 1], { offloadStatistics: words[0] === '--offload-stats' }),
  },
};
