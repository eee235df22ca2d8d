/**
 * What a port of Node has received and the datapath has not taken yet: a bounded queue that exists while the port is
 * attached, with slots as long as those of the datapath's pool. What finds it full is dropped and counted.
 */
import type { PacketHandle, PacketPool } from '../packet/pool.js';
import { Reason } from '../util/reason.js';
import type { PortCounters, PortHost } from '../io/port.js';
import { checkOption, ETHERNET_HEADER, FrameQueue } from '../io/queue.js';

export interface Intake {
  attach(host: PortHost): void;
  detach(): void;
  receive(burst: Int32Array, room: number): number;
  /** Copies a frame into the queue, and wakes the datapath or counts why not. `fill` may add metadata to the slot. */
  accept(
    bytes: Uint8Array,
    start: number,
    end: number,
    fill?: (pool: PacketPool, handle: PacketHandle) => void,
  ): Reason;
  /** The datapath's pool, from which frames are sent; undefined while the port is attached to none. */
  readonly pool: PacketPool | undefined;
}

/** `limit` frames (1 to 65,536) of at most `frameBytes`, or of what the datapath's slots hold if that is less. */
export function createIntake(limit: number, frameBytes: number, counters: PortCounters): Intake {
  checkOption('queue', limit, 1, 65_536);
  let host: PortHost | undefined;
  let queue: FrameQueue | undefined;

  const take: Intake['accept'] = (bytes, start, end, fill) => {
    if (host === undefined || queue === undefined) return Reason.portClosed;
    const length = end - start;
    if (length < ETHERNET_HEADER) return Reason.runt;
    if (length > frameBytes) return Reason.frameTooLong;
    const handle = queue.reserve(length);
    if (handle < 0) return -handle as Reason;
    const { pool } = queue;
    pool.bytes.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), pool.offset[handle]);
    fill?.(pool, handle);
    queue.append(handle);
    host.wake();
    return Reason.sound;
  };

  return {
    attach(to) {
      host = to;
      queue = new FrameQueue(limit, Math.min(frameBytes, to.pool.frameBytes));
    },
    detach() {
      host = undefined;
      queue = undefined;
    },
    receive(burst, room) {
      return host === undefined || queue === undefined ? 0 : queue.pull(host.pool, burst, room, counters);
    },
    accept(bytes, start, end, fill) {
      const reason = take(bytes, start, end, fill);
      if (reason !== Reason.sound) counters.rxDrops[reason]++;
      return reason;
    },
    get pool() {
      return host?.pool;
    },
  };
}
