/**
 * Flows that people have deleted. Open vSwitch 3.1's slow path goes on believing that such a flow is in the datapath,
 * whatever it would do by now: packets with the very key of the flow are then translated one by one, counted lost, and
 * not given a flow again. That the flow would have to match more, or `revalidator/purge`, ends it.
 */
import { GROUPS_WORD, KEY_WORDS, fields, type FlowWords } from '../flow/fields.js';

interface DeletedFlow {
  readonly key: FlowWords;
  readonly mask: FlowWords;
  /** Sequence of the revalidator for which this is known to hold. */
  sequence: number;
}

/** Word of the transport ports of tunnels, which keys on their way up do not always hold. */
const TUNNEL_PORTS_WORD = fields.tunTpSrc.at >> 2;

export class DeletedFlows {
  readonly #flows = new Map<string, DeletedFlow>();

  get count(): number {
    return this.#flows.size;
  }

  add(flow: DeletedFlow): void {
    this.#flows.set(textOf(flow.key), flow);
  }

  has(key: FlowWords): boolean {
    return this.#flows.size !== 0 && this.#flows.has(textOf(key));
  }

  clear(): void {
    this.#flows.clear();
  }

  /** Forgets the flows of which `mayStay` says no; asks only where the sequence has changed. */
  sweep(sequence: number, mayStay: (flow: DeletedFlow) => boolean): void {
    for (const [text, flow] of this.#flows) {
      if (flow.sequence === sequence) continue;
      flow.sequence = sequence;
      if (!mayStay(flow)) this.#flows.delete(text);
    }
  }
}

function textOf(key: FlowWords): string {
  return key
    .subarray(0, KEY_WORDS)
    .filter((_, word) => word !== GROUPS_WORD && word !== TUNNEL_PORTS_WORD)
    .join();
}
