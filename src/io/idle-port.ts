/**
 * A port that nothing is behind: what is sent to it is counted and gone, and nothing ever comes in by itself. Tests hand frames in
 * through the switch, and see what leaves there.
 */
import { PortCounters, type Port } from './port.js';

/** `mtu` in bytes after the Ethernet header; default 1500. */
export function createIdlePort(name: string, mtu = 1500): Port {
  const counters = new PortCounters();
  return {
    name,
    mtu,
    counters,
    attach() {},
    detach() {},
    receive: () => 0,
    send(_burst, count) {
      counters.txPackets += count;
    },
  };
}
