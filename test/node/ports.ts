// What tests of ports of Node share: a datapath's place taken by hand, frames, and waiting for what must come.
import { BURST, PacketPool } from '../../src/packet/pool.js';
import type { Port } from '../../src/io/port.js';
import { writeTunnel, parseTunnel, type TunnelMetadata } from '../../src/packet/tunnel.js';

/** A frame of `length` bytes from and to unicast addresses, told apart by `number`. */
export function frameOf(number: number, length = 64): Uint8Array {
  const frame = new Uint8Array(length).fill(number & 0xff);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5].slice(0, length));
  if (length >= 18) new DataView(frame.buffer).setUint32(14, number);
  return frame;
}

/** Sits where a datapath would: takes nothing until it is asked to. */
export function sitAt(port: Port, options: { slots?: number; frameBytes?: number } = {}) {
  const pool = new PacketPool({ slots: options.slots ?? 256, frameBytes: options.frameBytes ?? 2048 });
  const burst = new Int32Array(BURST);
  const waiters: (() => void)[] = [];
  let wakes = 0;
  port.attach({
    pool,
    wake() {
      wakes++;
      for (const waiter of waiters.splice(0)) waiter();
    },
  });
  const take = (room = BURST): { frame: Uint8Array; tunnel?: TunnelMetadata }[] => {
    const count = port.receive(burst, room);
    const taken = Array.from({ length: count }, (_, index) => ({
      frame: pool.copyFrame(burst[index]),
      tunnel: parseTunnel(pool, burst[index]) ?? undefined,
    }));
    pool.releaseBurst(burst, count);
    return taken;
  };
  return {
    pool,
    take,
    get wakes() {
      return wakes;
    },
    /** Sends frames as one burst. */
    send(frames: readonly Uint8Array[], tunnel?: TunnelMetadata, hash = 0): void {
      const handles = Int32Array.from(frames, (frame) => {
        const handle = pool.allocateCopy(frame);
        if (tunnel !== undefined) writeTunnel(pool, handle, tunnel);
        pool.hash[handle] = hash;
        return handle;
      });
      for (let at = 0; at < handles.length; at += BURST) {
        const part = handles.slice(at, at + BURST);
        port.send(part, part.length);
      }
      pool.releaseBurst(handles, handles.length);
    },
    /** Takes frames as they come until there are `count`. The test's own time limit ends it if they never come. */
    async receive(count: number) {
      const frames: { frame: Uint8Array; tunnel?: TunnelMetadata }[] = [];
      while (frames.length < count) {
        const taken = take();
        frames.push(...taken);
        if (taken.length === 0) await new Promise<void>((resolve) => waiters.push(resolve));
      }
      return frames;
    },
  };
}

/** Comes back when `condition` holds; the test's own time limit ends it if it never does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
