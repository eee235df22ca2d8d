/**
 * Whether two lists of actions are the same, and a hash that is the same for such lists. Flows that do the same share one program: each upcall
 * asks for that of its list, and text to ask by would take a tenth of it.
 */
import { toHex } from '../util/bytes.js';
import { hashAdd } from '../util/hash.js';
import { formatActions } from './text-format.js';
import type { Action, FieldSetting } from './types.js';

/** A hash of a list: of ports and of what a header or a field is set to. Other actions count by their type alone. */
export function hashActions(actions: readonly Action[], basis = 0): number {
  let hash = hashAdd(basis, actions.length);
  for (const action of actions) {
    switch (action.type) {
      case 'output':
        hash = hashAdd(hash, action.port);
        break;
      case 'clone':
        hash = hashActions(action.actions, hash);
        break;
      case 'tnl_push':
        hash = hashAdd(hash, action.outPort);
        for (const byte of action.header.bytes) hash = (Math.imul(hash, 31) + byte) | 0;
        break;
      case 'set':
        for (const word of action.fields.value) hash = (Math.imul(hash, 31) + word) | 0;
        break;
      case 'recirc':
        hash = hashAdd(hash, -action.id);
        break;
      default:
        hash = hashAdd(hash, action.type.length << 16);
    }
  }
  return hash;
}

export function sameActions(one: readonly Action[], other: readonly Action[]): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (!sameAction(one[index], other[index])) return false;
  return true;
}

function sameAction(one: Action, other: Action): boolean {
  if (one.type === 'output') return other.type === 'output' && one.port === other.port;
  if (one.type === 'clone') return other.type === 'clone' && sameActions(one.actions, other.actions);
  if (one.type === 'tnl_push') {
    return (
      other.type === 'tnl_push' &&
      one.tunnelPort === other.tunnelPort &&
      one.outPort === other.outPort &&
      one.header.type === other.header.type &&
      sameItems(one.header.bytes, other.header.bytes)
    );
  }
  if (one.type === 'set') {
    return (
      other.type === 'set' &&
      one.attribute === other.attribute &&
      one.masked === other.masked &&
      sameFields(one.fields, other.fields)
    );
  }
  if (one.type !== other.type) return false;
  return formatActions([one]) === formatActions([other]) && exactParts([one]) === exactParts([other]);
}

function sameFields(one: FieldSetting, other: FieldSetting): boolean {
  return sameItems(one.value, other.value) && sameItems(one.mask, other.mask);
}

function sameItems(one: ArrayLike<number>, other: ArrayLike<number>): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}

/** What the text rounds or leaves out: probabilities, the bytes of headers and of userdata. Empty for most lists. */
function exactParts(actions: readonly Action[]): string {
  let parts = '';
  for (const action of actions) {
    if (action.type === 'sample') parts += `;${action.probability}(${exactParts(action.actions)})`;
    else if (action.type === 'clone') parts += exactParts(action.actions);
    else if (action.type === 'check_pkt_len') parts += `${exactParts(action.greater)}${exactParts(action.lessEqual)}`;
    else if (action.type === 'tnl_push') parts += `;${toHex(action.header.bytes)}`;
    else if (action.type === 'userspace' && action.userdata) parts += `;${toHex(action.userdata)}`;
  }
  return parts;
}
