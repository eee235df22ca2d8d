/**
 * Whether the actions of a rule can be done to the packets that it matches: a field is only written, copied or learned
 * where the match, or an action before, says that the packet has it. The old `mod_…` actions are exempt: to a packet
 * that lacks their field they do nothing.
 */
import { VLAN_PRESENT, getField, setField, type FlowWords } from '../flow/fields.js';
import { createMatch, setMatchField, type OpenFlowMatch } from './match.js';
import { hasPrerequisites, type Subfield } from './subfield.js';
import { refuse } from './text.js';
import type { LearnAction, OpenFlowAction } from './types.js';
import { formatOpenFlowAction } from './action-format.js';
import { ones } from './value.js';
import { fieldOfName } from './field-names.js';

function inconsistent(action: OpenFlowAction, code: string, allowed: string): never {
  refuse(`actions are invalid with specified match (${code})`, formatOpenFlowAction(action), allowed);
}

function checkSource(action: OpenFlowAction, { field }: Subfield, flow: FlowWords): void {
  if (!hasPrerequisites(field.needs, flow)) {
    inconsistent(action, 'OFPBAC_MATCH_INCONSISTENT', `${field.name} where the match says ${field.needs}`);
  }
}

function checkTarget(action: OpenFlowAction, target: Subfield, flow: FlowWords): void {
  checkSource(action, target, flow);
  if (!target.field.isWritable)
    inconsistent(action, 'OFPBAC_BAD_SET_ARGUMENT', `a field that can be written; ${target.field.name} cannot`);
}

function checkLearn(learn: LearnAction, flow: FlowWords): void {
  const learned = createMatch();
  for (const spec of learn.specs) {
    if (typeof spec.source !== 'bigint') checkSource(learn, spec.source, flow);
    if (spec.kind === 'load') checkTarget(learn, spec.target, learned.key);
    if (spec.kind !== 'match') continue;
    checkSource(learn, spec.target, learned.key);
    const { field, offset, bits } = spec.target;
    if (typeof spec.source === 'bigint' && offset === 0 && bits === field.bits) {
      setMatchField(learned, field, { value: spec.source, mask: ones(bits) });
    }
  }
}

const nwEcn = { field: fieldOfName('nw_ecn')!, offset: 0, bits: 2 };
const nwTtl = { field: fieldOfName('nw_ttl')!, offset: 0, bits: 8 };

function checkOne(action: OpenFlowAction, flow: FlowWords, table: number): void {
  switch (action.type) {
    case 'set_field':
      checkTarget(action, { field: action.field, offset: 0, bits: action.field.bits }, flow);
      break;
    case 'load':
      checkTarget(action, action.target, flow);
      break;
    case 'move':
      checkSource(action, action.source, flow);
      checkTarget(action, action.target, flow);
      break;
    case 'mod_nw_ecn':
      checkTarget(action, nwEcn, flow);
      break;
    case 'mod_nw_ttl':
      checkTarget(action, nwTtl, flow);
      break;
    case 'output_field':
      checkSource(action, action.source, flow);
      break;
    case 'mod_vlan_vid':
    case 'mod_vlan_pcp':
    case 'push_vlan':
      setField(flow, 'vlanTci', getField(flow, 'vlanTci') | VLAN_PRESENT);
      break;
    case 'strip_vlan':
      setField(flow, 'vlanTci', 0);
      break;
    case 'goto_table':
      if (action.table <= table && table !== 0) inconsistent(action, 'OFPBIC_BAD_TABLE_ID', 'a later table');
      break;
    case 'learn':
      checkLearn(action, flow);
      break;
    case 'clone':
      for (const inner of action.actions) checkOne(inner, flow, table);
      break;
    default:
      break;
  }
}

/** Throws `bad-flow-text` if an action does not go with the match. */
export function checkActions(actions: readonly OpenFlowAction[], match: OpenFlowMatch, table: number): void {
  const flow = match.key.slice();
  for (const action of actions) checkOne(action, flow, table);
}
