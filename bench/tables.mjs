// What flows cost that no packet meets: bytes and nanoseconds a megaflow (a million of NORMAL's IPv4 flows under 8 masks and 16 lists of actions),
// a revalidation sweep over 200,000 flows and its longest slice, upcalls a second.
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
  flushFdb,
  sealKey,
  setExact,
  setField,
} from 'megaflow';
import { innerFrame } from './frames.mjs';

/** @typedef {{ what: string, value: number, unit: string }} Figure */

const ACTION_LISTS = 16;
const MASKS = 8;

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

/** A bridge with so many ports that nothing is behind. */
function createBridge(/** @type {number} */ ports) {
  const clock = new ManualClock();
  const vswitch = new VSwitch({ clock, exactMatchEntries: 8192 });
  const names = Array.from({ length: ports }, (_, index) => `p${index + 1}`);
  vswitch.addBridge({
    name: 'br0',
    mac: '02:00:00:00:00:fe',
    ports: names.map((name) => ({ name, port: createIdlePort(name) })),
  });
  return { clock, vswitch, first: vswitch.datapath.findPort('p1')?.number ?? 0 };
}

/** Writes a pair of MACs that no frame before had. */
function writePair(/** @type {Uint8Array} */ frame, /** @type {number} */ pair) {
  const view = new DataView(frame.buffer, frame.byteOffset);
  view.setUint32(2, ~pair >>> 0);
  view.setUint32(8, pair);
}

/** @returns {Figure[]} */
export function measureUpcalls(count = 100_000) {
  const frame = innerFrame();
  const { vswitch, first } = createBridge(8);
  const { datapath } = vswitch;
  let best = Infinity;
  const perRound = 5000;
  for (let pair = 1; pair < count; pair += perRound) {
    const start = processorMs();
    for (let index = 0; index < perRound; index++) {
      writePair(frame, pair + index);
      datapath.inject(first, frame);
    }
    best = Math.min(best, processorMs() - start);
    datapath.deleteAllFlows();
  }
  vswitch.close();
  return [
    { what: 'upcalls of NORMAL, 8 ports', value: (perRound / best) * 1000, unit: 'a second, at best' },
    measureTunnelUpcalls(count),
  ];
}

/** The same where each new pair leads into a native tunnel. @returns {Figure} */
function measureTunnelUpcalls(/** @type {number} */ count) {
  const clock = new ManualClock();
  const vswitch = new VSwitch({ clock });
  const options = { remote_ip: '10.10.10.2', key: '5' };
  const vxlan = { name: 'vxlan1', interface: { type: /** @type {const} */ ('vxlan'), options } };
  vswitch.addBridge({
    name: 'br0',
    mac: '02:00:00:00:00:fe',
    ports: [{ name: 'p1', port: createIdlePort('p1') }, vxlan],
  });
  vswitch.addBridge({ name: 'br1', mac: '02:00:00:00:00:fd', ports: [{ name: 'ens8', port: createIdlePort('ens8') }] });
  vswitch.addAddress('br1', '10.10.10.1/24');
  vswitch.setNeighbour('br1', '10.10.10.2', '02:00:00:00:00:02');
  clock.advance(10);
  const { datapath } = vswitch;
  const first = datapath.findPort('p1')?.number ?? 0;
  const frame = innerFrame();
  let best = Infinity;
  const perRound = 5000;
  for (let pair = 1; pair < count; pair += perRound) {
    const start = processorMs();
    for (let index = 0; index < perRound; index++) {
      writePair(frame, pair + index);
      datapath.inject(first, frame);
    }
    best = Math.min(best, processorMs() - start);
    datapath.deleteAllFlows();
  }
  const sent = datapath.findPort('ens8')?.txPackets ?? 0;
  vswitch.close();
  if (sent < count) throw new Error(`${sent} of ${count} packets were encapsulated`);
  return { what: 'upcalls of a native tunnel', value: (perRound / best) * 1000, unit: 'a second, at best' };
}

/** A sweep over so many flows that are all in use, and the longest that a turn of it keeps packets waiting. @returns {Promise<Figure[]>} */
export async function measureSweep(count = 200_000) {
  /** What is to be done in this turn and the next ones, and what later. */
  const turns = /** @type {(() => void)[]} */ ([]);
  let later = /** @type {(() => void)[]} */ ([]);
  const enter = (/** @type {(() => void)[]} */ list, /** @type {() => void} */ callback) => {
    list.push(callback);
    return { cancel: () => void (list.includes(callback) && list.splice(list.indexOf(callback), 1)) };
  };
  const clock = {
    now: () => performance.now(),
    after: (/** @type {number} */ delayMs, /** @type {() => void} */ callback) =>
      enter(delayMs > 5 ? later : turns, callback),
    soon: (/** @type {() => void} */ callback) => enter(turns, callback),
  };
  const ports = Array.from({ length: 8 }, (_, index) => ({
    name: `p${index + 1}`,
    port: createIdlePort(`p${index + 1}`),
  }));
  const vswitch = new VSwitch({ clock, flowLimit: count, maxIdleMs: 1e9 });
  vswitch.addBridge({ name: 'br0', mac: '02:00:00:00:00:fe', ports });
  const { datapath } = vswitch;
  datapath.flowLimit = count;
  const first = datapath.findPort('p1')?.number ?? 0;
  const frame = innerFrame();
  for (let pair = 1; pair <= count; pair++) {
    writePair(frame, pair);
    datapath.inject(first, frame);
  }
  /** @type {Figure[]} */
  const figures = [];
  for (const what of ['a sweep', 'a sweep that translates again']) {
    let total = 0;
    let longest = 0;
    await new Promise((resolve) => setTimeout(resolve, 600));
    if (what !== 'a sweep') flushFdb(vswitch);
    turns.push(...later);
    later = [];
    for (let turn = turns.shift(); turn; turn = turns.shift()) {
      const start = performance.now();
      turn();
      const took = performance.now() - start;
      total += took;
      longest = Math.max(longest, took);
    }
    figures.push(
      { what: `${what} over ${datapath.flowCount} flows`, value: total, unit: 'ms' },
      { what: `${what}: longest turn`, value: longest, unit: 'ms' },
    );
  }
  vswitch.close();
  return figures;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const isQuick = process.argv.includes('--quick');
  const figures = [
    ...(await measureTable(isQuick ? 100_000 : 1_000_000)),
    ...measureUpcalls(isQuick ? 20_000 : 100_000),
    ...(await measureSweep(isQuick ? 50_000 : 200_000)),
  ];
  for (const { what, value, unit } of figures)
    console.log(`${what.padEnd(44)} ${value.toFixed(1).padStart(11)} ${unit}`);
}
