// Stages `forward`, `encapsulate` and `decapsulate`, end to end: bursts of 32 from a port in memory, through a `Datapath` as its users make
// it, out of a port in memory, with the counters of flows and ports. One megaflow serves all (two for decapsulation), which the upcalls of
// the first packets install.
// @ts-check
import { Datapath, PacketPool, createMatch, setExact } from 'megaflow';
import { OUTER_BYTES, innerFrame, outerFrame, outerHeader, shuffled } from './frames.mjs';
import { createMemoryPort } from './memory-port.mjs';

/** @typedef {'forward' | 'encapsulate' | 'decapsulate'} Stage */

export const STAGES = /** @type {const} */ (['forward', 'encapsulate', 'decapsulate']);
export const FLOWS = [1, 100, 10_000, 100_000];
const BURST = 32;

const VXLAN_TYPE = 4;

/** The fields that the megaflows look at: those of baseline.c. */
const LOOKED = /** @type {const} */ (['inPort', 'recircId', 'ethDst', 'ethType', 'vlanTci', 'ipFrag']);
const LOOKED_TUNNEL = /** @type {const} */ (['tunSrc', 'tunDst', 'tunId', 'tunFlags', 'tunTtl']);

/**
 * @param {Stage} stage
 * @param {number} flows How many 5-tuples there are.
 * @param {{ frameBytes?: number, createPort?: typeof createMemoryPort } & Partial<import('megaflow').DatapathOptions>} [options]
 */
export function createBench(stage, flows, { frameBytes = 64, createPort = createMemoryPort, ...options } = {}) {
  const isTunnel = stage === 'decapsulate';
  const frame = isTunnel ? outerFrame(frameBytes) : innerFrame(frameBytes);
  const pool = new PacketPool({ frameBytes: Math.max(2048, frame.length) });
  const source = createPort('in', pool, { frame, at: isTunnel ? OUTER_BYTES + 14 : 14, order: shuffled(flows) });
  const sink = createPort('out', pool);

  /** @type {import('megaflow').UpcallHandler} */
  const upcall = (_packet, key) => {
    const { mask } = createMatch();
    for (const name of LOOKED) setExact(mask, name);
    if (key[0] === vxlanPort) for (const name of LOOKED_TUNNEL) setExact(mask, name);
    return { mask, actions: key[0] === inPort ? actions : [{ type: 'output', port: outPort }] };
  };

  const datapath = new Datapath({ upcall, pool, ...options });
  const inPort = datapath.addPort(source);
  const outPort = datapath.addPort(sink);
  const vxlanPort = datapath.addPort(undefined, { name: 'vxlan_sys_4789', type: 'vxlan' });

  /** @type {import('megaflow').Action[]} */
  const actions = [];
  if (stage === 'encapsulate') {
    actions.push({
      type: 'tnl_push',
      tunnelPort: vxlanPort,
      outPort,
      header: { type: VXLAN_TYPE, bytes: outerHeader() },
    });
  }
  actions.push(isTunnel ? { type: 'tnl_pop', port: vxlanPort } : { type: 'output', port: outPort });
  source.start();

  return {
    datapath,
    source,
    sink,
    frameBytes: frame.length,
    /** Takes `packets` packets through; answers nanoseconds of processor time a packet. */
    run(/** @type {number} */ packets) {
      const before = process.cpuUsage();
      const sent = sink.counters.txPackets;
      for (let left = packets; left > 0; left -= datapath.poll(Math.min(64, left / BURST)));
      const { user, system } = process.cpuUsage(before);
      if (sink.counters.txPackets - sent !== packets)
        throw new Error(`${sink.counters.txPackets - sent} of ${packets} packets were sent`);
      return ((user + system) * 1000) / packets;
    },
  };
}
