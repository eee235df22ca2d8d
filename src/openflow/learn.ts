/**
 * The `learn` action: its text, and the rule that it makes of a packet.
 */
import type { FlowWords } from '../flow/fields.js';
import { fieldOfAnyName } from './field-names.js';
import { createMatch, normalizeMatch, setMatchField } from './match.js';
import { OpenFlowPort, outputTo, type PortNames } from './ports.js';
import { formatSubfield, parseSubfield, readSubfield, writeField, type Subfield } from './subfield.js';
import {
  formatHex,
  parseInteger,
  parsePairs,
  parseTable,
  parseUnsigned,
  parseUnsigned64,
  refuse,
  splitArrow,
} from './text.js';
import type { LearnAction, LearnSpec, OpenFlowAction, OpenFlowRuleSpec } from './types.js';
import { formatValue, ones, parseValue } from './value.js';

function isWhole({ field, offset, bits }: Subfield): boolean {
  return offset === 0 && bits === field.bits;
}

/** A field, or a part of one, from the whole of a text; undefined if the text does not begin with a field's name. */
function findSubfield(text: string): Subfield | undefined {
  return fieldOfAnyName(/^[^[]*/.exec(text)![0]) === undefined ? undefined : parseSubfield(text);
}

/** `target=source`, `target=constant`, or `target` alone, which is its own source. */
function parseMatchSpec(text: string, key: string, value: string, ports: PortNames): LearnSpec {
  const target = findSubfield(key);
  if (target === undefined) refuse(`${text}: unknown keyword ${key}`, text, 'a field, or an option of learn');
  if (value === '') return { kind: 'match', source: target, target };
  const source = findSubfield(value);
  if (source !== undefined) {
    if (source.bits !== target.bits) {
      refuse(
        `${text}: bit widths of ${key} (${source.bits}) and ${value} (${target.bits}) differ`,
        text,
        'fields of one width',
      );
    }
    return { kind: 'match', source, target };
  }
  if (!isWhole(target)) {
    const constant = parseInteger(value);
    if (constant === null || constant >> BigInt(target.bits) !== 0n)
      refuse(`${text}: ${value}: value does not fit`, text, `${target.bits} bits`);
    return { kind: 'match', source: constant, target };
  }
  const { value: constant, mask } = parseValue(target.field, value, ports);
  if (mask !== ones(target.bits)) refuse(`${text}: must specify an exact value`, text, 'a value without a mask');
  return { kind: 'match', source: constant & ones(target.bits), target };
}

/** `VALUE->TARGET` or `SOURCE->TARGET`. */
function parseLoadSpec(text: string): LearnSpec {
  const { source, targetText } = splitArrow(text);
  const target = parseSubfield(targetText);
  const field = findSubfield(source);
  if (field !== undefined) {
    if (field.bits !== target.bits)
      refuse(
        `${text}: source field is ${field.bits} bits wide but destination is ${target.bits} bits wide`,
        text,
        'one width',
      );
    return { kind: 'load', source: field, target };
  }
  const value = parseInteger(source);
  if (value === null) refuse(`${text}: cannot parse integer value`, text, 'an integer or a field');
  if (value >> BigInt(target.bits) !== 0n)
    refuse(`${text}: value does not fit into ${target.bits} bits`, text, `${target.bits} bits`);
  return { kind: 'load', source: value, target };
}

/** Parses what stands in the parentheses of `learn(...)`. Throws `bad-flow-text`. */
export function parseLearn(text: string, ports: PortNames = {}): LearnAction {
  const learn = {
    type: 'learn' as const,
    table: 1,
    idleTimeout: 0,
    hardTimeout: 0,
    finIdleTimeout: 0,
    finHardTimeout: 0,
    priority: 32768,
    cookie: 0n,
    sendFlowRemoved: false,
    deleteLearned: false,
    limit: 0,
    result: undefined as Subfield | undefined,
    specs: [] as LearnSpec[],
  };
  for (const { key, value } of parsePairs(text)) {
    const whole = value === '' ? key : `${key}=${value}`;
    switch (key) {
      case 'table':
        learn.table = parseTable(value);
        if (learn.table === 255)
          refuse(`${text}: table id 255 not valid for \`learn' action`, value, 'a number from 0 to 254');
        break;
      case 'priority':
        learn.priority = parseUnsigned(value, key, 16);
        break;
      case 'idle_timeout':
        learn.idleTimeout = parseUnsigned(value, key, 16);
        break;
      case 'hard_timeout':
        learn.hardTimeout = parseUnsigned(value, key, 16);
        break;
      case 'fin_idle_timeout':
        learn.finIdleTimeout = parseUnsigned(value, key, 16);
        break;
      case 'fin_hard_timeout':
        learn.finHardTimeout = parseUnsigned(value, key, 16);
        break;
      case 'cookie':
        learn.cookie = parseUnsigned64(value);
        break;
      case 'send_flow_rem':
        learn.sendFlowRemoved = true;
        break;
      case 'delete_learned':
        learn.deleteLearned = true;
        break;
      case 'limit':
        learn.limit = parseUnsigned(value, key, 32);
        break;
      case 'result_dst':
        learn.result = parseSubfield(value);
        if (learn.result.bits !== 1) refuse(`result_dst in 'learn' action must be a single bit`, value, 'FIELD[BIT]');
        break;
      case 'load':
        learn.specs.push(parseLoadSpec(value));
        break;
      case 'output':
        learn.specs.push({ kind: 'output', source: parseSubfield(value) });
        break;
      default:
        learn.specs.push(parseMatchSpec(whole, key, value, ports));
    }
  }
  return learn;
}

function formatSource(source: Subfield | bigint): string {
  return typeof source === 'bigint' ? formatHex(source) : formatSubfield(source);
}

function formatSpec(spec: LearnSpec): string {
  switch (spec.kind) {
    case 'match':
      if (typeof spec.source === 'bigint') {
        if (!isWhole(spec.target)) return `${formatSubfield(spec.target)}=${formatHex(spec.source)}`;
        const { field, bits } = spec.target;
        return `${field.name}=${formatValue(field, { value: spec.source, mask: ones(bits) })}`;
      }
      return formatSubfield(spec.source) === formatSubfield(spec.target)
        ? formatSubfield(spec.target)
        : `${formatSubfield(spec.target)}=${formatSubfield(spec.source)}`;
    case 'load':
      return `load:${formatSource(spec.source)}->${formatSubfield(spec.target)}`;
    case 'output':
      return `output:${formatSubfield(spec.source)}`;
  }
}

/** `learn(...)` as dumps have it. */
export function formatLearn(learn: LearnAction): string {
  const items = [`table=${learn.table}`];
  if (learn.idleTimeout !== 0) items.push(`idle_timeout=${learn.idleTimeout}`);
  if (learn.hardTimeout !== 0) items.push(`hard_timeout=${learn.hardTimeout}`);
  if (learn.finIdleTimeout !== 0) items.push(`fin_idle_timeout=${learn.finIdleTimeout}`);
  if (learn.finHardTimeout !== 0) items.push(`fin_hard_timeout=${learn.finHardTimeout}`);
  if (learn.priority !== 32768) items.push(`priority=${learn.priority}`);
  if (learn.sendFlowRemoved) items.push('send_flow_rem');
  if (learn.deleteLearned) items.push('delete_learned');
  if (learn.cookie !== 0n) items.push(`cookie=0x${learn.cookie.toString(16)}`);
  if (learn.limit !== 0) items.push(`limit=${learn.limit}`);
  if (learn.result !== undefined) items.push(`result_dst=${formatSubfield(learn.result)}`);
  return `learn(${[...items, ...learn.specs.map(formatSpec)].join(',')})`;
}

/** Reserved ports to which a learned flow may output. */
const learnable: ReadonlySet<number> = new Set([
  OpenFlowPort.inPort,
  OpenFlowPort.flood,
  OpenFlowPort.all,
  OpenFlowPort.local,
]);

/** The rule that a packet teaches. Bits of `flow` that it was made from are for the caller to un-wildcard. */
export function learnedRule(learn: LearnAction, flow: FlowWords): OpenFlowRuleSpec {
  const match = createMatch();
  const actions: OpenFlowAction[] = [];
  for (const spec of learn.specs) {
    const value = typeof spec.source === 'bigint' ? spec.source : readSubfield(flow, spec.source);
    if (spec.kind === 'match') {
      const { field, offset, bits } = spec.target;
      if (isWhole(spec.target)) setMatchField(match, field, { value, mask: ones(bits) });
      else {
        writeField(match.key, field, value << BigInt(offset), ones(bits) << BigInt(offset));
        writeField(match.mask, field, ones(bits) << BigInt(offset), ones(bits) << BigInt(offset));
      }
    } else if (spec.kind === 'load') actions.push({ type: 'load', value, target: spec.target });
    else {
      const port = Number(value & 0xffffn);
      if (port < 0xff00 || learnable.has(port)) actions.push(outputTo(port));
    }
  }
  normalizeMatch(match);
  const { table, priority, cookie, idleTimeout, hardTimeout } = learn;
  return { table, priority, cookie, idleTimeout, hardTimeout, importance: 0, match, actions };
}
