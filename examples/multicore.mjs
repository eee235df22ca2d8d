// A switch on several cores: the bridge is in this thread, and workers forward, each the conversations that the hash of a frame gives it.
// One worker first, then two: what they carry, what they asked, and the bridge's flows with what all workers counted for them.
//
//     npm run --silent example -- multicore
//
// @ts-check
import {
  VSwitch,
  PortCounters,
  buildFrame,
  createFlowServer,
  createWorkerDatapath,
  dumpFlows,
  flowHash,
} from 'megaflow';
import { once } from 'node:events';
import { MessageChannel, Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const WARM_MS = 500;
const MEASURED_MS = 1000;

/** The bridge, and so many workers; answers million packets a second. @param {number} count */
async function runWorkers(count) {
  const vswitch = new VSwitch();
  vswitch.addBridge({ name: 'br0', mac: '02:00:00:00:00:00', ports: [{ name: 'p1' }, { name: 'p2' }] });
  const numbers = Object.fromEntries(vswitch.datapath.ports().map(({ name, number }) => [name, number]));
  const server = createFlowServer(vswitch.datapath);
  const workers = Array.from({ length: count }, (_, index) => {
    const { port1, port2 } = new MessageChannel();
    const connection = server.connect(port1);
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { port: port2, numbers, index, count },
      transferList: [port2],
    });
    return { worker, connection, port: port1 };
  });
  const rates = await Promise.all(
    workers.map(async ({ worker }) => /** @type {number} */ ((await once(worker, 'message'))[0])),
  );
  const total = rates.reduce((sum, rate) => sum + rate, 0);

  console.log(`${count} worker${count > 1 ? 's' : ''}: ${total.toFixed(1)} million packets a second`);
  workers.forEach(({ connection }, index) => {
    const { answered, flows } = connection.counters();
    console.log(`  worker ${index}: ${rates[index].toFixed(1)}, asked ${answered} times, has ${flows} flows`);
  });
  console.log(dumpFlows(vswitch, { names: true }).replace(/^/gm, '  '));
  for (const { worker, port } of workers) {
    port.close();
    await worker.terminate();
  }
  server.close();
  vswitch.close();
  return total;
}

/** The worker: a datapath with both ports, each of which never runs out of frames. */
function work() {
  const { port, numbers, index, count } = workerData;
  const { datapath, addRelayPort } = createWorkerDatapath(port);
  // The bridge's own port is in the other thread.
  addRelayPort({ name: 'br0', number: numbers.br0 });
  const mine = (/** @type {Uint8Array} */ frame) => flowHash(frame) % count === index;
  const sent = ['p1', 'p2'].map((name, side) => {
    const source = createSource(name, conversations(side).filter(mine));
    datapath.addPort(source, { number: numbers[name] });
    return source.counters;
  });
  const packets = () => sent.reduce((sum, { txPackets }) => sum + txPackets, 0);
  setTimeout(() => {
    const before = packets();
    const began = performance.now();
    setTimeout(() => {
      const rate = (packets() - before) / (performance.now() - began) / 1000;
      // What was counted since the last time goes first, so that the bridge shows it.
      setTimeout(() => parentPort?.postMessage(rate), 300);
    }, MEASURED_MS);
  }, WARM_MS);
}

/** A frame of each of 1000 conversations between two hosts, seen from one side. @param {number} side */
function conversations(side) {
  const hosts = [
    { mac: '02:00:00:00:01:01', ip: '10.0.0.1' },
    { mac: '02:00:00:00:01:02', ip: '10.0.0.2' },
  ];
  const [from, to] = side === 0 ? hosts : hosts.reverse();
  return Array.from({ length: 1000 }, (_, number) =>
    buildFrame([
      { type: 'ethernet', source: from.mac, destination: to.mac },
      { type: 'ipv4', source: from.ip, destination: to.ip },
      { type: 'udp', sourcePort: 10000 + number, destinationPort: 10000 + number },
      { type: 'payload', bytes: new Uint8Array(22) },
    ]),
  );
}

/** A port that gives these frames over and over. @param {string} name @param {readonly Uint8Array[]} frames @returns {import('megaflow').Port} */
function createSource(name, frames) {
  const counters = new PortCounters();
  /** @type {import('megaflow').PacketPool} */
  let pool;
  let next = 0;
  return {
    name,
    mtu: 1500,
    counters,
    attach(host) {
      ({ pool } = host);
      host.wake();
    },
    detach() {},
    receive(burst, room) {
      const taken = pool.allocateBurst(burst, room);
      for (let index = 0; index < taken; index++) {
        const frame = frames[next];
        next = (next + 1) % frames.length;
        pool.bytes.set(frame, pool.offset[burst[index]]);
        pool.length[burst[index]] = frame.length;
      }
      return taken;
    },
    send(_burst, count) {
      counters.txPackets += count;
    },
  };
}

if (isMainThread) {
  const one = await runWorkers(1);
  const two = await runWorkers(2);
  console.log(`two workers carry ${(two / one).toFixed(2)} times as much as one`);
} else work();
