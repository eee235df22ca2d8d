/**
 * Where translation takes the flows from that it needs for a while: the packet's, the one it is compared with, those of bridges that it passes
 * through. V8 keeps an array of 104 words beside its heap, and takes 400 ns to make one; a copy takes 15. A translation through a tunnel
 * needs a dozen.
 */
import { FLOW_WORDS, type FlowWords } from '../flow/fields.js';

/** Flows are taken from the top, and given back down to a height: those of a translation within another lie above the outer one's. */
export class FlowStack {
  readonly #flows: FlowWords[] = [];
  #height = 0;

  /** How many flows are in use: `release` wants it. */
  get height(): number {
    return this.#height;
  }

  /** A copy of a flow, or of a key; what a key lacks is zero. */
  copy(original: FlowWords): FlowWords {
    const flow = this.#take();
    flow.set(original);
    if (original.length < FLOW_WORDS) flow.fill(0, original.length);
    return flow;
  }

  /** A flow of zeros. */
  empty(): FlowWords {
    return this.#take().fill(0);
  }

  /** Gives back all flows that were taken since there were `height`. */
  release(height: number): void {
    this.#height = height;
  }

  #take(): FlowWords {
    if (this.#height === this.#flows.length) this.#flows.push(new Int32Array(FLOW_WORDS));
    return this.#flows[this.#height++];
  }
}

/** Copies the words from `first` up to `end`. */
export function copyWords(to: FlowWords, from: FlowWords, first: number, end: number): void {
  for (let word = first; word < end; word++) to[word] = from[word];
}
