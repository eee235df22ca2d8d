// What the ports of megaflow/node carry, in frames a second each way: two ports of a kind in this process, one sending
// bursts of 32 frames of 64 bytes, the other receiving, without a switch between them.
//
//     npm run bench -- --ports [--quick]
//
// It needs root for macvtap, which it tries in a network namespace that it makes and removes.
//
// Sending and receiving share one thread here, so `both` is what a port costs that does as much of each; `send` and
// `receive` are by each way's own share of the time. Sending over loopback or veth includes what the kernel does to hand
// a frame over. Medians of rounds, with the worst and the best. Time is the processor's, of all threads of this process, so
// that others on the machine take none of it; with the machine to oneself the wall's is the same.
// @ts-check
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from './load.mjs';

const ROUNDS = process.argv.includes('--quick') ? 3 : 9;
const BURST = 32;
const FRAME = 64;

const { openMacvtapPort, openPcapPort, openQemuPort, openUdpPort, openVxlanSocket } = await load('src/node/index.ts');
const { VSwitch } = await load('src/index.ts');
const { PacketPool } = await load('src/packet/pool.ts');
const { writeTunnel } = await load('src/packet/tunnel.ts');

const folder = mkdtempSync(join(tmpdir(), 'megaflow-ports-'));
/** @type {(() => void | Promise<void>)[]} */
const cleanUp = [() => rmSync(folder, { recursive: true, force: true })];

/** @param {number[]} values */
const summary = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const text = (/** @type {number} */ value) => `${Math.round(value / 1000)}k`;
  return `${text(sorted[sorted.length >> 1]).padStart(6)} (${text(sorted[0])} to ${text(sorted[sorted.length - 1])})`;
};

/** Nanoseconds of processor time so far. */
const nowNs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
};

/** Sits at a port with a pool of its own. @param {any} port @param {any} [tunnel] */
function sitAt(port, tunnel) {
  const pool = new PacketPool({ slots: 256 });
  const burst = new Int32Array(BURST);
  const frames = Int32Array.from({ length: BURST }, () => {
    const handle = pool.allocate();
    pool.length[handle] = FRAME;
    pool.bytes.fill(0, pool.offset[handle], pool.offset[handle] + FRAME);
    pool.bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5], pool.offset[handle]);
    if (tunnel) writeTunnel(pool, handle, tunnel);
    return handle;
  });
  port.attach({ pool, wake() {} });
  return {
    send: () => port.send(frames, BURST),
    receive() {
      let total = 0;
      for (let count = BURST; count === BURST; total += count) {
        count = port.receive(burst, BURST);
        pool.releaseBurst(burst, count);
      }
      return total;
    },
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/**
 * Sends `batch` bursts, then receives what came of them, again and again. What the receiver's buffers do not hold is lost,
 * so `batch` is small; rates are those of frames that arrived.
 * @param {string} name @param {any} from @param {any} to @param {{ tunnel?: any, batch?: number, frames?: number }} [options]
 */
async function measure(name, from, to, { tunnel, batch = 2, frames = 40_000 } = {}) {
  const [sender, receiver] = [sitAt(from, tunnel), sitAt(to)];
  /** @type {{ both: number[], send: number[], receive: number[] }} */
  const rates = { both: [], send: [], receive: [] };
  let lost = 0;
  for (let round = -2; round < ROUNDS; round++) {
    let [sent, received, sendNs, start] = [0, 0, 0, nowNs()];
    while (sent < frames) {
      const before = nowNs();
      for (let count = 0; count < batch; count++) sender.send();
      sendNs += nowNs() - before;
      sent += batch * BURST;
      for (let idle = 0; idle < 40 && received < sent; idle++) {
        const count = receiver.receive();
        received += count;
        if (count > 0) idle = 0;
        if (received < sent) await turn();
      }
    }
    const allNs = nowNs() - start;
    // The first rounds warm up.
    if (round < 0) continue;
    lost += sent - received;
    rates.both.push((received / allNs) * 1e9);
    rates.send.push((sent / sendNs) * 1e9);
    rates.receive.push((received / (allNs - sendNs)) * 1e9);
  }
  const columns = [summary(rates.send), summary(rates.receive), summary(rates.both)];
  console.log(
    `${name.padEnd(24)} ${columns.map((column) => column.padEnd(26)).join(' ')}${lost > 0 ? ` lost ${lost}` : ''}`,
  );
  await from.close();
  await to.close();
}

/** @param {string} command */
const ip = (command) => execFileSync('sh', ['-c', command], { stdio: 'pipe' });

/**
 * Cables in a namespace of their own, with a macvtap device on each end; answers the paths of their character devices.
 * @param {number} cables
 */
function makeMacvtaps(cables) {
  const namespace = `mfbench${process.pid}`;
  const first = 20_000 + (process.pid % 10_000) * 4;
  ip(`ip netns add ${namespace}`);
  cleanUp.push(() => void ip(`ip netns delete ${namespace}`));
  return Array.from({ length: 2 * cables }, (_, at) => {
    if (at % 2 === 0) ip(`ip -n ${namespace} link add e${at} type veth peer name e${at + 1}`);
    const index = first + at;
    // Nothing but these frames is to pass: no neighbour discovery.
    const quiet = (/** @type {string} */ device) =>
      ip(`ip netns exec ${namespace} sh -c 'echo 1 > /proc/sys/net/ipv6/conf/${device}/disable_ipv6'`);
    quiet(`e${at}`);
    ip(`ip -n ${namespace} link set e${at} up`);
    ip(`ip -n ${namespace} link add link e${at} name mt${at} index ${index} type macvtap mode passthru`);
    quiet(`mt${at}`);
    ip(`ip -n ${namespace} link set mt${at} up promisc on`);
    const path = `/dev/tap${index}`;
    if (existsSync(path)) return path;
    // No devtmpfs, as in most containers.
    const made = join(folder, `tap${index}`);
    ip(`mknod ${made} c $(ip netns exec ${namespace} cat /sys/class/net/mt${at}/tap${index}/dev | tr : ' ')`);
    return made;
  });
}

/**
 * From one macvtap device through a switch to another: what is left of the time when sending to the one and receiving from
 * the other, at the far ends of two cables, are taken off. With `isTunnel` the switch puts each frame into a VXLAN tunnel.
 * @param {readonly any[]} ports @param {boolean} isTunnel
 */
async function measureSwitch([from, left, right, to], isTunnel) {
  const vswitch = new VSwitch();
  const underlay = { name: 'nic', port: right };
  if (isTunnel) {
    const options = { remote_ip: '10.0.0.2', key: '1' };
    const tunnel = { name: 'vxlan1', interface: { type: /** @type {const} */ ('vxlan'), options } };
    vswitch.addBridge({ name: 'br0', mac: '02:00:00:00:01:00', ports: [{ name: 'vm', port: left }, tunnel] });
    vswitch.addBridge({ name: 'br1', mac: '02:00:00:00:02:00', ports: [underlay] });
    vswitch.addAddress('br1', '10.0.0.1/24');
    vswitch.setNeighbour('br1', '10.0.0.2', '02:00:00:00:02:01');
  } else vswitch.addBridge({ name: 'br0', mac: '02:00:00:00:01:00', ports: [{ name: 'vm', port: left }, underlay] });
  const [sender, receiver] = [sitAt(from), sitAt(to)];
  const rates = [];
  let base = 0;
  for (let round = -2; round < ROUNDS; round++) {
    let [sent, received, otherNs, start] = [0, 0, 0, nowNs()];
    while (sent < 40_000) {
      let before = nowNs();
      for (let count = 0; count < 8; count++) sender.send();
      otherNs += nowNs() - before;
      sent += 8 * BURST;
      for (let idle = 0; idle < 100 && received < sent; idle++) {
        await turn();
        // Frames are fetched when all are there: each look for one costs.
        if (left.counters.rxPackets + right.counters.txPackets < 2 * sent + base && idle < 50) continue;
        before = nowNs();
        received += receiver.receive();
        otherNs += nowNs() - before;
      }
    }
    base = left.counters.rxPackets + right.counters.txPackets;
    if (round >= 0) rates.push((received / (nowNs() - start - otherNs)) * 1e9);
  }
  console.log(`${(isTunnel ? 'macvtap, VXLAN, macvtap' : 'macvtap, switch, macvtap').padEnd(78)} ${summary(rates)}`);
  vswitch.close();
}

async function measureMacvtap() {
  if (process.getuid?.() !== 0) {
    console.log('macvtap                  SKIPPED: it needs root, for a network namespace');
    return;
  }
  const paths = makeMacvtaps(3);
  const ports = await Promise.all(paths.map((path, at) => openMacvtapPort({ name: `mt${at}`, path })));
  await measure('macvtap', ports[0], ports[1], { batch: 8 });
  for (const isTunnel of [false, true]) await measureSwitch(ports.slice(2), isTunnel);
  for (const port of ports.slice(2)) await port.close();
}

try {
  console.log(
    `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}; frames of ${FRAME} bytes a second of processor time\n`,
  );
  console.log(
    `${''.padEnd(24)} ${['send', 'receive', 'both in one thread'].map((title) => title.padEnd(26)).join(' ')}`,
  );
  const udp = await openUdpPort({ name: 'to', bind: '127.0.0.1:0' });
  await measure('UDP frames', await openUdpPort({ name: 'from', bind: '127.0.0.1:0', to: udp.address }), udp);
  const [here, there] = ['127.8.0.1', '127.8.0.2'];
  const vxlan = await openVxlanSocket({ name: 'to', addresses: [there], port: 0, remotes: [here] });
  const other = await openVxlanSocket({ name: 'from', addresses: [here], port: vxlan.port, remotes: [there] });
  await measure('VXLAN socket', other, vxlan, { tunnel: { source: here, destination: there, id: 1, ttl: 64 } });
  for (const [name, listen] of [
    ['QEMU stream, Unix', join(folder, 'a')],
    ['QEMU stream, TCP', '127.0.0.1:0'],
  ]) {
    const server = await openQemuPort({ name: 'to', listen });
    const client = await openQemuPort({ name: 'from', connect: server.address });
    while (!server.isConnected || !client.isConnected) await turn();
    await measure(name, client, server, { frames: 400_000 });
  }
  await measureMacvtap();
  const file = join(folder, 'frames.pcap');
  const writer = await openPcapPort({ name: 'write', write: file });
  const seat = sitAt(writer);
  const began = nowNs();
  for (let sent = 0; sent < 400_000; sent += BURST) {
    seat.send();
    if (sent % 8192 === 0) await turn();
  }
  await writer.close();
  const { txPackets } = writer.counters;
  console.log(`${'pcap, written'.padEnd(24)} ${Math.round((txPackets / (nowNs() - began)) * 1e6)}k`);
  const reader = await openPcapPort({ name: 'read', read: file, pace: Infinity });
  const taker = sitAt(reader);
  const start = nowNs();
  let read = 0;
  while (read < txPackets) {
    read += taker.receive();
    await turn();
  }
  console.log(`${'pcap, replayed at once'.padEnd(24)} ${Math.round((read / (nowNs() - start)) * 1e6)}k`);
  await reader.close();
} finally {
  for (const action of cleanUp.reverse()) await action();
}
