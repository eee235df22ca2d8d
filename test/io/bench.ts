// A test bench for ports: what a datapath is to a port, reduced to a pool and a count of wakes.
import { PacketPool, BURST } from '../../src/packet/pool.js';
import { parseTunnel, writeTunnel, type TunnelMetadata } from '../../src/packet/tunnel.js';
import type { Port } from '../../src/io/port.js';

export interface Bench {
  readonly pool: PacketPool;
  readonly port: Port;
  wakes: number;
  /** Sends copies of frames in one burst, and gives the slots back. */
  send(...frames: Uint8Array[]): void;
  sendWithTunnel(frame: Uint8Array, tunnel: TunnelMetadata, hash?: number): void;
  /** Everything that the port has to give, copied, with the slots given back. */
  receive(room?: number): Uint8Array[];
  receiveAll(room: number): { frame: Uint8Array; tunnel: TunnelMetadata | null }[];
  receiveWithTunnel(): { frame: Uint8Array; tunnel: TunnelMetadata | null }[];
}

export function attachBench(port: Port, pool = new PacketPool({ slots: 128 })): Bench {
  const bench: Bench = {
    pool,
    port,
    wakes: 0,
    send(...frames) {
      const burst = Int32Array.from(frames, (frame) => {
        const handle = pool.allocateCopy(frame);
        if (handle < 0) throw new Error('the pool of the bench is too small');
        return handle;
      });
      port.send(burst, burst.length);
      pool.releaseBurst(burst, burst.length);
    },
    sendWithTunnel(frame, tunnel, hash = 0) {
      const handle = pool.allocateCopy(frame);
      writeTunnel(pool, handle, tunnel);
      pool.hash[handle] = hash;
      port.send(Int32Array.of(handle), 1);
      pool.release(handle);
    },
    receive(room = BURST) {
      return bench.receiveAll(room).map(({ frame }) => frame);
    },
    receiveWithTunnel() {
      return bench.receiveAll(BURST);
    },
    receiveAll(room) {
      const burst = new Int32Array(room);
      const found: { frame: Uint8Array; tunnel: TunnelMetadata | null }[] = [];
      for (;;) {
        const count = port.receive(burst, room);
        for (let index = 0; index < count; index++) {
          found.push({ frame: pool.copyFrame(burst[index]), tunnel: parseTunnel(pool, burst[index]) });
        }
        pool.releaseBurst(burst, count);
        if (count < room) return found;
      }
    },
  };
  port.attach({ pool, wake: () => void bench.wakes++ });
  return bench;
}

/** A frame of `length` bytes with a number in it; addresses and type are of no meaning. */
export function numbered(number: number, length = 60): Uint8Array {
  const frame = new Uint8Array(length).map((_, index) => (index * 7 + number) & 0xff);
  frame[12] = 0x88;
  frame[13] = 0xb5;
  if (length >= 18) new DataView(frame.buffer).setUint32(14, number);
  return frame;
}

/** Random numbers from a seed (xorshift32), for tests that print it. */
export function createRandom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
