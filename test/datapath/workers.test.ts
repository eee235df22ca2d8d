// Datapaths of workers and the one that they ask: over a channel that a test pumps by hand, so that nothing is left to chance, and once over
// real threads.
import { Worker, MessageChannel } from 'node:worker_threads';
import { build } from 'esbuild';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Action } from '../../src/action/types.js';
import { Datapath, type Upcall, type UpcallHandler } from '../../src/datapath/datapath.js';
import { createFlowServer } from '../../src/datapath/flow-server.js';
import type { MessageEnd } from '../../src/datapath/messages.js';
import { createWorkerDatapath, type WorkerDatapathOptions } from '../../src/datapath/worker-datapath.js';
import { setExact } from '../../src/flow/fields.js';
import { createMatch } from '../../src/flow/match.js';
import { createIdlePort } from '../../src/io/idle-port.js';
import { buildFrame } from '../../src/packet/build.js';
import { VSwitch } from '../../src/switch/vswitch.js';
import { toHex } from '../../src/util/bytes.js';
import { ManualClock } from '../../src/util/clock.js';
import * as vxlan from '../../src/wire/vxlan.js';

/** A channel whose messages wait, as copies, until `pump` delivers them; answers how many there were. */
function createChannel(): { ends: [MessageEnd, MessageEnd]; pump(): number } {
  const listeners: ((message: unknown) => void)[] = [() => {}, () => {}];
  const waiting: [to: number, message: unknown][] = [];
  const end = (index: number): MessageEnd => ({
    postMessage: (message) => void waiting.push([1 - index, structuredClone(message)]),
    on: (_event, listener) => void (listeners[index] = listener),
  });
  return {
    ends: [end(0), end(1)],
    pump() {
      let count = 0;
      for (let next = waiting.shift(); next; next = waiting.shift(), count++) listeners[next[0]](next[1]);
      return count;
    },
  };
}

const frame = (port: number, flags = 0x10): Uint8Array =>
  buildFrame([
    { type: 'ethernet', source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' },
    { type: 'ipv4', source: '10.0.0.1', destination: '10.0.0.2' },
    { type: 'tcp', sourcePort: 1024, destinationPort: port, flags },
  ]);

/** A flow for each destination port, from port 1 to port 2. */
const decide = (): Upcall => {
  const { mask } = createMatch();
  for (const field of ['inPort', 'ethType', 'ipProto', 'tpDst'] as const) setExact(mask, field);
  return { mask, actions: [{ type: 'output', port: 2 }] };
};

/** A datapath that is asked, and one that asks; both have ports 1 and 2. `sent` is what left the latter. */
function createPair({ upcall = decide, ...options }: WorkerDatapathOptions & { upcall?: UpcallHandler } = {}) {
  const channel = createChannel();
  const clock = new ManualClock(1000);
  const workerClock = new ManualClock(5_000_000);
  let asked = 0;
  const master = new Datapath({
    clock,
    upcall: (packet, key) => {
      asked++;
      return upcall(packet, key);
    },
  });
  const server = createFlowServer(master);
  const connection = server.connect(channel.ends[0]);
  const worker = createWorkerDatapath(channel.ends[1], { clock: workerClock, ...options });
  for (const datapath of [master, worker.datapath])
    for (const name of ['p1', 'p2']) datapath.addPort(createIdlePort(name));
  const sent: string[] = [];
  worker.datapath.onSend = ({ name }, bytes) => sent.push(`${name} ${toHex(bytes)}`);
  return { ...channel, clock, workerClock, master, server, connection, worker, sent, asked: () => asked };
}

describe('a datapath of a worker', () => {
  it('holds a packet while it asks, and serves those that follow by itself', () => {
    const { worker, pump, sent, asked, connection } = createPair();
    worker.datapath.inject(1, frame(80));
    expect(sent).toEqual([]);
    expect(worker.counters()).toEqual({ asked: 1, waiting: 1, overflowed: 0 });
    expect(pump()).toBe(2);
    expect(sent).toEqual([`p2 ${toHex(frame(80))}`]);
    worker.datapath.inject(1, frame(80));
    expect(pump()).toBe(0);
    expect(sent).toHaveLength(2);
    expect(asked()).toBe(1);
    expect(worker.counters()).toEqual({ asked: 1, waiting: 0, overflowed: 0 });
    expect(worker.datapath.statistics()).toMatchObject({ hit: 1, missed: 1, lost: 0, flows: 1 });
    expect(connection.counters()).toEqual({ answered: 1, flows: 1 });
    expect(worker.datapath.pool.available).toBe(worker.datapath.pool.slots);
  });

  it('asks once for packets with one key, which leave in their order', () => {
    const { worker, pump, sent, asked } = createPair();
    for (const port of [80, 443, 80, 80]) worker.datapath.inject(1, frame(port));
    expect(worker.counters()).toMatchObject({ asked: 2, waiting: 4 });
    pump();
    expect(sent.map((line) => line.slice(0, 2))).toEqual(['p2', 'p2', 'p2', 'p2']);
    expect(asked()).toBe(2);
    // Two of those to port 80 found the flow.
    expect(worker.datapath.flowNumbers().map((flow) => worker.datapath.flowPackets(flow))).toEqual([2, 0]);
  });

  it('asks again for each packet where nothing is installed', () => {
    const { worker, pump, sent, asked } = createPair({ upcall: () => ({ ...decide(), install: null }) });
    for (let count = 0; count < 3; count++) worker.datapath.inject(1, frame(80));
    pump();
    expect(sent).toHaveLength(3);
    expect(asked()).toBe(3);
    expect(worker.datapath.flowCount).toBe(0);
    expect(worker.counters()).toMatchObject({ asked: 3, waiting: 0 });
  });

  it('loses what it has no room to hold, and counts it', () => {
    const { worker, pump, sent } = createPair({ queue: 2 });
    for (let port = 1; port <= 5; port++) worker.datapath.inject(1, frame(port));
    expect(worker.counters()).toEqual({ asked: 2, waiting: 2, overflowed: 3 });
    expect(worker.datapath.statistics()).toMatchObject({ missed: 2, lost: 3, drops: { 'upcall-lost': 3 } });
    pump();
    expect(sent).toHaveLength(2);
    expect(worker.datapath.pool.available).toBe(worker.datapath.pool.slots);
  });

  it('loses what the slow path loses', () => {
    const { worker, pump, sent } = createPair({ upcall: () => null });
    worker.datapath.inject(1, frame(80));
    pump();
    expect(sent).toEqual([]);
    expect(worker.datapath.statistics().drops).toMatchObject({ 'upcall-lost': 1 });
    expect(worker.counters().waiting).toBe(0);
    expect(worker.datapath.pool.available).toBe(worker.datapath.pool.slots);
  });

  it('sends what flows have counted, once, and the clocks need not agree', () => {
    const { worker, workerClock, clock, master, pump } = createPair();
    worker.datapath.inject(1, frame(80, 2));
    pump();
    worker.datapath.inject(1, frame(80, 2));
    worker.datapath.inject(1, frame(80, 0x10));
    workerClock.advance(250);
    pump();
    const [flow] = master.flowNumbers();
    const length = frame(80).length;
    expect(master.flow(flow)).toMatchObject({ packets: 2, bytes: 2 * length, usedMs: 750, tcpFlags: 0x12 });
    clock.advance(1000);
    workerClock.advance(1000);
    expect(pump()).toBe(0);
    worker.datapath.inject(1, frame(80));
    worker.sendStatistics();
    pump();
    expect(master.flow(flow)).toMatchObject({ packets: 3, bytes: 3 * length, usedMs: 2000 });
  });

  it('follows changes, and what it counted for a flow that is gone goes to no other', () => {
    const { worker, master, pump, sent } = createPair();
    worker.datapath.inject(1, frame(80));
    pump();
    const [flow] = master.flowNumbers();
    master.modifyFlow(flow, [{ type: 'output', port: 1 }]);
    pump();
    worker.datapath.inject(1, frame(80));
    expect(sent.map((line) => line.slice(0, 2))).toEqual(['p2', 'p1']);
    worker.sendStatistics();
    master.deleteFlow(flow);
    const { mask } = createMatch();
    setExact(mask, 'tpDst');
    const again = master.putFlow(master.keyOf(frame(443), 1)!, mask, []);
    expect(again).toBe(flow);
    pump();
    expect(master.flowPackets(again)).toBe(0);
    expect(worker.datapath.flowCount).toBe(0);
    master.deleteAllFlows();
    expect(pump()).toBe(0);
  });

  it('takes several workers for one: each has a copy, and all are changed', () => {
    const { worker, master, server, pump } = createPair();
    const other = createChannel();
    server.connect(other.ends[0]);
    const second = createWorkerDatapath(other.ends[1], { clock: new ManualClock() });
    second.datapath.addPort(createIdlePort('p1'));
    for (const { datapath } of [worker, second]) datapath.inject(1, frame(80));
    pump();
    other.pump();
    expect(master.flowCount).toBe(1);
    for (const one of [worker, second]) {
      one.datapath.inject(1, frame(80));
      one.sendStatistics();
    }
    pump();
    other.pump();
    expect(master.flowPackets(master.flowNumbers()[0])).toBe(2);
    master.deleteAllFlows();
    pump();
    other.pump();
    expect([worker.datapath.flowCount, second.datapath.flowCount]).toEqual([0, 0]);
  });

  it('hands frames over, both ways, and no more of them than are taken', () => {
    const { worker, master, connection, pump, sent } = createPair({ queue: 2 });
    const arrived: string[] = [];
    master.onSend = ({ name }, bytes) => arrived.push(`${name} ${toHex(bytes)}`);
    master.addPort(createIdlePort('br0'), { number: 9 });
    worker.addRelayPort({ name: 'br0', number: 9 });
    for (let count = 0; count < 3; count++) worker.datapath.execute(frame(80), [{ type: 'output', port: 9 }]);
    const relay = worker.datapath.port(9)!.port!;
    expect(relay.counters).toMatchObject({ txPackets: 2 });
    expect(relay.counters.txDrops.reduce((sum, drops) => sum + drops)).toBe(1);
    pump();
    expect(arrived).toEqual([`br0 ${toHex(frame(80))}`, `br0 ${toHex(frame(80))}`]);
    worker.datapath.execute(frame(80), [{ type: 'output', port: 9 }]);
    pump();
    expect(arrived).toHaveLength(3);
    sent.length = 0;
    master.addPort(connection.createRelayPort({ name: 'p3', number: 2 }), { number: 3 });
    master.execute(frame(443), [{ type: 'output', port: 3 }]);
    pump();
    expect(sent).toEqual([`p2 ${toHex(frame(443))}`]);
  });

  it('leaves packets of userspace actions to the slow path', () => {
    const channel = createChannel();
    const action: Action = { type: 'userspace', pid: 0, userdata: Uint8Array.of(1, 2, 3) };
    const heard: string[] = [];
    const master = new Datapath({
      upcall: () => ({ ...decide(), actions: [action] }),
      userspace: (packet) => heard.push(`${packet.inPort} ${toHex(packet.frame)}`),
    });
    createFlowServer(master).connect(channel.ends[0]);
    const worker = createWorkerDatapath(channel.ends[1], { clock: new ManualClock() });
    worker.datapath.addPort(createIdlePort('p1'));
    worker.datapath.inject(1, frame(80));
    channel.pump();
    expect(heard).toEqual([`1 ${toHex(frame(80))}`]);
  });

  it('gives up what waits when it is closed', () => {
    const { worker, workerClock, pump, sent } = createPair();
    worker.datapath.inject(1, frame(80));
    worker.close();
    worker.close();
    expect(worker.datapath.pool.available).toBe(worker.datapath.pool.slots);
    expect(worker.counters().waiting).toBe(0);
    expect(workerClock.pending).toBe(0);
    pump();
    expect(sent).toEqual([]);
  });

  it('leaves workers alone that were disconnected', () => {
    const { worker, server, connection, master, pump, sent } = createPair();
    worker.datapath.inject(1, frame(80));
    connection.close();
    expect(pump()).toBe(1);
    expect(sent).toEqual([]);
    server.close();
    expect(master.onFlowChange).toBeUndefined();
  });

  it('refuses a queue that the pool cannot hold', () => {
    const { ends } = createChannel();
    for (const queue of [0, 1.5, 1024])
      expect(() => createWorkerDatapath(ends[0], { queue })).toThrow(/queue cannot be/);
  });
});

/** vm1's two bridges: NORMAL over a native tunnel. */
function createTunnelSwitch(clock: ManualClock): VSwitch {
  const vswitch = new VSwitch({ clock });
  const options = { remote_ip: '10.10.10.2', key: '42' };
  const vxlan1 = { name: 'vxlan1', interface: { type: 'vxlan', options } } as const;
  vswitch.addBridge({ name: 'br0', mac: '02:00:00:00:00:01', ports: [{ name: 'vm' }, vxlan1] });
  vswitch.addBridge({ name: 'br1', mac: '02:00:00:00:00:02', ports: [{ name: 'ens8' }] });
  vswitch.addAddress('br1', '10.10.10.1/24');
  vswitch.setNeighbour('br1', '10.10.10.2', '52:54:00:9f:e8:0e');
  return vswitch;
}

describe('a switch with a worker', () => {
  const inner = (from: string, to: string): Uint8Array =>
    buildFrame([
      { type: 'ethernet', source: from, destination: to },
      { type: 'ipv4', source: '1.1.1.1', destination: '1.1.1.2' },
      { type: 'udp', sourcePort: 40000, destinationPort: 53 },
    ]);
  const outer = {
    sourceMac: '52:54:00:9f:e8:0e',
    destinationMac: '02:00:00:00:00:02',
    sourceIp: '10.10.10.2',
    destinationIp: '10.10.10.1',
    sourcePort: 50000,
    vni: 42,
  };
  const sequence: [port: string, frame: Uint8Array][] = [
    ['vm', inner('02:00:00:00:01:01', '02:00:00:00:01:02')],
    ['ens8', vxlan.encapsulate(inner('02:00:00:00:01:02', '02:00:00:00:01:01'), outer)],
    ['vm', inner('02:00:00:00:01:01', '02:00:00:00:01:02')],
    ['ens8', vxlan.encapsulate(inner('02:00:00:00:01:02', '02:00:00:00:01:01'), outer)],
  ];

  function createWorkerOf(vswitch: VSwitch) {
    const channel = createChannel();
    createFlowServer(vswitch.datapath).connect(channel.ends[0]);
    const clock = new ManualClock();
    const worker = createWorkerDatapath(channel.ends[1], { clock });
    for (const { number, name, type, port } of vswitch.datapath.ports()) {
      worker.datapath.addPort(port && createIdlePort(name), { name, number, type });
    }
    return { ...channel, worker, clock };
  }

  it('sends what the switch sends, through both passes of a tunnel', () => {
    const alone = createTunnelSwitch(new ManualClock());
    const asked = createTunnelSwitch(new ManualClock());
    const { worker, pump } = createWorkerOf(asked);
    let sent: Record<string, string[]> = {};
    worker.datapath.onSend = ({ name }, bytes) => (sent[name] ??= []).push(toHex(bytes));
    for (const [port, bytes] of sequence) {
      sent = {};
      worker.datapath.inject(asked.datapath.findPort(port)!.number, bytes);
      pump();
      worker.sendStatistics();
      pump();
      asked.settle();
      pump();
      const expected = Object.entries(alone.deliver(port, bytes)).map(([name, frames]) => [
        name,
        frames.map((one) => toHex(one)),
      ]);
      expect(sent).toEqual(Object.fromEntries(expected));
    }
    expect(worker.datapath.statistics()).toMatchObject({ hit: 3, missed: 3 });
  });

  it('keeps flows that only workers use, and lets them go when nobody does', () => {
    const clock = new ManualClock();
    const vswitch = createTunnelSwitch(clock);
    const { worker, pump, clock: workerClock } = createWorkerOf(vswitch);
    const advance = (ms: number): void => {
      workerClock.advance(ms);
      pump();
      clock.advance(ms);
      pump();
    };
    worker.datapath.inject(vswitch.datapath.findPort('vm')!.number, sequence[0][1]);
    pump();
    for (let second = 0; second < 20; second++) {
      worker.datapath.inject(vswitch.datapath.findPort('vm')!.number, sequence[0][1]);
      advance(1000);
    }
    expect(vswitch.datapath.flowNumbers().map((flow) => vswitch.datapath.flowPackets(flow))).toEqual([20]);
    expect(worker.datapath.flowCount).toBe(1);
    for (let second = 0; second < 12; second++) advance(1000);
    expect([vswitch.datapath.flowCount, worker.datapath.flowCount]).toEqual([0, 0]);
    vswitch.close();
    worker.close();
  });
});

describe('real threads', () => {
  const folder = mkdtempSync(join(tmpdir(), 'megaflow-workers-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('ask, forward and count', async () => {
    const program = join(folder, 'worker.mjs');
    await build({
      stdin: {
        contents: `
          import { createIdlePort, createWorkerDatapath } from './src/index.ts';
          import { parentPort, workerData } from 'node:worker_threads';
          const worker = createWorkerDatapath(workerData.port);
          for (const name of ['p1', 'p2']) worker.datapath.addPort(createIdlePort(name));
          const sent = [];
          worker.datapath.onSend = ({ name }, bytes) => {
            sent.push([name, bytes.length]);
            if (sent.length < workerData.frames.length) return;
            worker.sendStatistics();
            parentPort.postMessage(sent);
          };
          for (const frame of workerData.frames) worker.datapath.inject(1, frame);
        `,
        resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
      },
      outfile: program,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'es2022',
      logLevel: 'error',
    });
    const master = new Datapath({ upcall: decide });
    const server = createFlowServer(master);
    const frames = [80, 443, 80, 80].map((port) => frame(port));
    const threads = [0, 1].map(() => {
      const { port1, port2 } = new MessageChannel();
      const connection = server.connect(port1);
      const thread = new Worker(program, { workerData: { port: port2, frames }, transferList: [port2] });
      const sent = new Promise((resolve, reject) => {
        thread.once('message', resolve);
        thread.once('error', reject);
      });
      return { connection, port: port1, thread, sent };
    });
    try {
      const length = frame(80).length;
      for (const { sent } of threads) expect(await sent).toEqual(frames.map(() => ['p2', length]));
      // Statistics were posted before the message that was waited for, on another port; they are here soon.
      const counted = (): number => master.flowNumbers().reduce((sum, flow) => sum + master.flowPackets(flow), 0);
      while (counted() < 4) await new Promise((resolve) => setImmediate(resolve));
      expect(counted()).toBe(4);
      expect(master.flowCount).toBe(2);
      for (const { connection } of threads) expect(connection.counters()).toEqual({ answered: 2, flows: 2 });
    } finally {
      for (const { thread, port } of threads) {
        port.close();
        await thread.terminate();
      }
      server.close();
      master.close();
    }
  });
});
