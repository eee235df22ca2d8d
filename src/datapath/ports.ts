/**
 * A datapath's side of its ports: the number, the queue of frames to be sent, what passed. A tunnel port of the native way has
 * no host behind it: frames leave it only through `tnl_pop`, and nothing can be output to it.
 */
import type { Port } from '../io/port.js';
import { REASON_COUNT } from '../util/reason.js';

/** Frames that a port's queue holds before it is flushed in the middle of a burst. */
export const QUEUE_LENGTH = 256;

export interface DatapathPort {
  readonly number: number;
  readonly name: string;
  /** As `dpctl/show` prints it: `system`, `internal`, `vxlan` … */
  readonly type: string;
  /** What `dpctl/show` prints behind the type, by key. */
  readonly options: Readonly<Record<string, string>>;
  readonly port: Port | undefined;
  /** Longest payload; 65535 without a host's port. */
  readonly mtu: number;
  readonly queue: Int32Array;
  queued: number;
  /** Frames may be waiting in the port. */
  ready: boolean;
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
  /** Frames that were to leave here and could not, by `Reason`. */
  readonly txDrops: Float64Array;
  /** Frames that came in here and went no further, by `Reason`. */
  readonly rxDrops: Float64Array;
}

export function createDatapathPort(
  number: number,
  name: string,
  type: string,
  options: Readonly<Record<string, string>>,
  port: Port | undefined,
): DatapathPort {
  return {
    number,
    name,
    type,
    options,
    port,
    mtu: port?.mtu ?? 65535,
    queue: new Int32Array(QUEUE_LENGTH),
    queued: 0,
    ready: false,
    rxPackets: 0,
    rxBytes: 0,
    txPackets: 0,
    txBytes: 0,
    txDrops: new Float64Array(REASON_COUNT),
    rxDrops: new Float64Array(REASON_COUNT),
  };
}
