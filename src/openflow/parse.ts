/**
 * Flows as `ovs-ofctl` takes them: `table=1,priority=10,tcp,nw_dst=10.0.0.0/8,tp_dst=80,actions=dec_ttl,output:2`.
 */
import { FRAG_LATER, anyBit, getField, setField, type FlowWords } from '../flow/fields.js';
import { parseGroupId, parseOpenFlowActions } from './action-parse.js';
import { checkActions } from './check.js';
import { fieldOfName } from './field-names.js';
import { createMatch, normalizeMatch, parseMatchPair, type OpenFlowMatch } from './match.js';
import { OpenFlowPort, parsePort, type PortNames } from './ports.js';
import { hasPrerequisites, readSubfield } from './subfield.js';
import { parsePairs, parseTable, parseUnsigned, parseUnsigned64, refuse } from './text.js';
import type { OpenFlowAction } from './types.js';
import { ones, parseValue, type MaskedValue } from './value.js';
import { MegaflowError } from '../util/errors.js';

/**
 * What is to be done with the flows of a table. `strict` ones want the very match and priority, the others all that lie
 * within.
 */
export type FlowCommand = 'add' | 'modify' | 'modify_strict' | 'delete' | 'delete_strict';

export interface FlowMod {
  readonly command: FlowCommand;
  /** Null: all tables; for `add` table 0. */
  readonly table: number | null;
  readonly priority: number;
  readonly match: OpenFlowMatch;
  /** The new cookie; null: none was given. */
  readonly cookie: bigint | null;
  /** Only rules whose cookie is this. */
  readonly cookieMatch: MaskedValue | null;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly importance: number;
  readonly sendFlowRemoved: boolean;
  /** Refuse to add a rule that overlaps another of its priority. */
  readonly checkOverlap: boolean;
  /** Only rules that output there; null: any. */
  readonly outPort: number | null;
  readonly outGroup: number | null;
  readonly actions: readonly OpenFlowAction[];
}

/** Keys of a flow dump, which are read over. */
const ignored: ReadonlySet<string> = new Set(['duration', 'n_packets', 'n_bytes', 'idle_age', 'hard_age']);
const flags: ReadonlySet<string> = new Set([
  'send_flow_rem',
  'check_overlap',
  'reset_counts',
  'no_packet_counts',
  'no_byte_counts',
]);

const transport = ['tpSrc', 'tpDst', 'tcpFlags'] as const;

/** The text before and behind `actions=`. */
function splitActions(text: string): { before: string; actions: string } {
  const at = text.indexOf('action');
  const equals = at < 0 ? -1 : text.indexOf('=', at);
  if (equals < 0) refuse('must specify an action', text, 'actions=ACTION[,ACTION...]');
  return { before: text.slice(0, at), actions: text.slice(equals + 1) };
}

/**
 * Parses a flow for a command. Counters and ages, as dumps show them, are read over. Throws `bad-flow-text`, with what
 * `ovs-ofctl` would say, and `unsupported-action`.
 */
export function parseFlowMod(text: string, command: FlowCommand = 'add', ports: PortNames = {}): FlowMod {
  const isDelete = command === 'delete' || command === 'delete_strict';
  const isStrict = command === 'delete_strict' || command === 'modify_strict';
  const { before, actions } = isDelete ? { before: text, actions: '' } : splitActions(text);
  const match = createMatch();
  const mod = {
    command,
    table: null as number | null,
    priority: 32768,
    match,
    cookie: null as bigint | null,
    cookieMatch: null as MaskedValue | null,
    idleTimeout: 0,
    hardTimeout: 0,
    importance: 0,
    sendFlowRemoved: false,
    checkOverlap: false,
    outPort: null as number | null,
    outGroup: null as number | null,
    actions: [] as OpenFlowAction[],
  };
  for (const { key, value } of parsePairs(before)) {
    if (!isDelete && flags.has(key)) {
      if (key === 'send_flow_rem') mod.sendFlowRemoved = true;
      else if (key === 'check_overlap') mod.checkOverlap = true;
      continue;
    }
    const field = fieldOfName(key);
    if (field?.isInternal) refuse(`${key} is not for the flows of a table`, key, 'a field of OpenFlow');
    if (parseMatchPair(match, key, value, ports)) continue;
    if (value === '') refuse(`field ${key} missing value`, key, `${key}=VALUE`);
    if (key === 'table') {
      const table = parseTable(value);
      mod.table = table === 255 ? null : table;
    } else if (key === 'priority' && (!isDelete || isStrict)) mod.priority = parseUnsigned(value, key, 16);
    else if (key === 'idle_timeout' && !isDelete) mod.idleTimeout = parseUnsigned(value, key, 16);
    else if (key === 'hard_timeout' && !isDelete) mod.hardTimeout = parseUnsigned(value, key, 16);
    else if (key === 'importance' && command === 'add') mod.importance = parseUnsigned(value, key, 16);
    else if (key === 'out_port' && isDelete) mod.outPort = parsePort(value, ports);
    else if (key === 'out_group' && isDelete) mod.outGroup = parseGroupId(value);
    else if (key === 'cookie') {
      const [cookie, mask] = value.split('/');
      if (mask === undefined) {
        if (isDelete)
          refuse(
            `cannot set cookie (to match on a cookie, specify a mask, e.g. cookie=${value}/-1)`,
            value,
            'cookie=VALUE/MASK',
          );
        mod.cookie = parseUnsigned64(cookie);
      } else {
        if (command === 'add') refuse('flow additions cannot use a cookie mask', value, 'a cookie without a mask');
        mod.cookieMatch = { value: parseUnsigned64(cookie), mask: parseUnsigned64(mask) };
      }
    } else if (!ignored.has(key)) refuse(`unknown keyword ${key}`, key, 'a field, or an option of a flow');
  }
  if (!isDelete) {
    mod.actions = parseOpenFlowActions(actions, ports);
    checkActions(mod.actions, match, mod.table ?? 0);
  }
  normalizeMatch(match);
  // Of ICMP Open vSwitch takes them, and matches what a later fragment has: zero.
  const isLater = (getField(match.key, 'ipFrag') & FRAG_LATER) !== 0;
  const hasPorts = [6, 17, 132].includes(getField(match.key, 'ipProto'));
  if (isLater && hasPorts && transport.some((name) => anyBit(match.mask, name))) {
    refuse(
      'a later fragment has no transport fields (OFPBMC_BAD_PREREQ)',
      text,
      'transport fields without nw_frag=later',
    );
  }
  return mod;
}

/** Parses a file of flows: a flow a line; what is behind `#` and empty lines are read over. */
export function parseFlows(text: string, ports: PortNames = {}): FlowMod[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => parseFlowMod(line, 'add', ports));
}

/** Whether a value says which bits of it count: with a mask, flag by flag, or as a kind of fragment that is several. */
function isMasked(text: string, isPartial: boolean): boolean {
  return /^[+-]\D/.test(text) || (isPartial && /\/|^yes$|^not_later$/.test(text));
}

/**
 * Parses one packet's flow, as the argument of `ofproto/trace`: exact values, in an order in which each field has what
 * it needs when it comes (`ip` before `nw_dst`). A new array; what is not said is zero. Throws `bad-flow-text`.
 */
export function parseExactFlow(text: string, ports: PortNames = {}): FlowWords {
  return parseExactMatch(text, ports).key;
}

/** Parses one packet's flow and tells in the mask what was said of it, as the filter of `dpctl/dump-flows`. Throws `bad-flow-text`. */
export function parseExactMatch(text: string, ports: PortNames = {}): OpenFlowMatch {
  const match = createMatch();
  const seen = new Set<string>();
  for (const { key, value } of parsePairs(text)) {
    const field = fieldOfName(key);
    if (field === undefined) {
      const isTyped = anyBit(match.mask, 'ethType');
      if (key.includes('[') || key === 'eth' || !parseMatchPair(match, key, value, ports))
        refuse(`${text}: unknown field ${key}`, key, 'a field or a protocol');
      if (isTyped) refuse(`${text}: Ethernet type set multiple times`, key, 'one protocol');
      continue;
    }
    // A VLAN ID that is matched says itself that there is a tag.
    if (field.name !== 'vlan_vid' && !hasPrerequisites(field.needs, match.key)) {
      refuse(`${text}: prerequisites not met for setting ${key}`, key, `what says ${field.needs}, before it`);
    }
    if (seen.has(field.name) || readSubfield(match.key, { field, offset: 0, bits: field.bits }) !== 0n)
      refuse(`${text}: field ${key} set multiple times`, key, 'each field once');
    seen.add(field.name);
    try {
      parseMatchPair(match, key, value, ports);
      if (isMasked(value, parseValue(field, value, ports).mask !== ones(field.bits)))
        refuse(`${value}: wildcards not allowed here`, value, 'a value without a mask');
    } catch (error) {
      if (!(error instanceof MegaflowError)) throw error;
      refuse(`${text}: bad value for ${key} (${error.message})`, value, String(error.allowed));
    }
  }
  if (getField(match.key, 'ofInPort') === 0) setField(match.key, 'ofInPort', OpenFlowPort.none);
  return match;
}
