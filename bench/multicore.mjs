// npm run bench -- --multicore [--quick]
//
// One worker, and two, in turn: each a datapath of its own over a pool of its own, with half of the conversations, asking one slow path in
// this thread. What they forward together in a second of the clock, and in a second of processor time, which other programs on
// the machine cannot take away.
// @ts-check
import { Datapath, createFlowServer, createMatch, createWorkerDatapath, flowHash, setExact } from 'megaflow';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { innerFrame, shuffled } from './frames.mjs';
import { createMemoryPort } from './memory-port.mjs';

const FLOWS = [100, 10_000];
const WARM_MS = 400;
const MEASURED_MS = 600;
const ROUNDS = process.argv.includes('--quick') ? 2 : 7;

/** @typedef {{ packets: number, ms: number, processorMs: number }} Work */

/** The flows of so many that fall to a worker. @param {number} flows @param {number} index @param {number} count */
function share(flows, index, count) {
  const frame = innerFrame();
  const view = new DataView(frame.buffer, frame.byteOffset);
  return shuffled(flows).filter((flow) => {
    view.setUint32(26, 0x0a000000 + flow);
    view.setUint16(34, 1024 + (flow & 0x7fff));
    return flowHash(frame) % count === index;
  });
}

/** Milliseconds that this thread has had a processor. */
function processorMs() {
  return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;
}

/** @param {number} flows @param {number} count @returns {Promise<Work[]>} */
async function runWorkers(flows, count) {
  const { mask } = createMatch();
  for (const field of /** @type {const} */ (['inPort', 'ethDst', 'ethType', 'vlanTci', 'ipFrag']))
    setExact(mask, field);
  const datapath = new Datapath({ upcall: () => ({ mask, actions: [{ type: 'output', port: 2 }] }) });
  const server = createFlowServer(datapath);
  const workers = Array.from({ length: count }, (_, index) => {
    const { port1, port2 } = new MessageChannel();
    server.connect(port1);
    const worker = new Worker(fileURLToPath(import.meta.url), {
      workerData: { port: port2, flows, index, count },
      transferList: [port2],
    });
    return { worker, port: port1 };
  });
  const works = await Promise.all(workers.map(async ({ worker }) => (await once(worker, 'message'))[0]));
  for (const { worker, port } of workers) {
    port.close();
    await worker.terminate();
  }
  datapath.close();
  return works;
}

function work() {
  const { port, flows, index, count } = workerData;
  const { datapath } = createWorkerDatapath(port);
  const { pool } = datapath;
  const source = createMemoryPort('in', pool, {
    frame: innerFrame(),
    order: Int32Array.from(share(flows, index, count)),
  });
  const sink = createMemoryPort('out', pool);
  datapath.addPort(source, { number: 1 });
  datapath.addPort(sink, { number: 2 });
  source.start();
  setTimeout(() => {
    const before = { packets: sink.counters.txPackets, ms: performance.now(), processorMs: processorMs() };
    setTimeout(() => {
      parentPort?.postMessage({
        packets: sink.counters.txPackets - before.packets,
        ms: performance.now() - before.ms,
        processorMs: processorMs() - before.processorMs,
      });
    }, MEASURED_MS);
  }, WARM_MS);
}

/** Million packets a second, of all together. @param {readonly Work[]} works @param {'ms' | 'processorMs'} time */
function rate(works, time) {
  return works.reduce((sum, one) => sum + one.packets / one[time], 0) / 1000;
}

/** @param {readonly number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

async function measure() {
  console.log('million packets a second     by the clock             by processor time');
  console.log('                          one    two  ratio        one    two  ratio (range)');
  for (const flows of FLOWS) {
    /** @type {Work[][]} */
    const ones = [];
    /** @type {Work[][]} */
    const twos = [];
    for (let round = 0; round < ROUNDS; round++) {
      ones.push(await runWorkers(flows, 1));
      twos.push(await runWorkers(flows, 2));
    }
    const columns = /** @type {const} */ (['ms', 'processorMs']).map((time) => {
      const one = ones.map((works) => rate(works, time));
      const two = twos.map((works) => rate(works, time));
      const ratios = two.map((value, round) => value / one[round]);
      const range = `(${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`;
      return `${median(one).toFixed(1).padStart(5)}  ${median(two).toFixed(1).padStart(5)}   ${median(ratios).toFixed(2)} ${range}`;
    });
    console.log(`forward, ${String(flows).padStart(6)} flows    ${columns.join('  ')}`);
  }
}

if (isMainThread) await measure();
else work();
