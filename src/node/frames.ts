/**
 * Ports for people who want frames and no datapath: `for await` over what a port receives, and a function that sends.
 * It sits down at a port as a datapath would, with a small pool of its own. Frames are copied, one object each; what
 * nobody asks for in time stays in the port, which bounds it and counts what it drops.
 */
import type { Port } from '../io/port.js';
import { ETHERNET_HEADER, VLAN_TAG } from '../io/queue.js';
import { BURST, PacketPool } from '../packet/pool.js';
import { parseTunnel, writeTunnel, type TunnelMetadata } from '../packet/tunnel.js';
import { MegaflowError } from '../util/errors.js';
import type { NodePort } from './node-port.js';

export interface ReceivedFrame {
  /** A copy of its own. */
  readonly frame: Uint8Array;
  /** What a tunnel port says of where it came from. */
  readonly tunnel?: TunnelMetadata;
}

export interface FrameStream extends AsyncIterable<ReceivedFrame> {
  /**
   * Sends a frame, with tunnel metadata where the port is a tunnel's; what the port drops, it counts. Throws
   * `out-of-range` for a frame that no port takes, `closed`, and the errors of `writeTunnel`.
   */
  send(frame: Uint8Array, tunnel?: TunnelMetadata): void;
  /** Leaves the port, which stays open; loops over the stream end. */
  close(): void;
  [Symbol.dispose](): void;
}

/**
 * Sits down at a port that no datapath has. The stream ends when it or the port is closed; leaving the loop closes it.
 * All loops over one stream share its frames: each frame is answered once.
 */
export function openFrames(port: Port | NodePort): FrameStream {
  const longest = Math.min(65_535, port.mtu + ETHERNET_HEADER + VLAN_TAG);
  const pool = new PacketPool({ slots: 2 * BURST, frameBytes: Math.max(64, longest) });
  const burst = new Int32Array(BURST);
  const one = new Int32Array(1);
  const ready: ReceivedFrame[] = [];
  let isOpen = true;
  let wakeUp: (() => void) | undefined;

  const wake = (): void => {
    wakeUp?.();
    wakeUp = undefined;
  };
  port.attach({ pool, wake });

  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    port.detach();
    wake();
  };
  if ('closed' in port) void port.closed.then(close);

  const pull = (): void => {
    const count = port.receive(burst, BURST);
    for (let index = 0; index < count; index++) {
      const tunnel = parseTunnel(pool, burst[index]);
      const frame = pool.copyFrame(burst[index]);
      ready.push(tunnel === null ? { frame } : { frame, tunnel });
    }
    pool.releaseBurst(burst, count);
  };

  return {
    send(frame, tunnel) {
      if (!isOpen) throw new MegaflowError('closed', `nobody is at ${port.name} any more`, port.name, 'an open stream');
      const handle = pool.allocateCopy(frame);
      if (handle < 0) {
        throw new MegaflowError(
          'out-of-range',
          `a frame cannot have ${frame.length} bytes`,
          frame.length,
          `${longest}`,
        );
      }
      try {
        if (tunnel !== undefined) writeTunnel(pool, handle, tunnel);
        one[0] = handle;
        port.send(one, 1);
      } finally {
        pool.release(handle);
      }
    },
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          if (ready.length === 0 && isOpen) pull();
          const next = ready.shift();
          if (next !== undefined) yield next;
          else if (!isOpen) return;
          else {
            await new Promise<void>((resolve) => {
              const others = wakeUp;
              wakeUp = () => {
                others?.();
                resolve();
              };
            });
          }
        }
      } finally {
        close();
      }
    },
    close,
    [Symbol.dispose]: close,
  };
}
