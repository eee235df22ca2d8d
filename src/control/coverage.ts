/**
 * `coverage/*`: events and how often they happen. Open vSwitch counts its own functions there; here the events are the
 * reasons for which packets were dropped.
 */
import type { VSwitch } from '../switch/vswitch.js';
import { hashAdd, hashFinish } from '../util/hash.js';
import { REASON_COUNT, reasonName } from '../util/reason.js';
import { fail, type Commands } from './command.js';

/** `mtu-exceeded` as the name of an event: `drop_mtu_exceeded`. */
function eventName(reason: number): string {
  return `drop_${reasonName(reason).replaceAll('-', '_')}`;
}

/** `coverage/show`: the events that have happened, with their rates per second over the last 5 s, minute and hour. */
export function showCoverage(vswitch: VSwitch): string {
  const rates = vswitch.dropRates();
  const lines: string[] = [];
  let hash = 0;
  for (let reason = 1; reason < REASON_COUNT; reason++) {
    const { total, fiveSeconds, minute, hour } = rates[reason];
    if (total === 0) continue;
    hash = hashAdd(hashAdd(hash, reason), total);
    const columns = [
      `${fiveSeconds.toFixed(1).padStart(5)}/sec`,
      `${minute.toFixed(3).padStart(9)}/sec`,
      `${hour.toFixed(4).padStart(13)}/sec`,
    ];
    lines.push(`${eventName(reason).padEnd(24)} ${columns.join(' ')}   total: ${total}`);
  }
  const digits = (hashFinish(hash, lines.length) >>> 0).toString(16).padStart(8, '0');
  const header = `Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=${digits}:`;
  return [header, ...lines, `${REASON_COUNT - 1 - lines.length} events never hit`, ''].join('\n');
}

/** `coverage/read-counter NAME`: how often an event has happened. */
export function readCoverage(vswitch: VSwitch, name: string): string {
  const rates = vswitch.dropRates();
  for (let reason = 1; reason < REASON_COUNT; reason++)
    if (eventName(reason) === name) return `${rates[reason].total}\n`;
  return fail('No such counter', name, 'the name of an event that coverage/show prints');
}

export const coverageCommands: Commands = {
  'coverage/read-counter': {
    usage: 'COUNTER',
    least: 1,
    most: 1,
    run: (vswitch, [name]) => readCoverage(vswitch, name),
  },
  'coverage/show': { usage: '', least: 0, most: 0, run: showCoverage },
};
