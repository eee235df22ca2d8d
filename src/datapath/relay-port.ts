/**
 * A port whose frames leave from another datapath, at the other end of a channel: of a worker for the ports that only the datapath with the
 * slow path has (LOCAL ones, say), and the other way round for what the slow path itself sends. Nothing comes in here: what comes in
 * over there is taken by the datapath there.
 */
import { PortCounters, type Port, type PortHost } from '../io/port.js';
import { Reason } from '../util/reason.js';
import type { FrameSender } from './messages.js';

export interface RelayPortOptions {
  name: string;
  /** The number of the port over there. */
  number: number;
  /** Default 1500. */
  mtu?: number;
}

export function createRelayPort(sender: FrameSender, { name, number, mtu = 1500 }: RelayPortOptions): Port {
  const counters = new PortCounters();
  const actions = [{ type: 'output', port: number }] as const;
  let host: PortHost | undefined;
  return {
    name,
    mtu,
    counters,
    attach(to) {
      host = to;
    },
    detach() {
      host = undefined;
    },
    receive: () => 0,
    send(burst, count) {
      if (!host) return;
      const { pool } = host;
      for (let index = 0; index < count; index++) {
        const packet = burst[index];
        const metadata = { inPort: pool.inPort[packet], hash: pool.hash[packet], recircId: 0 };
        if (sender.send(pool.frame(packet), metadata, actions)) {
          counters.txPackets++;
          counters.txBytes += pool.length[packet];
        } else counters.txDrops[Reason.queueFull]++;
      }
    },
  };
}
