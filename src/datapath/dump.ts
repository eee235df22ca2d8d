/**
 * The line of a flow dump: match, statistics, actions, as `ovs-appctl dpctl/dump-flows` prints them (ovs-dpctl(8)).
 */
import { formatActions } from '../action/text-format.js';
import { formatFlow } from '../flow/text-format.js';
import type { FlowInfo } from './datapath.js';

export interface DumpOptions {
  /** All fields, with their masks (`-m`). */
  verbose?: boolean;
  /** Names to be printed for port numbers (`--names`). */
  portName?: (port: number) => string | undefined;
}

/** One flow as a line; `nowMs` is the time on the datapath's clock. */
export function formatFlowInfo(info: FlowInfo, nowMs: number, options: DumpOptions = {}): string {
  return `${formatFlow(info, options)}, ${formatStatistics(info, nowMs)}, actions:${formatActions(info.actions, options)}`;
}

/** What a flow has counted: `packets:2, bytes:196, used:0.100s, flags:S`. */
export function formatStatistics(
  info: Pick<FlowInfo, 'packets' | 'bytes' | 'usedMs' | 'tcpFlags'>,
  nowMs: number,
): string {
  const used = info.usedMs === undefined ? 'never' : `${((nowMs - info.usedMs) / 1000).toFixed(3)}s`;
  const flags = info.tcpFlags === 0 ? '' : `, flags:${formatTcpFlags(info.tcpFlags)}`;
  return `packets:${info.packets}, bytes:${info.bytes}, used:${used}${flags}`;
}

/** Bits of the TCP flags in the order in which their letters are printed. */
const LETTERS: readonly (readonly [bit: number, text: string])[] = [
  [0x002, 'S'],
  [0x001, 'F'],
  [0x008, 'P'],
  [0x004, 'R'],
  [0x020, 'U'],
  [0x010, '.'],
  [0x040, 'E'],
  [0x080, 'C'],
  [0x100, 'N'],
  [0x200, '[200]'],
  [0x400, '[400]'],
  [0x800, '[800]'],
];

function formatTcpFlags(flags: number): string {
  return LETTERS.filter(([bit]) => flags & bit)
    .map(([, text]) => text)
    .join('');
}
