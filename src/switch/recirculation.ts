/**
 * Translations that wait for a packet to come round again (Open vSwitch's ofproto-dpif-rid): each has a number, which the actions name
 * (`recirc(0x1)`) and the packet then carries. Equal states share a number for as long as some flow refers to it; one that nothing refers
 * to is kept a little longer, for packets that are under way.
 */
import type { FlowWords } from '../flow/fields.js';
import { formatOpenFlowActions } from '../openflow/action-format.js';
import type { Clock } from '../util/clock.js';
import type { FrozenAction } from './freeze.js';
import type { Bridge, SwitchPort } from './model.js';

/** Where a translation stopped, and all it needs to go on. */
export interface FrozenState {
  readonly bridge: Bridge;
  /** Where a look-up begins if there are no actions. */
  readonly table: number;
  /** The port that the packet came in on before it went round. */
  readonly port: SwitchPort | undefined;
  readonly mirrors: number;
  /** The flow's words of which only metadata count: tunnel, OpenFlow metadata, registers, OpenFlow port. */
  readonly metadata: FlowWords;
  readonly actions: readonly FrozenAction[];
  /** What a controller is sent with the packet. */
  readonly userdata?: Uint8Array;
}

/** Words of a flow that are metadata in this sense: [first, end). */
export const METADATA_WORDS: readonly (readonly [number, number])[] = [
  [12, 30],
  [84, 103],
];

interface Node {
  readonly id: number;
  readonly state: FrozenState;
  readonly text: string;
  references: number;
  /** When the last reference went. */
  idleMs: number;
}

/** How long a state without references is kept. */
const LINGER_MS = 250;

export class Recirculations {
  readonly #clock: Clock;
  readonly #byId = new Map<number, Node>();
  readonly #byText = new Map<string, Node>();
  #next = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of a state, new or that of one like it; counts as a reference. */
  acquire(state: FrozenState): number {
    const text = describe(state);
    let node = this.#byText.get(text);
    if (!node) {
      node = {
        id: this.#next++,
        state: { ...state, metadata: state.metadata.slice() },
        text,
        references: 0,
        idleMs: 0,
      };
      this.#byId.set(node.id, node);
      this.#byText.set(text, node);
    }
    node.references++;
    return node.id;
  }

  find(id: number): FrozenState | undefined {
    return this.#byId.get(id)?.state;
  }

  /** Gives references back. A number that nothing refers to is not given again to a state like it. */
  release(ids: readonly number[]): void {
    for (const id of ids) {
      const node = this.#byId.get(id);
      if (!node || --node.references > 0) continue;
      this.#byText.delete(node.text);
      node.idleMs = this.#clock.now();
    }
  }

  /** Forgets what nothing has referred to for a while. */
  sweep(): void {
    const nowMs = this.#clock.now();
    for (const [id, node] of this.#byId)
      if (node.references === 0 && nowMs - node.idleMs > LINGER_MS) this.#byId.delete(id);
  }

  /** How many states there are. */
  get size(): number {
    return this.#byId.size;
  }
}

function describe({ bridge, table, port, mirrors, metadata, actions, userdata }: FrozenState): string {
  const words = METADATA_WORDS.flatMap(([first, end]) => Array.from(metadata.subarray(first, end)));
  const list = actions.map((action) =>
    action.type === 'unroll' ? `${action.table}/${action.cookie}` : formatOpenFlowActions([action]),
  );
  return [bridge.name, table, port?.name, mirrors, words.join(), list.join(), userdata?.join()].join(' ');
}
