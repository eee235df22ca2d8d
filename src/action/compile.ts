/**
 * From a list of actions to a program: integers for `execute.ts` to walk, with the objects they refer to (header templates,
 * field writers, userspace actions) beside them. Everything that can be known when a megaflow is installed is worked out here,
 * and what is not executed is refused here, with `unsupported-action`.
 *
 * Two things are decided here so that execution need not look. A frame handed to a port is borrowed, not copied, until the
 * port's queue is flushed; so where a packet is changed after it was output, `flush` stands between. And `trunc` is folded
 * into the next action that heeds it: an output, tnl_push, tnl_pop or userspace; a clone takes it along; check_pkt_len
 * measures with it; sample and recirc pass it by, and their packets are whole (all observed with 3.1.0).
 */
import { MegaflowError } from '../util/errors.js';
import { createPushTemplate, type PushTemplate } from './push.js';
import type { SetFields, Setter } from './set.js';
import type { Action } from './types.js';

/** Operation codes, each followed by its operands. */
export const Op = {
  /** port */
  output: 1,
  /** port, most bytes */
  outputCut: 2,
  /** template, out port */
  push: 3,
  /** port */
  pop: 4,
  /** recirculation id */
  recirculate: 5,
  /** words of the nested program, which follows; works on copies */
  clone: 6,
  /** probability as int32 of 2^32 - 1, words of the nested program; works on copies */
  sample: 7,
  /** setter */
  set: 8,
  /** TPID, TCI */
  pushVlan: 9,
  popVlan: 10,
  /** symmetric (0 or 1), basis */
  hash: 11,
  /** userspace action, most bytes (0: all) */
  userspace: 12,
  /** size, length that packets will be cut to (0: none), words of the program for longer packets, words of the other; both follow and work on copies */
  checkLength: 13,
  /** all queues that hold the packet are flushed */
  flush: 14,
  /** most bytes: cuts the packet */
  cut: 15,
  /** the packet is dropped for this reason */
  drop: 16,
  /** like pop and recirculate, on copies: something follows; popCopy: port, most bytes (0: all) */
  popCopy: 17,
  recirculateCopy: 18,
} as const;

export interface Program {
  readonly code: Int32Array;
  readonly templates: readonly PushTemplate[];
  readonly setters: readonly SetFields[];
  readonly userspace: readonly (Action & { type: 'userspace' })[];
  /** Whether something in it needs the packets' 5-tuple hash, or lets others need it after the packet has been changed. */
  readonly usesHash: boolean;
}

/** Least length that `trunc` leaves: an Ethernet header. */
const LEAST_CUT = 14;
/** Frames are shorter. */
const MOST_CUT = 0xffff;
const TAG_BYTES = 4;

/** Deepest nesting of clone, sample and check_pkt_len: a translation nests no deeper than it may go (`MAX_DEPTH` of switch/context.ts). */
export const MAX_NESTING = 64;

/** Actions, and attributes of `set`, that need the hash: a port behind a tunnel takes its source port from it. */
const HASH_USERS: ReadonlySet<string> = new Set(['tnl_push', 'tunnel', 'recirc', 'hash', 'userspace']);

/** Compiles; throws `unsupported-action` for what is not executed. */
export function compileActions(actions: readonly Action[], setter: Setter): Program {
  const code: number[] = [];
  const templates: PushTemplate[] = [];
  const setters: SetFields[] = [];
  const userspace: (Action & { type: 'userspace' })[] = [];

  let usesHash = false;

  /** `cut` is the length that a `trunc` before this list left pending, 0 for none. */
  function compileList(list: readonly Action[], depth: number, cut: number): void {
    if (depth > MAX_NESTING) {
      throw new MegaflowError(
        'unsupported-action',
        'actions are nested too deeply',
        depth,
        `at most ${MAX_NESTING} levels`,
      );
    }
    let lent = false;
    /** Before the packet itself is changed. */
    const settle = (): void => {
      if (lent) code.push(Op.flush);
      lent = false;
    };
    /** A program inside another: its length goes before it. */
    const nested = (inner: readonly Action[], at: number, innerCut = 0): void => {
      const start = code.length;
      compileList(inner, depth + 1, innerCut);
      code[at] = code.length - start;
    };
    list.forEach((action, index) => {
      const last = index === list.length - 1;
      usesHash ||= HASH_USERS.has(action.type === 'set' ? action.attribute : action.type);
      switch (action.type) {
        case 'output':
          if (cut !== 0) code.push(Op.outputCut, action.port, cut);
          else code.push(Op.output, action.port);
          lent ||= cut === 0;
          cut = 0;
          break;
        case 'drop':
          code.push(Op.drop);
          break;
        case 'clone': {
          code.push(Op.clone, 0);
          nested(action.actions, code.length - 1, cut);
          cut = 0;
          break;
        }
        case 'sample': {
          code.push(Op.sample, action.probability | 0, 0);
          nested(action.actions, code.length - 1);
          break;
        }
        case 'check_pkt_len': {
          code.push(Op.checkLength, action.size, cut, 0, 0);
          const at = code.length;
          nested(action.greater, at - 2);
          nested(action.lessEqual, at - 1);
          break;
        }
        case 'tnl_push':
          settle();
          if (cut !== 0) code.push(Op.cut, cut);
          cut = 0;
          code.push(Op.push, templates.push(createPushTemplate(action.header)) - 1, action.outPort);
          break;
        case 'tnl_pop':
          settle();
          if (last && cut !== 0) code.push(Op.cut, cut);
          if (last) code.push(Op.pop, action.port);
          else code.push(Op.popCopy, action.port, cut);
          cut = 0;
          break;
        case 'recirc':
          settle();
          code.push(last ? Op.recirculate : Op.recirculateCopy, action.id);
          break;
        case 'set':
          settle();
          code.push(Op.set, setters.push(setter.createSet(action.attribute, action.fields)) - 1);
          break;
        case 'push_vlan':
          settle();
          code.push(Op.pushVlan, action.tpid, action.tci);
          // What is to be cut is a number of bytes at the end, so the tag adds to what is left.
          if (cut !== 0) cut += TAG_BYTES;
          break;
        case 'pop_vlan':
          settle();
          code.push(Op.popVlan);
          if (cut !== 0) cut = Math.max(LEAST_CUT, cut - TAG_BYTES);
          break;
        case 'hash':
          code.push(Op.hash, action.algorithm === 'sym_l4' ? 1 : 0, action.basis);
          break;
        case 'trunc':
          cut = Math.min(Math.max(action.maxLength, LEAST_CUT), MOST_CUT);
          break;
        case 'userspace':
          code.push(Op.userspace, userspace.push(action) - 1, cut);
          cut = 0;
          break;
        default:
          throw new MegaflowError(
            'unsupported-action',
            `the action ${action.type} is not executed`,
            action.type,
            'an action that this datapath executes',
          );
      }
    });
  }

  compileList(actions, 0, 0);
  return { code: Int32Array.from(code), templates, setters, userspace, usesHash };
}
