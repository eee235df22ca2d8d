/**
 * A port for hosts in no hurry: frames as `Uint8Array`, one at a time. What the datapath sends goes to a function, what
 * arrives is handed to `receive`. It copies each frame and allocates a view (and, with tunnel metadata, an object) for
 * each; a host that moves millions of frames implements `Port` itself.
 */
import { parseTunnel, type TunnelMetadata } from '../packet/tunnel.js';
import { MegaflowError } from '../util/errors.js';
import { Reason } from '../util/reason.js';
import { PortCounters, type Port, type PortHost } from './port.js';
import { checkMtu, ETHERNET_HEADER, fitsMtu, FrameQueue, raiseLater, VLAN_TAG } from './queue.js';

export interface FunctionPortOptions {
  name: string;
  /** 68 to 65,517 bytes. Default 1500. */
  mtu?: number;
  /** The most frames that wait for the datapath, 1 to 65,536. Default 256. */
  queue?: number;
  /**
   * Takes a frame that the datapath sends, with the tunnel metadata it has, if any. The frame is lent for the length of
   * the call: copy what you keep. Called while the datapath works: it may call `receive` of any port, but must not
   * change the switch. What it throws is thrown once more outside of the datapath, as an uncaught error.
   */
  send(frame: Uint8Array, tunnel?: TunnelMetadata): void;
}

export interface FunctionPort {
  /** What is added to a datapath. */
  readonly port: Port;
  /**
   * Hands in a frame from the world outside, and the tunnel metadata it came with: it is copied and waits for the
   * datapath's turn. Answers 0, or the `Reason` why it was dropped and counted. Throws `bad-argument` for what is not a
   * `Uint8Array`, and the errors of `writeTunnel` for metadata that cannot be.
   */
  receive(frame: Uint8Array, tunnel?: TunnelMetadata): Reason;
}

/** Makes a port from two functions. Throws `out-of-range` for an MTU or a queue that cannot be. */
export function createFunctionPort(options: FunctionPortOptions): FunctionPort {
  const mtu = checkMtu(options.mtu ?? 1500);
  const queue = new FrameQueue(options.queue ?? 256, mtu + ETHERNET_HEADER + VLAN_TAG);
  const counters = new PortCounters();
  const deliver = options.send;
  let host: PortHost | undefined;

  const accept = (frame: Uint8Array, tunnel: TunnelMetadata | undefined): Reason => {
    if (!(frame instanceof Uint8Array)) {
      throw new MegaflowError('bad-argument', 'a frame is a Uint8Array', frame, 'a Uint8Array');
    }
    if (host === undefined) return Reason.portClosed;
    if (!fitsMtu(frame, 0, frame.length, mtu)) return Reason.mtuExceeded;
    return queue.pushBytes(frame, tunnel);
  };

  const port: Port = {
    name: options.name,
    mtu,
    counters,
    attach(to) {
      host = to;
    },
    detach() {
      host = undefined;
      queue.clear();
    },
    receive(burst, room) {
      return host === undefined ? 0 : queue.pull(host.pool, burst, room, counters);
    },
    send(burst, count) {
      if (host === undefined) return;
      const { pool } = host;
      for (let index = 0; index < count; index++) {
        const handle = burst[index];
        const length = pool.length[handle];
        if (!fitsMtu(pool.bytes, pool.offset[handle], length, mtu)) {
          counters.txDrops[Reason.mtuExceeded]++;
          continue;
        }
        counters.txPackets++;
        counters.txBytes += length;
        try {
          deliver(pool.frame(handle), parseTunnel(pool, handle) ?? undefined);
        } catch (error) {
          raiseLater(error);
        }
      }
    },
  };

  return {
    port,
    receive(frame, tunnel) {
      const reason = accept(frame, tunnel);
      if (reason === Reason.sound) host?.wake();
      else counters.rxDrops[reason]++;
      return reason;
    },
  };
}
