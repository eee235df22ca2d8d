/**
 * OpenFlow actions from their text, in the syntax of ovs-actions(7). Actions that are not among those of `types.ts`
 * (conntrack, MPLS, NSH, meters, action sets, queues, the stack) are refused with `unsupported-action`.
 */
import { fromHex } from '../util/bytes.js';
import { MegaflowError } from '../util/errors.js';
import { parseIpv4, parseMac } from '../util/address.js';
import { fieldOfAnyName, fieldOfName } from './field-names.js';
import { parseLearn } from './learn.js';
import { OpenFlowPort, findPort, outputTo, type PortNames } from './ports.js';
import { parseSubfield } from './subfield.js';
import {
  parseInteger,
  parsePairs,
  parseTable,
  parseUnsigned,
  parseUnsigned64,
  refuse,
  splitArrow,
  type Pair,
} from './text.js';
import type { ControllerReason, OpenFlowAction } from './types.js';
import { ones, parseValue } from './value.js';

function parseOutput(value: string, ports: PortNames): OpenFlowAction {
  const truncated = /^port=([^,]*),max_len=([^,]*)$/.exec(value);
  if (truncated) {
    const port =
      findPort(truncated[1], ports) ?? refuse(`output to unknown truncate port: ${truncated[1]}`, value, 'a port');
    const maxLength = parseUnsigned(truncated[2], 'max_len', 32);
    if (maxLength < 14) refuse(`max_len ${maxLength} is less than the minimum value 14`, value, '14 or more');
    return { type: 'output_truncated', port, maxLength };
  }
  const port = findPort(value, ports);
  if (port !== undefined) {
    if (port === OpenFlowPort.none || (port >= 0xff00 && port < OpenFlowPort.inPort)) {
      refuse('actions are invalid with specified match (OFPBAC_BAD_OUT_PORT)', value, 'a port that can be');
    }
    if (port === OpenFlowPort.table) unsupported('table');
    return outputTo(port);
  }
  const name = /^[^[]*/.exec(value)![0];
  if (fieldOfAnyName(name) === undefined) refuse(`${value}: output to unknown port`, value, 'a port, or a field');
  return { type: 'output_field', source: parseSubfield(value) };
}

const reasons: readonly ControllerReason[] = ['action', 'no_match', 'invalid_ttl', 'action_set', 'group', 'packet_out'];

function parseController(value: string): OpenFlowAction {
  const action = { type: 'controller' as const, maxLength: 0xffff, reason: 'action' as ControllerReason, id: 0 };
  if (/^\d+$/.test(value)) return { ...action, maxLength: parseUnsigned(value, 'max_len', 16) };
  const more: { userdata?: Uint8Array; pause?: boolean; meterId?: number } = {};
  for (const { key, value: text } of parsePairs(value)) {
    switch (key) {
      case 'reason':
        if (!(reasons as readonly string[]).includes(text))
          refuse(`unknown reason "${text}"`, text, reasons.join(', '));
        action.reason = text as ControllerReason;
        break;
      case 'max_len':
        action.maxLength = parseUnsigned(text, key, 16);
        break;
      case 'id':
        action.id = parseUnsigned(text, key, 16);
        break;
      case 'userdata':
        more.userdata = parseBytes(text, "bad hex digit in `controller' action `userdata'");
        break;
      case 'pause':
        more.pause = true;
        break;
      case 'meter_id':
        more.meterId = parseUnsigned(text, key, 32);
        break;
      default:
        refuse(
          `unknown key "${key}" parsing controller action`,
          value,
          'max_len, reason, id, userdata, pause, meter_id',
        );
    }
  }
  return { ...action, ...more };
}

/** Hexadecimal bytes with dots between them, or without. */
function parseBytes(text: string, message: string): Uint8Array {
  const digits = text.replace(/\./g, '');
  if (/[^0-9a-fA-F]/.test(digits) || digits.length % 2 !== 0)
    refuse(message, text, 'hexadecimal bytes, dots between them or not');
  return fromHex(digits);
}

function parseResubmit(value: string, ports: PortNames): OpenFlowAction {
  const [portText, tableText, more] = value.split(',').map((text) => text.trim());
  if (more !== undefined) unsupported(`resubmit with ${more}`);
  const port =
    portText === ''
      ? OpenFlowPort.inPort
      : (findPort(portText, ports) ?? refuse(`${portText}: resubmit to unknown port`, value, 'a port'));
  let table = 255;
  if (tableText !== undefined && tableText !== '') {
    if (!/^\d+$/.test(tableText) || Number(tableText) > 255)
      refuse(`${tableText}: resubmit to unknown table`, value, 'a number from 0 to 254');
    table = Number(tableText);
  }
  if (port === OpenFlowPort.inPort && table === 255) {
    refuse('at least one "in_port" or "table" must be specified on resubmit', value, 'resubmit(PORT,TABLE)');
  }
  return { type: 'resubmit', port: port === OpenFlowPort.inPort ? null : port, table: table === 255 ? null : table };
}

function parseSetField(value: string, ports: PortNames): OpenFlowAction {
  const { source, targetText } = splitArrow(value);
  const field = fieldOfName(targetText);
  if (field === undefined || field.isInternal)
    refuse(`${targetText} is not a valid OXM field name`, value, 'the name of a field');
  if (!field.isWritable) refuse(`${targetText} is read-only`, value, 'a field that can be written');
  const parsed = parseValue(field, source, ports);
  // The thirteenth bit of a VLAN says that there is a tag, which there is.
  const given = field.name === 'vlan_vid' ? parsed.value & 0x0fffn : parsed.value;
  if (!field.isMaskable && parsed.mask !== ones(field.bits))
    refuse(`${source}: invalid mask for field ${targetText}`, value, 'a value without a mask');
  const isTos = field.name === 'nw_tos' && (given & 3n) !== 0n;
  if (given >> BigInt(field.bits) !== 0n || isTos)
    refuse(`${source} is not a valid value for field ${targetText}`, value, `${field.bits} bits`);
  const mask = parsed.mask & ones(field.bits);
  return { type: 'set_field', field, value: given, mask };
}

function parseLoad(value: string): OpenFlowAction {
  const { source, targetText } = splitArrow(value);
  const target = parseSubfield(targetText);
  const number = parseInteger(source);
  if (number === null || (source.startsWith('-') && target.bits < 64))
    refuse(`${value}: cannot parse integer value`, value, 'an integer');
  if (number >> BigInt(target.bits) !== 0n) {
    refuse(`${value}: value ${source} does not fit into ${target.bits} bits`, value, `${target.bits} bits`);
  }
  return { type: 'load', value: number, target };
}

function parseMove(value: string): OpenFlowAction {
  const { source: sourceText, targetText } = splitArrow(value);
  const source = parseSubfield(sourceText);
  const target = parseSubfield(targetText);
  if (source.bits !== target.bits) {
    refuse(
      `${value}: source field is ${source.bits} bits wide but destination is ${target.bits} bits wide`,
      value,
      'fields of one width',
    );
  }
  return { type: 'move', source, target };
}

/** A number of at most `most`, refused as `TEXT: not a valid WHAT`. */
function parseLimited(value: string, what: string, bits: number, most: number): number {
  const number = parseUnsigned(value, what, bits);
  if (number > most) refuse(`${value}: not a valid ${what}`, value, `0 to ${most}`);
  return number;
}

function parseMacValue(value: string): number {
  try {
    return parseMac(value);
  } catch {
    return refuse(`invalid mac address ${value}`, value, 'six hexadecimal bytes with colons');
  }
}

function parseIpValue(value: string): number {
  try {
    return parseIpv4(value);
  } catch {
    return refuse(`invalid IP address ${value}`, value, 'four decimal bytes with dots');
  }
}

type Parser = (value: string, ports: PortNames) => OpenFlowAction;

const constant =
  (type: 'normal' | 'flood' | 'all' | 'local' | 'in_port' | 'strip_vlan' | 'exit'): Parser =>
  () => ({ type });
const vlanVid: Parser = (value) => ({ type: 'mod_vlan_vid', vid: parseLimited(value, 'VLAN VID', 16, 0xfff) });
const vlanPcp: Parser = (value) => ({ type: 'mod_vlan_pcp', pcp: parseLimited(value, 'VLAN PCP', 8, 7) });
const ttl: Parser = (value) => ({ type: 'mod_nw_ttl', ttl: parseUnsigned(value, 'TTL', 8) });
const tunnel =
  (isWide: boolean): Parser =>
  (value) => {
    const id = parseUnsigned64(value);
    return { type: 'set_tunnel', id, isWide: isWide || id > 0xffffffffn };
  };

/** By name in lower case. */
const parsers: Readonly<Record<string, Parser>> = {
  normal: constant('normal'),
  flood: constant('flood'),
  all: constant('all'),
  local: constant('local'),
  in_port: constant('in_port'),
  output: parseOutput,
  controller: parseController,
  resubmit: parseResubmit,
  goto_table: (value) => {
    const table = parseTable(value);
    if (table === 255) refuse('invalid table 255 for goto_table', value, 'a number from 0 to 254');
    return { type: 'goto_table', table };
  },
  set_field: parseSetField,
  load: parseLoad,
  move: parseMove,
  mod_dl_src: (value) => ({ type: 'mod_dl_src', mac: parseMacValue(value) }),
  mod_dl_dst: (value) => ({ type: 'mod_dl_dst', mac: parseMacValue(value) }),
  mod_vlan_vid: vlanVid,
  set_vlan_vid: vlanVid,
  mod_vlan_pcp: vlanPcp,
  set_vlan_pcp: vlanPcp,
  mod_nw_src: (value) => ({ type: 'mod_nw_src', ip: parseIpValue(value) }),
  mod_nw_dst: (value) => ({ type: 'mod_nw_dst', ip: parseIpValue(value) }),
  mod_nw_tos: (value) => {
    const tos = parseUnsigned(value, 'TOS', 8);
    if ((tos & 3) !== 0) refuse(`${value}: not a valid TOS`, value, 'a multiple of four from 0 to 252');
    return { type: 'mod_nw_tos', tos };
  },
  mod_nw_ecn: (value) => ({ type: 'mod_nw_ecn', ecn: parseLimited(value, 'ECN', 8, 3) }),
  mod_nw_ttl: ttl,
  set_nw_ttl: ttl,
  mod_tp_src: (value) => ({ type: 'mod_tp_src', port: parseUnsigned(value, 'source port', 16) }),
  mod_tp_dst: (value) => ({ type: 'mod_tp_dst', port: parseUnsigned(value, 'destination port', 16) }),
  push_vlan: (value) => {
    const ethType = parseUnsigned(value, 'ethertype', 16);
    if (ethType !== 0x8100 && ethType !== 0x88a8)
      refuse(`${value}: not a valid VLAN ethertype`, value, '0x8100 or 0x88a8');
    return { type: 'push_vlan', ethType };
  },
  strip_vlan: constant('strip_vlan'),
  pop_vlan: constant('strip_vlan'),
  dec_ttl: (value) => {
    const controllers = parsePairs(value).map(({ key }) => parseUnsigned(key, 'controller ID', 16));
    if (value !== '' && controllers.length === 0)
      refuse('dec_ttl_cnt_ids: expected at least one controller id.', value, 'controller ids');
    return { type: 'dec_ttl', controllers: controllers.length === 0 ? [0] : controllers };
  },
  set_tunnel: tunnel(false),
  set_tunnel64: tunnel(true),
  learn: (value, ports) => parseLearn(value, ports),
  group: (value) => ({ type: 'group', id: parseGroupId(value) }),
  clone: (value, ports) => ({ type: 'clone', actions: parseActionList(value, ports, false) }),
  note: (value) => {
    const bytes = parseBytes(value, "bad hex digit in `note' argument");
    // It is carried in units of eight bytes, of which two are taken the first time.
    const padded = new Uint8Array(Math.ceil((bytes.length + 2) / 8) * 8 - 2);
    padded.set(bytes);
    return { type: 'note', bytes: padded };
  },
  exit: constant('exit'),
};

const unsupportedNames: ReadonlySet<string> = new Set([
  'table',
  'enqueue',
  'bundle',
  'bundle_load',
  'set_queue',
  'pop_queue',
  'fin_timeout',
  'conjunction',
  'multipath',
  'push',
  'pop',
  'sample',
  'ct',
  'ct_clear',
  'nat',
  'delete_field',
  'encap',
  'decap',
  'dec_nsh_ttl',
  'check_pkt_larger',
  'set_mpls_label',
  'set_mpls_tc',
  'set_mpls_ttl',
  'dec_mpls_ttl',
  'push_mpls',
  'pop_mpls',
  'meter',
  'apply_actions',
  'clear_actions',
  'write_actions',
  'write_metadata',
  'debug_recirc',
  'debug_slow',
]);

function unsupported(name: string): never {
  throw new MegaflowError(
    'unsupported-action',
    `the action ${name} is not supported`,
    name,
    `${Object.keys(parsers).join(', ')}, drop`,
  );
}

/** A group number: 32 bits, or a reserved name. */
export function parseGroupId(text: string): number {
  const value = parseInteger(text);
  if (value === null || value >> 32n !== 0n) refuse(`invalid numeric format ${text}`, text, 'a number of 32 bits');
  return Number(value);
}

function parsePair({ key, value }: Pair, ports: PortNames): OpenFlowAction {
  const name = key.toLowerCase();
  if (Object.hasOwn(parsers, name)) return parsers[name](value, ports);
  if (unsupportedNames.has(name)) return unsupported(name);
  if (findPort(key, ports) !== undefined) return parseOutput(key, ports);
  return refuse(`unknown action ${key}`, key, `${Object.keys(parsers).join(', ')}, drop`);
}

/** `isTop`: not within another action, so that `goto_table` may stand at the end. */
export function parseActionList(text: string, ports: PortNames, isTop: boolean): OpenFlowAction[] {
  const pairs = parsePairs(text);
  const drops = pairs.filter(({ key }) => key.toLowerCase() === 'drop').length;
  if (drops > 0 && pairs.length > 1)
    refuse('"drop" must not be accompanied by any other action or instruction', text, 'drop alone');
  if (drops > 0) return [];
  const actions = pairs.map((pair) => parsePair(pair, ports));
  const jump = actions.findIndex(({ type }) => type === 'goto_table');
  if (jump >= 0 && !isTop) refuse('goto_table instruction not allowed here', text, 'resubmit(,TABLE)');
  if (jump >= 0 && jump < actions.length - 1) {
    refuse(
      'invalid instruction ordering: apply_actions must appear before goto_table, for OpenFlow 1.1+ compatibility',
      text,
      'goto_table at the end',
    );
  }
  return actions;
}

/** Parses a list of actions; empty and `drop` give an empty list. Throws `bad-flow-text` and `unsupported-action`. */
export function parseOpenFlowActions(text: string, ports: PortNames = {}): OpenFlowAction[] {
  return parseActionList(text, ports, true);
}
