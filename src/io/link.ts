/**
 * An in-memory link: a cable with two ends, each a `Port`, for two datapaths of one process, or for a datapath and an
 * `IpHost`. Each end has a bounded queue of frames that the other end sent. A frame that finds it full is dropped, and
 * counted by its sender. Sending wakes the other side and never runs it.
 *
 * Like a cable, a link carries bytes and no tunnel metadata, and drops what is sent while nobody is at the other end.
 * It has no delay and no rate.
 */
import type { PacketPool } from '../packet/pool.js';
import { Reason } from '../util/reason.js';
import { PortCounters, type Port, type PortHost } from './port.js';
import { checkMtu, ETHERNET_HEADER, fitsMtu, FrameQueue, VLAN_TAG } from './queue.js';

export interface LinkOptions {
  /** Names of the two ends. Default `link0` and `link1`. */
  names?: readonly [string, string];
  /** MTU of both ends, 68 to 65,517 bytes. Default 1500. */
  mtu?: number;
  /** The most frames that wait at each end, 1 to 65,536. Default 1024. */
  queue?: number;
}

/** One end of a link. */
export interface LinkEnd extends Port {
  /** Frames that wait to be received at this end. */
  readonly waiting: number;
}

interface Side {
  readonly queue: FrameQueue;
  host: PortHost | undefined;
}

/**
 * Makes a link and answers its two ends. Allocates both queues at once: `2 × queue × (mtu + about 200)` bytes.
 * Throws `out-of-range` for an MTU or a queue that cannot be.
 */
export function createLink(options: LinkOptions = {}): [LinkEnd, LinkEnd] {
  const mtu = checkMtu(options.mtu ?? 1500);
  const [first, second] = options.names ?? ['link0', 'link1'];
  const makeSide = (): Side => ({
    queue: new FrameQueue(options.queue ?? 1024, mtu + ETHERNET_HEADER + VLAN_TAG),
    host: undefined,
  });
  const here = makeSide();
  const there = makeSide();
  return [createEnd(first, mtu, here, there), createEnd(second, mtu, there, here)];
}

function createEnd(name: string, mtu: number, here: Side, there: Side): LinkEnd {
  const counters = new PortCounters();

  const sendOne = (pool: PacketPool, handle: number): Reason => {
    if (there.host === undefined) return Reason.portClosed;
    if (!fitsMtu(pool.bytes, pool.offset[handle], pool.length[handle], mtu)) return Reason.mtuExceeded;
    return there.queue.push(pool, handle);
  };

  return {
    name,
    mtu,
    counters,
    get waiting() {
      return here.queue.count;
    },
    attach(host) {
      here.host = host;
    },
    detach() {
      here.host = undefined;
      here.queue.clear();
    },
    receive(burst, room) {
      return here.host === undefined ? 0 : here.queue.pull(here.host.pool, burst, room, counters);
    },
    send(burst, count) {
      if (here.host === undefined) return;
      const { pool } = here.host;
      for (let index = 0; index < count; index++) {
        const reason = sendOne(pool, burst[index]);
        if (reason === Reason.sound) {
          counters.txPackets++;
          counters.txBytes += pool.length[burst[index]];
        } else {
          counters.txDrops[reason]++;
        }
      }
      if (there.queue.count > 0) there.host?.wake();
    },
  };
}
