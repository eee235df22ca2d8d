/**
 * The `Port` contract: what a host supplies to a datapath. Frames move in bursts of handles (see `packet/pool.ts`).
 *
 * Reception is pulled: a port that has frames calls `host.wake(port)`, and the datapath asks `receive` for bursts, in its
 * own time, until one comes back short. Sending never enters a datapath: a port that leads to another switch queues.
 *
 * Tunnel metadata travels with a frame in both directions in the pool's columns: a flow-based tunnel port reads
 * `pool.tunnel` of a frame that it is asked to send, and fills it (and `pool.extras`) for a frame that it received.
 */
import type { PacketPool } from '../packet/pool.js';
import { REASON_COUNT } from '../util/reason.js';

/** What a datapath is to a port that was added to it. */
export interface PortHost {
  /** The slots that `receive` allocates from and that `send` borrows. */
  readonly pool: PacketPool;
  /** Says that `receive` has frames to give. May be called at any time and any number of times; never re-enters the port. */
  wake(): void;
}

/** Frames and bytes both ways, and what was dropped, by `Reason`: cells that a port counts in. */
export class PortCounters {
  rxPackets = 0;
  rxBytes = 0;
  txPackets = 0;
  txBytes = 0;
  readonly rxDrops = new Float64Array(REASON_COUNT);
  readonly txDrops = new Float64Array(REASON_COUNT);
}

export interface Port {
  readonly name: string;
  /** Longest payload of a frame, in bytes after the Ethernet header (and after one 802.1Q tag). */
  readonly mtu: number;
  /** What the port itself counts: frames it took from and gave to the world outside, and those it could not. */
  readonly counters: PortCounters;
  /** Called once when the port is added to a datapath, before anything else. */
  attach(host: PortHost): void;
  /** Called once when the port leaves its datapath: nothing is asked of it afterwards. */
  detach(): void;
  /**
   * Writes up to `room` handles, allocated from the host's pool and now the caller's, to the start of `burst`; answers how
   * many. Fewer than `room` means that there are no more for now.
   */
  receive(burst: Int32Array, room: number): number;
  /**
   * Sends the first `count` handles of `burst`, borrowed for the length of the call. What cannot be sent is counted in
   * `counters.txDrops`; nothing blocks and nothing throws.
   */
  send(burst: Int32Array, count: number): void;
}
