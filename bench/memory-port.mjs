// A port in memory that never runs dry: each burst is 32 frames of flows that come in turn. What it is asked to send it counts.
// @ts-check
import { PortCounters } from 'megaflow';

/**
 * @typedef {object} MemoryPortOptions
 * @property {Uint8Array} [frame] What comes in; without it nothing does.
 * @property {number} [at] Where the IPv4 header begins whose source address and UDP source port tell flows apart.
 * @property {Int32Array} [order] The flows, in the order in which they come.
 */

/**
 * @param {string} name
 * @param {MemoryPortOptions} [options]
 * @returns {import('megaflow').Port & { start(): void, lastSent: Uint8Array }}
 */
export function createMemoryPort(name, { frame = new Uint8Array(0), at = 14, order = new Int32Array(1) } = {}) {
  const counters = new PortCounters();
  /** @type {import('megaflow').PortHost | undefined} */
  let host;
  let position = 0;
  const size = frame.length;
  const flows = order.length;
  const addressAt = at + 12;
  const portAt = at + 20;
  /** @type {Int32Array} */
  let length;
  /** @type {Int32Array} */
  let offset;
  /** @type {DataView} */
  let view;
  let last = -1;
  return {
    name,
    mtu: 9100,
    counters,
    attach(to) {
      host = to;
      ({ length, offset, view } = to.pool);
      if (size === 0) return;
      // A frame stays what it is while it is forwarded, and headers are put before it: slots are filled once.
      const { pool } = to;
      const handles = [];
      for (let handle = pool.allocate(); handle >= 0; handle = pool.allocate()) {
        pool.bytes.set(frame, offset[handle]);
        handles.push(handle);
      }
      for (const handle of handles) pool.release(handle);
    },
    detach() {
      host = undefined;
    },
    start() {
      host?.wake();
    },
    receive(burst, room) {
      if (host === undefined) return 0;
      const { pool } = host;
      for (let index = 0; index < room; index++) {
        const handle = pool.allocate();
        const start = offset[handle];
        const flow = order[position];
        if (++position === flows) position = 0;
        length[handle] = size;
        view.setInt32(start + addressAt, 0x0a000000 + flow);
        view.setUint16(start + portAt, 1024 + (flow & 0x7fff));
        burst[index] = handle;
      }
      counters.rxPackets += room;
      counters.rxBytes += room * size;
      return room;
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
      return host === undefined ? new Uint8Array(0) : host.pool.copyFrame(last);
    },
  };
}
