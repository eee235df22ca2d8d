/**
 * Captures: what a captured frame is, whatever the file format, and a decorator that captures what passes a port.
 * The formats are in `pcap.ts` and `pcapng.ts`, reading either in `capture-reader.ts`. Nothing here opens files: chunks
 * of bytes go in and come out.
 */
import { MegaflowError } from '../util/errors.js';
import type { Clock } from '../util/clock.js';
import type { PacketPool } from '../packet/pool.js';
import type { Port } from './port.js';
import { checkOption, raiseLater } from './queue.js';

/** LINKTYPE_ETHERNET of the registry of link types. */
export const LINK_TYPE_ETHERNET = 1;

/** As seen from the host: `in` was received, `out` was sent. */
export type CaptureDirection = 'in' | 'out';

/** A frame to be written to a capture. */
export interface FrameToCapture {
  /** The captured bytes, from the link header on, without a frame check sequence. */
  readonly frame: Uint8Array;
  /** Time since the beginning of 1970 (UTC): whole seconds, and nanoseconds from 0 to 999,999,999. */
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Length on the wire in bytes; left out: that of `frame`. */
  readonly originalLength?: number;
  /** pcapng: index of the interface among those of the file. Default 0. */
  readonly interface?: number;
  /** pcapng only; pcap has no place for it. */
  readonly direction?: CaptureDirection;
  /** pcapng only. */
  readonly comment?: string;
}

/** A frame that was read from a capture; `frame` is a copy of its own. */
export interface CapturedFrame extends FrameToCapture {
  readonly originalLength: number;
  /** Link type of the registry: 1 is Ethernet. */
  readonly linkType: number;
  readonly interface: number;
  /** pcapng, if the file tells it. */
  readonly interfaceName?: string;
  /** Where the record begins in the file, in bytes. */
  readonly offset: number;
}

/** Makes the bytes of a capture file, piece by piece. */
export interface CaptureWriter {
  /** What the file begins with. */
  readonly header: Uint8Array;
  /**
   * The bytes to append for one frame; new bytes each time. Throws `out-of-range` for times and lengths that do not
   * fit.
   */
  write(captured: FrameToCapture): Uint8Array;
}

/** The error for a file that cannot be read, with the place in bytes from its beginning. */
export function badCapture(offset: number, problem: string, found: unknown, allowed: string): MegaflowError {
  return new MegaflowError('bad-capture', `at byte ${offset} of the capture: ${problem}`, { offset, found }, allowed);
}

/** Refuses what cannot be written as a time; pcapng with its 64 bits takes what pcap with 32 takes, and more. */
export function checkTime(captured: FrameToCapture, mostSeconds: number): void {
  checkOption('capture time in seconds', captured.seconds, 0, mostSeconds);
  checkOption('capture time in nanoseconds', captured.nanoseconds, 0, 999_999_999);
}

export interface CapturePortOptions {
  /** Which frames are captured. Default `both`. */
  direction?: CaptureDirection | 'both';
  /** Where the time comes from. */
  clock: Clock;
  /**
   * What the clock's zero is in milliseconds since 1970; for `systemClock` that is `performance.timeOrigin`. Default 0.
   */
  epochMs?: number;
  /** The most bytes of a frame that are captured, 1 to 262,144. Default: all. */
  snapLength?: number;
}

/**
 * Takes a captured frame. It is lent for the length of the call; what this throws is thrown once more, uncaught, later.
 */
export type CaptureSink = (captured: FrameToCapture) => void;

/**
 * A port that does what `port` does and shows each frame that passes to `sink`: those that it gave to the datapath
 * (`in`), and those that it was asked to send (`out`), even if it then cannot. Add the answer to the datapath instead
 * of `port`; the counters are those of `port`. Allocates a view and an object a frame.
 */
export function capturePort(port: Port, sink: CaptureSink, options: CapturePortOptions): Port {
  const { clock, direction = 'both', epochMs = 0 } = options;
  if (!['in', 'out', 'both'].includes(direction)) {
    throw new MegaflowError(
      'bad-option',
      `no direction to capture: ${String(direction)}`,
      direction,
      'in, out or both',
    );
  }
  const snapLength = checkOption('snapLength', options.snapLength ?? 262_144, 1, 262_144);
  let pool: PacketPool | undefined;

  const show = (burst: Int32Array, count: number, passing: CaptureDirection): void => {
    if (pool === undefined || (direction !== 'both' && direction !== passing)) return;
    const now = epochMs + clock.now();
    const seconds = Math.floor(now / 1000);
    const nanoseconds = Math.floor((now - seconds * 1000) * 1e6);
    for (let index = 0; index < count; index++) {
      const whole = pool.frame(burst[index]);
      const frame = whole.length > snapLength ? whole.subarray(0, snapLength) : whole;
      try {
        sink({ frame, seconds, nanoseconds, originalLength: whole.length, direction: passing });
      } catch (error) {
        raiseLater(error);
      }
    }
  };

  return {
    name: port.name,
    get mtu() {
      return port.mtu;
    },
    counters: port.counters,
    attach(host) {
      pool = host.pool;
      port.attach(host);
    },
    detach() {
      port.detach();
      pool = undefined;
    },
    receive(burst, room) {
      const count = port.receive(burst, room);
      show(burst, count, 'in');
      return count;
    },
    send(burst, count) {
      show(burst, count, 'out');
      port.send(burst, count);
    },
  };
}
