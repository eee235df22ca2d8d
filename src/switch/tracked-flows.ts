/**
 * What the switch knows of its flows beside the datapath (Open vSwitch's udpif keys): columns by the number of the flow, about 50 bytes each.
 * As objects they would take ten times as much, and the garbage collector would have to walk through them.
 */
import type { Action } from '../action/types.js';
import type { EffectList, EffectLists } from './effects.js';
import type { Recirculations } from './recirculation.js';

/** What is known of a flow when it begins to be tracked. */
export interface NewFlow {
  /** Sequence for which it is known to be right: a number that is not 0. */
  readonly sequence: number;
  readonly createdMs: number;
  /** What the flow is taken to do. */
  readonly actions: readonly Action[];
  readonly effects: EffectList;
  /** Recirculation ids that its actions refer to. */
  readonly recirculations: readonly number[];
  /** Ethernet source of its key. */
  readonly source: number;
  /** Whether Open vSwitch can read back its key. */
  readonly isReadable: boolean;
}

const NO_ACTIONS: readonly Action[] = [];
const NO_EFFECTS: EffectList = { effects: [], hash: 0, references: 1 };

export class TrackedFlows {
  /** 0: the flow is not tracked. */
  sequences = new Int32Array(0);
  createdMs = new Float64Array(0);
  /** How many packets and bytes of the flow tables have been told of. */
  packets = new Float64Array(0);
  bytes = new Float64Array(0);
  sources = new Float64Array(0);
  unreadable = new Uint8Array(0);
  readonly actions: (readonly Action[])[] = [];
  readonly effects: EffectList[] = [];
  /** Of the flows that have some. */
  readonly #recirculations = new Map<number, readonly number[]>();
  readonly #lists: EffectLists;
  readonly #states: Recirculations;
  #count = 0;

  constructor(lists: EffectLists, states: Recirculations) {
    this.#lists = lists;
    this.#states = states;
  }

  get count(): number {
    return this.#count;
  }

  has(flow: number): boolean {
    return flow < this.sequences.length && this.sequences[flow] !== 0;
  }

  /** Begins to track a flow that is not tracked, with nothing told of it. References are handed over. */
  add(flow: number, fresh: NewFlow): void {
    if (flow >= this.sequences.length) this.#grow(flow + 1);
    this.sequences[flow] = fresh.sequence;
    this.createdMs[flow] = fresh.createdMs;
    this.packets[flow] = 0;
    this.bytes[flow] = 0;
    this.sources[flow] = fresh.source;
    this.unreadable[flow] = fresh.isReadable ? 0 : 1;
    this.actions[flow] = fresh.actions;
    this.effects[flow] = fresh.effects;
    if (fresh.recirculations.length !== 0) this.#recirculations.set(flow, fresh.recirculations);
    this.#count++;
  }

  /** Notes what a translation has found anew. References are handed over, those before are given back. */
  update(flow: number, sequence: number, effects: EffectList, recirculations: readonly number[]): void {
    this.sequences[flow] = sequence;
    this.#lists.release(this.effects[flow]);
    this.effects[flow] = effects;
    this.#releaseStates(flow);
    if (recirculations.length !== 0) this.#recirculations.set(flow, recirculations);
  }

  /** Ends tracking a flow, if it is tracked. */
  remove(flow: number): void {
    if (!this.has(flow)) return;
    this.sequences[flow] = 0;
    this.#lists.release(this.effects[flow]);
    this.actions[flow] = NO_ACTIONS;
    this.effects[flow] = NO_EFFECTS;
    this.#releaseStates(flow);
    this.#count--;
  }

  #releaseStates(flow: number): void {
    if (this.#recirculations.size === 0) return;
    const ids = this.#recirculations.get(flow);
    if (!ids) return;
    this.#states.release(ids);
    this.#recirculations.delete(flow);
  }

  #grow(least: number): void {
    const size = Math.max(64, least, Math.ceil(this.sequences.length * 1.5));
    const grow = <T extends Float64Array | Int32Array | Uint8Array>(column: T, larger: T): T => {
      larger.set(column);
      return larger;
    };
    this.sequences = grow(this.sequences, new Int32Array(size));
    this.createdMs = grow(this.createdMs, new Float64Array(size));
    this.packets = grow(this.packets, new Float64Array(size));
    this.bytes = grow(this.bytes, new Float64Array(size));
    this.sources = grow(this.sources, new Float64Array(size));
    this.unreadable = grow(this.unreadable, new Uint8Array(size));
    // Without holes: an array that is written to far behind its end becomes a hash table.
    while (this.actions.length < size) this.actions.push(NO_ACTIONS);
    while (this.effects.length < size) this.effects.push(NO_EFFECTS);
  }
}
