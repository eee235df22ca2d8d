/**
 * The megaflow table: the classifier's flows with what they do and what they have seen, in columns. Flows that do the same
 * share one action list; flows of one shape share one mask. Nothing is held per flow but numbers.
 */
import { compileActions, type Program } from '../action/compile.js';
import { hashActions, sameActions } from '../action/same.js';
import type { Setter } from '../action/set.js';
import { formatActions } from '../action/text-format.js';
import type { Action } from '../action/types.js';
import { createClassifier, type Classifier } from '../classifier/classifier.js';
import { createOrderedClassifier } from '../classifier/ordered.js';
import type { FlowWords } from '../flow/fields.js';
import type { KeyRows } from '../flow/key-rows.js';
import { MegaflowError } from '../util/errors.js';

/** Actions with their program, shared by all flows that have them. */
export interface ActionList {
  readonly id: number;
  /** Made when it is first asked for: most flows go before anybody reads them. */
  readonly text: string;
  readonly hash: number;
  readonly actions: readonly Action[];
  readonly program: Program;
  references: number;
}

/** Places of `FlowTable.counters`, and how many a flow has. */
export const Counter = {
  packets: 0,
  bytes: 1,
  /** Time of last use in ms, 0: never. */
  used: 2,
  /** TCP flags seen, in the order of the wire. */
  tcpFlags: 3,
} as const;
export const COUNTER_WORDS = 4;

export class FlowTable {
  readonly classifier: Classifier;
  /** How many flows were removed so far: while it stands still, flow numbers mean what they meant. */
  removals = 0;
  /** How many were added. */
  additions = 0;
  /** What flow `f` has seen, from `f * COUNTER_WORDS` on, in the order of `Counter`: half a cache line a flow. */
  counters = new Float64Array(0);
  /** Per flow: its action list, -1 where there is no flow. */
  actionIds = new Int32Array(0);
  /** Word 17 of keys that end before it: the transport ports of their tunnels, which no flow matches and `dump-flows -m` shows. */
  tunnelPorts = new Int32Array(0);
  /** By id of the action list. */
  readonly programs: Program[] = [];

  readonly #setter: Setter;
  readonly #lists: (ActionList | undefined)[] = [];
  readonly #listsByHash = new Map<number, ActionList[]>();
  readonly #freeIds: number[] = [];

  constructor(
    rows: KeyRows,
    setter: Setter,
    options: { exactMatchEntries?: number; lookupOrder?: 'any' | 'open-vswitch' },
  ) {
    this.#setter = setter;
    this.classifier =
      options.lookupOrder === 'open-vswitch'
        ? createOrderedClassifier(rows)
        : createClassifier(rows, { exactMatchEntries: options.exactMatchEntries });
  }

  get size(): number {
    return this.classifier.size;
  }

  /** The shared form of a list of actions; throws `unsupported-action`. Release it, or give it to a flow. */
  acquire(actions: readonly Action[]): ActionList {
    const hash = hashActions(actions);
    const bucket = this.#listsByHash.get(hash);
    let list = bucket?.find((known) => sameActions(known.actions, actions));
    if (!list) {
      const program = compileActions(actions, this.#setter);
      const id = this.#freeIds.pop() ?? this.#lists.length;
      let text: string | undefined;
      list = {
        id,
        get text() {
          return (text ??= formatActions(actions));
        },
        hash,
        actions,
        program,
        references: 0,
      };
      this.#lists[id] = list;
      this.programs[id] = program;
      if (bucket) bucket.push(list);
      else this.#listsByHash.set(hash, [list]);
    }
    list.references++;
    return list;
  }

  release(list: ActionList): void {
    if (--list.references > 0) return;
    const bucket = this.#listsByHash.get(list.hash)!;
    if (bucket.length === 1) this.#listsByHash.delete(list.hash);
    else bucket.splice(bucket.indexOf(list), 1);
    this.#lists[list.id] = undefined;
    this.#freeIds.push(list.id);
  }

  /** Adds a flow with counters at zero; throws `already-exists`. */
  insert(key: FlowWords, mask: FlowWords, actions: readonly Action[], tunnelPorts = 0): number {
    const list = this.acquire(actions);
    try {
      return this.insertWith(key, mask, list, tunnelPorts);
    } finally {
      this.release(list);
    }
  }

  /** The same for actions that are acquired; the flow takes a reference of its own. */
  insertWith(key: FlowWords, mask: FlowWords, list: ActionList, tunnelPorts: number): number {
    const flow = this.classifier.insert(key, mask);
    this.additions++;
    list.references++;
    if (flow >= this.actionIds.length) this.#grow(flow + 1);
    for (let word = 0; word < COUNTER_WORDS; word++) this.counters[flow * COUNTER_WORDS + word] = 0;
    this.actionIds[flow] = list.id;
    this.tunnelPorts[flow] = tunnelPorts;
    return flow;
  }

  modify(flow: number, actions: readonly Action[]): void {
    const before = this.actionsOf(flow);
    this.actionIds[flow] = this.acquire(actions).id;
    this.release(before);
  }

  remove(flow: number): void {
    const list = this.actionsOf(flow);
    this.classifier.remove(flow);
    this.removals++;
    this.actionIds[flow] = -1;
    this.release(list);
  }

  /** Whether a number is that of a flow in the table. */
  has(flow: number): boolean {
    return flow >= 0 && flow < this.actionIds.length && this.actionIds[flow] >= 0;
  }

  actionsOf(flow: number): ActionList {
    const list = this.has(flow) ? this.#lists[this.actionIds[flow]] : undefined;
    if (!list)
      throw new MegaflowError('not-found', `there is no flow ${flow}`, flow, 'the number of an installed flow');
    return list;
  }

  #grow(least: number): void {
    const size = Math.max(64, least, Math.ceil(this.actionIds.length * 1.5));
    const grow = <T extends Float64Array | Int32Array>(column: T, larger: T): T => {
      larger.set(column);
      return larger;
    };
    this.counters = grow(this.counters, new Float64Array(COUNTER_WORDS * size));
    this.actionIds = grow(this.actionIds, new Int32Array(size).fill(-1));
    this.tunnelPorts = grow(this.tunnelPorts, new Int32Array(size));
  }
}
