// What flows cost that no packet meets: bytes and nanoseconds a megaflow (a million of NORMAL's IPv4 flows under 8 masks and 16 lists of actions),
// upcalls a second, and what it takes to look after 200,000 flows: bytes each with all that the switch knows of them, sweeps and their longest turn.
//
//     taskset -c 1 node --expose-gc bench/tables.mjs [--quick]
//
// @ts-check
import { fileURLToPath } from 'node:url';
import {
  Datapath,
  KEY_WORDS,
  ManualClock,
  VSwitch,
  createIdlePort,
  createMatch,
  sealKey,
  setExact,
  setField,
} from 'megaflow';
import { innerFrame } from './frames.mjs';

/** @typedef {{ what: string, value: number, unit: string }} Figure */

const ACTION_LISTS = 16;
const MASKS = 8;
const PORTS = 8;
/** Upcalls of a round; the median is over rounds. */
const UPCALLS = 5000;
/** Rounds that do not count: V8 compiles meanwhile. */
const WARM_ROUNDS = 4;
/** Hosts behind the ports of the bridge that is swept: 60 a port, so that there are 201,600 pairs on different ports. */
const HOSTS = 480;

/** Bytes in use, on the heap and beside it. */
async function usedBytes() {
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Milliseconds of processor time so far. */
function processorMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** @returns {Promise<Figure[]>} */
export async function measureTable(count = 1_000_000) {
  const datapath = new Datapath({ upcall: () => null, flowLimit: count });
  const masks = Array.from({ length: MASKS }, (_, index) => {
    const { mask } = createMatch();
    for (const name of /** @type {const} */ ([
      'inPort',
      'recircId',
      'ethSrc',
      'ethDst',
      'ethType',
      'vlanTci',
      'ipFrag',
    ]))
      setExact(mask, name);
    if (index & 1) setExact(mask, 'ipv4Src');
    if (index & 2) setExact(mask, 'ipv4Dst');
    if (index & 4) setExact(mask, 'ipProto');
    return mask;
  });
  const actions = Array.from({ length: ACTION_LISTS }, (_, port) => [
    { type: /** @type {const} */ ('output'), port: port + 1 },
  ]);
  const key = new Int32Array(KEY_WORDS);
  setField(key, 'inPort', 1);
  setField(key, 'ethType', 0x0800);
  setField(key, 'ethDst', 0x020000000000);
  sealKey(key);

  const before = await usedBytes();
  let start = processorMs();
  for (let flow = 0; flow < count; flow++) {
    // The last words of both MACs tell flows apart.
    key[4] = flow;
    key[8] = flow;
    datapath.putFlow(key, masks[flow % MASKS], actions[flow % ACTION_LISTS]);
  }
  const insertNs = ((processorMs() - start) * 1e6) / count;
  const bytes = ((await usedBytes()) - before) / count;
  start = processorMs();
  for (let flow = 0; flow < count; flow++) datapath.deleteFlow(flow);
  const deleteNs = ((processorMs() - start) * 1e6) / count;
  datapath.close();
  return [
    { what: `memory of each of ${count} megaflows`, value: bytes, unit: 'bytes' },
    { what: 'inserting a megaflow', value: insertNs, unit: 'ns' },
    { what: 'deleting a megaflow', value: deleteNs, unit: 'ns' },
  ];
}

/** Names of the ports of a bridge, and the ports with nothing behind them. */
function idlePorts() {
  return Array.from({ length: PORTS }, (_, index) => {
    const name = `p${index + 1}`;
    return { name, port: createIdlePort(name) };
  });
}

/** Writes the last words of both MACs. */
function writeMacs(/** @type {Uint8Array} */ frame, /** @type {number} */ destination, /** @type {number} */ source) {
  const view = new DataView(frame.buffer, frame.byteOffset);
  view.setUint32(2, destination);
  view.setUint32(8, source);
}

/** @param {readonly number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** Rounds of frames from MACs to MACs that nobody has seen; the flows go in between. @returns {Figure} */
function measureRounds(/** @type {string} */ what, /** @type {VSwitch} */ vswitch, /** @type {number} */ count) {
  const { datapath } = vswitch;
  const first = datapath.findPort('p1')?.number ?? 0;
  const frame = innerFrame();
  const times = [];
  for (let pair = 1; pair < count; pair += UPCALLS) {
    const start = processorMs();
    for (let index = 0; index < UPCALLS; index++) {
      writeMacs(frame, ~(pair + index) >>> 0, pair + index);
      datapath.inject(first, frame);
    }
    times.push(processorMs() - start);
    if (datapath.flowCount !== UPCALLS) throw new Error(`${datapath.flowCount} flows after ${UPCALLS} upcalls`);
    datapath.deleteAllFlows();
  }
  return { what, value: (UPCALLS / median(times.slice(WARM_ROUNDS))) * 1000, unit: 'a second' };
}

/** @returns {Figure[]} */
export function measureUpcalls(count = 200_000) {
  const normal = new VSwitch({ clock: new ManualClock() });
  normal.addBridge({ name: 'br0', mac: '02:00:00:00:00:fe', ports: idlePorts() });
  const figures = [measureRounds(`upcalls of NORMAL, ${PORTS} ports`, normal, count)];
  normal.close();

  const clock = new ManualClock();
  const tunnel = new VSwitch({ clock });
  const options = { remote_ip: '10.10.10.2', key: '5' };
  const vxlan = { name: 'vxlan1', interface: { type: /** @type {const} */ ('vxlan'), options } };
  tunnel.addBridge({
    name: 'br0',
    mac: '02:00:00:00:00:fe',
    ports: [{ name: 'p1', port: createIdlePort('p1') }, vxlan],
  });
  tunnel.addBridge({ name: 'br1', mac: '02:00:00:00:00:fd', ports: [{ name: 'ens8', port: createIdlePort('ens8') }] });
  tunnel.addAddress('br1', '10.10.10.1/24');
  tunnel.setNeighbour('br1', '10.10.10.2', '02:00:00:00:00:02');
  clock.advance(10);
  figures.push(measureRounds('upcalls of a native tunnel', tunnel, count));
  const sent = tunnel.datapath.findPort('ens8')?.txPackets ?? 0;
  tunnel.close();
  if (sent < count) throw new Error(`${sent} of ${count} packets were encapsulated`);
  return figures;
}

/** The time that passes, and leaps when it is told to; turns are taken by `sweep` alone, so that it can time them. */
function createTurns() {
  let aheadMs = 0;
  const now = () => performance.now() + aheadMs;
  /** @typedef {{ dueMs: number, callback: () => void }} Turn */
  const timers = /** @type {Turn[]} */ ([]);
  const soon = /** @type {Turn[]} */ ([]);
  const enter = (/** @type {Turn[]} */ list, /** @type {Turn} */ turn) => {
    list.push(turn);
    return { cancel: () => void (list.includes(turn) && list.splice(list.indexOf(turn), 1)) };
  };
  return {
    clock: {
      now,
      after: (/** @type {number} */ delayMs, /** @type {() => void} */ callback) =>
        enter(timers, { dueMs: now() + delayMs, callback }),
      soon: (/** @type {() => void} */ callback) => enter(soon, { dueMs: 0, callback }),
    },
    leap: (/** @type {number} */ ms) => void (aheadMs += ms),
    /** Leaps to the next timer, which begins a sweep, and takes the turns to its end: milliseconds of processor time in all, and of the longest. */
    sweep() {
      let total = 0;
      let longest = 0;
      timers.sort((a, b) => a.dueMs - b.dueMs);
      for (let turn = timers.shift(); turn; turn = soon.shift()) {
        aheadMs += Math.max(0, turn.dueMs - now());
        const start = processorMs();
        turn.callback();
        const took = processorMs() - start;
        total += took;
        longest = Math.max(longest, took);
      }
      return { total, longest };
    },
  };
}

/**
 * What it takes to look after so many flows between hosts that are all known: bytes each, and sweeps. Each sweep is timed a few times, and
 * the medians stand. @returns {Promise<Figure[]>}
 */
export async function measureSweep(count = 200_000, rounds = 5) {
  const before = await usedBytes();
  const turns = createTurns();
  const vswitch = new VSwitch({ clock: turns.clock, flowLimit: count });
  vswitch.addBridge({ name: 'br0', mac: '02:00:00:00:00:fe', ports: idlePorts() });
  const { datapath } = vswitch;
  const numbers = idlePorts().map(({ name }) => datapath.findPort(name)?.number ?? 0);
  const frame = innerFrame();
  const send = (/** @type {number} */ source, /** @type {number} */ destination) => {
    writeMacs(frame, destination + 1, source + 1);
    datapath.inject(numbers[source % PORTS], frame);
  };
  /** A packet of each flow. */
  const sendAll = () => {
    let flows = 0;
    for (let step = 1; flows < count; step++) {
      if (step % PORTS === 0) continue;
      for (let source = 0; source < HOSTS && flows < count; source++, flows++) send(source, (source + step) % HOSTS);
    }
  };
  const fill = () => {
    for (let source = 0; source < HOSTS; source++) send(source, HOSTS);
    for (let round = 0; round < 3; round++) turns.sweep();
    vswitch.purge();
    datapath.flowLimit = count;
    sendAll();
    turns.sweep();
    datapath.flowLimit = count;
    if (datapath.flowCount !== count) throw new Error(`${datapath.flowCount} flows rather than ${count}`);
  };
  fill();
  const bytes = ((await usedBytes()) - before) / count;

  /** @type {[what: string, prepare: () => void, flowsLeft: number][]} */
  const kinds = [
    ['a sweep', () => turns.leap(1000), count],
    ['a sweep that translates again', () => vswitch.setBridge('br0', {}), count],
    ['a sweep that deletes', () => turns.leap(20_000), 0],
  ];
  /** @type {Figure[]} */
  const figures = [{ what: `memory of each of ${count} flows of a switch`, value: bytes, unit: 'bytes' }];
  for (const [what, prepare, flowsLeft] of kinds) {
    const totals = [];
    const longests = [];
    for (let round = 0; round < rounds; round++) {
      if (datapath.flowCount !== count) fill();
      sendAll();
      // A sweep that took long has lowered the limit, and the next one would delete.
      datapath.flowLimit = count;
      globalThis.gc?.();
      prepare();
      const { total, longest } = turns.sweep();
      totals.push(total);
      longests.push(longest);
      if (datapath.flowCount !== flowsLeft) throw new Error(`${what} has left ${datapath.flowCount} flows`);
    }
    figures.push(
      { what: `${what} over ${count} flows`, value: median(totals), unit: 'ms' },
      { what: `${what}: longest turn`, value: median(longests), unit: 'ms' },
    );
  }
  vswitch.close();
  return figures;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const isQuick = process.argv.includes('--quick');
  const figures = [
    ...(await measureTable(isQuick ? 100_000 : 1_000_000)),
    ...measureUpcalls(isQuick ? 40_000 : 200_000),
    ...(await measureSweep(isQuick ? 50_000 : 200_000, isQuick ? 1 : 5)),
  ];
  for (const { what, value, unit } of figures)
    console.log(`${what.padEnd(44)} ${value.toFixed(1).padStart(11)} ${unit}`);
}
