// A port in memory that never runs dry: each burst is 32 frames of flows that come in turn. What it is asked to send it counts.
// @ts-check
import { PortCounters } from 'megaflow';

/**
 * @typedef {object} MemoryPortOptions
 * @property {Uint8Array} [frame] What comes in; without it nothing does.
 * @property {number} [at] Where in it the IPv4 header begins whose source address and UDP source port tell flows apart.
 * @property {Int32Array} [order] The flows, in the order in which they come.
 */

/**
 * @param {string} name
 * @param {import('megaflow').PacketPool} pool The pool of the datapath.
 * @param {MemoryPortOptions} [options]
 * @returns {import('megaflow').Port & { start(): void, readonly lastSent: Uint8Array }}
 */
export function createMemoryPort(name, pool, { frame = new Uint8Array(0), at = 14, order = new Int32Array(1) } = {}) {
  const counters = new PortCounters();
  const { length, offset, view } = pool;
  const size = frame.length;
  const flows = order.length;
  const addressAt = at + 12;
  const portAt = at + 20;
  /** @type {import('megaflow').PortHost | undefined} */
  let host;
  let position = 0;
  let last = -1;

  // A frame stays what it is while it is forwarded, and headers are put before it: slots are filled once.
  if (size !== 0) {
    const handles = new Int32Array(pool.slots);
    const count = pool.allocateBurst(handles, pool.slots);
    for (const handle of handles.subarray(0, count)) pool.bytes.set(frame, offset[handle]);
    pool.releaseBurst(handles, count);
  }

  return {
    name,
    mtu: 9100,
    counters,
    attach(to) {
      host = to;
    },
    detach() {
      host = undefined;
    },
    start() {
      host?.wake();
    },
    receive(burst, room) {
      if (size === 0) return 0;
      const count = pool.allocateBurst(burst, room);
      let next = position;
      for (let index = 0; index < count; index++) {
        const handle = burst[index];
        const start = offset[handle];
        const flow = order[next];
        if (++next === flows) next = 0;
        length[handle] = size;
        view.setInt32(start + addressAt, 0x0a000000 + flow);
        view.setUint16(start + portAt, 1024 + (flow & 0x7fff));
      }
      position = next;
      counters.rxPackets += count;
      counters.rxBytes += count * size;
      return count;
    },
    send(burst, count) {
      let bytes = 0;
      for (let index = 0; index < count; index++) bytes += length[burst[index]];
      counters.txPackets += count;
      counters.txBytes += bytes;
      last = burst[count - 1];
    },
    /** A copy of the frame that was sent last, as long as its slot has not been used again. */
    get lastSent() {
      return pool.copyFrame(last);
    },
  };
}
