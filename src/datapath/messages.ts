/**
 * What a datapath of a worker and the one with the slow path say to each other. Messages are plain objects of numbers, arrays and bytes,
 * which any `postMessage` can carry; their order is kept, and nothing is answered but a `miss` and an `execute`.
 */
import type { Action } from '../action/types.js';
import type { FlowWords } from '../flow/fields.js';
import type { PacketMetadata } from '../packet/metadata.js';

/**
 * One end of a channel: what `MessagePort` and `Worker` are, in Node (with `on`) and in browsers (with `addEventListener`), and what a test
 * can make by itself.
 */
export interface MessageEnd {
  postMessage(message: unknown): void;
  on?(event: 'message', listener: (message: any) => void): unknown;
  addEventListener?(event: 'message', listener: (event: any) => void): void;
  /** Browsers' ports wait for it. */
  start?(): void;
}

/** Has `listener` called with each message that comes in. */
export function listen(end: MessageEnd, listener: (message: unknown) => void): void {
  if (end.on) end.on('message', listener);
  else end.addEventListener?.('message', (event: { data: unknown }) => listener(event.data));
  end.start?.();
}

/** A frame to be worked on at the other end. Answered by `executed`, so that only so many are under way. */
export interface ExecuteMessage {
  readonly type: 'execute';
  readonly frame: Uint8Array;
  readonly metadata: PacketMetadata;
  readonly actions: readonly Action[];
}

export interface ExecutedMessage {
  readonly type: 'executed';
}

/** A flow, with the name that both ends know it by: numbers of flows are used again, ids are not. */
export interface FlowMessage {
  readonly id: number;
  readonly key: FlowWords;
  readonly mask: FlowWords;
  readonly actions: readonly Action[];
}

/** What a worker says. */
export type WorkerMessage =
  | ExecuteMessage
  | ExecutedMessage
  /** A packet for which the worker has no flow; answered by `decision`. */
  | { readonly type: 'miss'; readonly request: number; readonly frame: Uint8Array; readonly metadata: PacketMetadata }
  /** What flows have counted since the last time, in columns. */
  | {
      readonly type: 'statistics';
      readonly ids: Float64Array;
      readonly packets: Float64Array;
      readonly bytes: Float64Array;
      /** How long ago each was used: clocks of threads have origins of their own. */
      readonly agoMs: Float64Array;
      readonly tcpFlags: Uint16Array;
    };

/** What the datapath with the slow path says. */
export type ServerMessage =
  | ExecuteMessage
  | ExecutedMessage
  /** `actions` null: the packet is lost. `flow`: it is installed for those that follow. */
  | {
      readonly type: 'decision';
      readonly request: number;
      readonly actions: readonly Action[] | null;
      readonly flow?: FlowMessage;
    }
  | { readonly type: 'modify'; readonly id: number; readonly actions: readonly Action[] }
  | { readonly type: 'remove'; readonly id: number };

/** Sends frames to the other end: so many at most that have not been dealt with there. */
export class FrameSender {
  readonly #end: MessageEnd;
  readonly #limit: number;
  #underWay = 0;

  constructor(end: MessageEnd, limit: number) {
    this.#end = end;
    this.#limit = limit;
  }

  /** False: too many are under way, and this one was not sent. `frame` is copied. */
  send(frame: Uint8Array, metadata: PacketMetadata, actions: readonly Action[]): boolean {
    if (this.#underWay === this.#limit) return false;
    this.#underWay++;
    this.#end.postMessage({ type: 'execute', frame: frame.slice(), metadata, actions } satisfies ExecuteMessage);
    return true;
  }

  executed(): void {
    this.#underWay--;
  }
}
