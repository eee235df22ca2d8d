// npm run bench -- --peers [--quick]
//
// The pure functions beside the packages that people decode frames with in Node, on the same frames, in turn, in one process: Ethernet,
// IPv4, UDP, VXLAN, Ethernet, IPv4, TCP, of 64 flows. Each side reads what all of them know: addresses, lengths, TTL, protocol, ports,
// checksums, sequence numbers, flags, window.
//
// `cap` and `pcap` decode in JavaScript; only their capturing needs a native module, which is not built. None of them knows VXLAN: they are
// shown where the inner frame begins. `@tcpip/wire` is not there since the registry no longer has it (bench/NOTES.md).
// @ts-check
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { buildFrame, dissect, ethernet, ipv4, tcp, udp, vxlan } from 'megaflow';
import { OUTER_BYTES, outer } from './frames.mjs';
import { load } from './load.mjs';

const FRAMES = 64;
const BURST = 32;

const isQuick = process.argv.includes('--quick');
const ROUNDS = isQuick ? 5 : 15;
const COUNT = isQuick ? 1 << 15 : 1 << 18;

/** The folder of the peers' own package.json, installed when it is not. No script of theirs is run. */
function installPeers() {
  const folder = fileURLToPath(new URL('peers/', import.meta.url));
  if (!existsSync(`${folder}node_modules/cap`) || !existsSync(`${folder}node_modules/pcap`)) {
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  const require = createRequire(folder);
  return { cap: require('cap/lib/Decoders.js'), pcap: require('pcap/decode/index.js') };
}

/** What came in last is kept here, so that no decoding is without effect. */
const sink = { value: 0 };

/** @returns {Promise<{ name: string, run(count: number): void }[]>} */
async function createCases() {
  const { cap, pcap } = installPeers();
  const inner = Array.from({ length: FRAMES }, (_, index) =>
    buildFrame([
      { type: 'ethernet', source: `52:54:00:aa:bb:${index.toString(16)}`, destination: '52:54:00:11:22:33' },
      { type: 'ipv4', source: `10.0.${index}.1`, destination: `192.168.1.${index}` },
      { type: 'tcp', sourcePort: 1024 + index, destinationPort: 443, sequence: 0x12345678 + index, window: 500 },
      { type: 'payload', bytes: new Uint8Array(10) },
    ]),
  );
  const header = vxlan.compile(outer);
  const frames = inner.map((frame, index) => vxlan.encapsulate(frame, header, 0xc000 + index));
  const buffers = frames.map((frame) => Buffer.from(frame));
  const extractBoth = await createKeyExtraction(frames);

  return [
    {
      name: 'megaflow, accessors',
      run(count) {
        for (let done = 0; done < count; done++) sink.value += readFrame(frames[done % FRAMES]);
      },
    },
    {
      name: 'megaflow, flow keys',
      run: extractBoth,
    },
    {
      name: 'megaflow, plain objects',
      run(count) {
        for (let done = 0; done < count; done++) sink.value += dissect(frames[done % FRAMES]).length;
      },
    },
    {
      name: 'cap',
      run(count) {
        const { Ethernet, IPV4, UDP, TCP } = cap;
        for (let done = 0; done < count; done++) {
          const buffer = buffers[done % FRAMES];
          let layer = Ethernet(buffer);
          layer = IPV4(buffer, layer.offset);
          layer = UDP(buffer, layer.offset);
          layer = Ethernet(buffer, layer.offset + vxlan.HEADER_LENGTH);
          layer = IPV4(buffer, layer.offset);
          layer = TCP(buffer, layer.offset);
          sink.value += layer.info.window;
        }
      },
    },
    {
      name: 'pcap',
      run(count) {
        const { EthernetPacket } = pcap;
        for (let done = 0; done < count; done++) {
          const buffer = buffers[done % FRAMES];
          sink.value += new EthernetPacket().decode(buffer, 0).payload.payload.dport;
          sink.value += new EthernetPacket().decode(buffer, OUTER_BYTES).payload.payload.windowSize;
        }
      },
    },
    {
      name: 'vxlan.encapsulate',
      run(count) {
        for (let done = 0; done < count; done++)
          sink.value += vxlan.encapsulate(inner[done % FRAMES], header, 0xc000 + (done % FRAMES)).length;
      },
    },
    {
      name: 'vxlan.decapsulate',
      run(count) {
        for (let done = 0; done < count; done++) sink.value += vxlan.decapsulate(frames[done % FRAMES]).reason;
      },
    },
  ];
}

/**
 * What the datapath does instead: both headers of frames in a pool into packed keys, in bursts.
 * @param {readonly Uint8Array[]} frames
 */
async function createKeyExtraction(frames) {
  const { PacketPool } = await load('src/packet/pool.ts');
  const { createExtractor } = await load('src/flow/extract.ts');
  const { createKeyRows, createKnownKeys } = await load('src/flow/key-rows.ts');
  const pool = new PacketPool();
  const { offset, length, hash } = pool;
  const { extract } = createExtractor(pool, createKeyRows(), createKnownKeys(1));
  const burst = Int32Array.from(frames.slice(0, BURST), (frame) => pool.allocateCopy(frame));
  return (/** @type {number} */ count) => {
    for (let done = 0; done < count; done += BURST) {
      for (const packet of burst) hash[packet] = 0;
      extract(burst, BURST, 0);
      for (const packet of burst) {
        hash[packet] = 0;
        offset[packet] += OUTER_BYTES;
        length[packet] -= OUTER_BYTES;
      }
      extract(burst, BURST, 0);
      for (const packet of burst) {
        offset[packet] -= OUTER_BYTES;
        length[packet] += OUTER_BYTES;
      }
    }
  };
}

/** Where accessors' values go, a cell a field: outer and inner headers from 0 and from 32 on. MACs have more than 32 bits. */
const seen = new Int32Array(64);
const seenMacs = new Float64Array(64);

/** The whole frame, each header checked before it is read; answers how many headers were sound. @param {Uint8Array} bytes */
function readFrame(bytes) {
  const end = bytes.length;
  if (readEthernet(bytes, 0, end, 0) !== ethernet.EtherType.ipv4) return 0;
  if (readIpv4(bytes, 14, end, 0) !== ipv4.Protocol.udp) return 1;
  const datagram = ipv4.payloadOffset(bytes, 14);
  if (udp.check(bytes, datagram, ipv4.payloadEnd(bytes, 14)) !== 0) return 2;
  readUdp(bytes, datagram);
  const tunnel = datagram + udp.HEADER_LENGTH;
  if (vxlan.check(bytes, tunnel, end) !== 0) return 3;
  seen[24] = vxlan.vni(bytes, tunnel);
  const inner = tunnel + vxlan.HEADER_LENGTH;
  if (readEthernet(bytes, inner, end, 32) !== ethernet.EtherType.ipv4) return 4;
  const network = inner + ethernet.HEADER_LENGTH;
  if (readIpv4(bytes, network, end, 32) !== ipv4.Protocol.tcp) return 5;
  const segment = ipv4.payloadOffset(bytes, network);
  if (tcp.check(bytes, segment, ipv4.payloadEnd(bytes, network)) !== 0) return 6;
  readTcp(bytes, segment);
  return 7;
}

/** Answers the type, or 0. @param {Uint8Array} bytes @param {number} at @param {number} end @param {number} cell */
function readEthernet(bytes, at, end, cell) {
  if (ethernet.check(bytes, at, end) !== 0) return 0;
  seenMacs[cell] = ethernet.destination(bytes, at);
  seenMacs[cell + 1] = ethernet.source(bytes, at);
  return ethernet.etherType(bytes, at);
}

/** Answers the protocol, or -1. @param {Uint8Array} bytes @param {number} at @param {number} end @param {number} cell */
function readIpv4(bytes, at, end, cell) {
  if (ipv4.check(bytes, at, end) !== 0) return -1;
  seen[cell + 2] = ipv4.source(bytes, at);
  seen[cell + 3] = ipv4.destination(bytes, at);
  seen[cell + 4] = ipv4.totalLength(bytes, at);
  seen[cell + 5] = ipv4.identification(bytes, at);
  seen[cell + 6] = ipv4.ttl(bytes, at);
  seen[cell + 7] = ipv4.tos(bytes, at);
  seen[cell + 8] = ipv4.checksum(bytes, at);
  return ipv4.protocol(bytes, at);
}

/** @param {Uint8Array} bytes @param {number} at */
function readUdp(bytes, at) {
  seen[16] = udp.sourcePort(bytes, at);
  seen[17] = udp.destinationPort(bytes, at);
  seen[18] = udp.length(bytes, at);
  seen[19] = udp.checksum(bytes, at);
}

/** @param {Uint8Array} bytes @param {number} at */
function readTcp(bytes, at) {
  seen[48] = tcp.sourcePort(bytes, at);
  seen[49] = tcp.destinationPort(bytes, at);
  seen[50] = tcp.sequence(bytes, at);
  seen[51] = tcp.acknowledgment(bytes, at);
  seen[52] = tcp.flags(bytes, at);
  seen[53] = tcp.window(bytes, at);
  seen[54] = tcp.checksum(bytes, at);
}

const cases = await createCases();

/** Nanoseconds of processor time a frame. @param {(count: number) => void} run */
function time(run) {
  const before = process.cpuUsage();
  run(COUNT);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / COUNT;
}

/** @type {Map<string, number>} */
const medians = new Map();
const times = cases.map(() => /** @type {number[]} */ ([]));
for (let warm = 0; warm < 3; warm++) for (const { run } of cases) time(run);
for (let round = 0; round < ROUNDS; round++) cases.forEach(({ run }, index) => times[index].push(time(run)));
cases.forEach(({ name }, index) => medians.set(name, times[index].sort((a, b) => a - b)[ROUNDS >> 1]));

console.log('Ethernet/IPv4/UDP/VXLAN/Ethernet/IPv4/TCP, 124 bytes      ns   cap ÷  pcap ÷');
for (const [name, median] of medians) {
  const ratios = ['cap', 'pcap'].map((peer) => ((medians.get(peer) ?? NaN) / median).toFixed(1).padStart(7));
  const isPeer = name === 'cap' || name === 'pcap' || name.startsWith('vxlan.');
  console.log(`${name.padEnd(52)} ${median.toFixed(1).padStart(7)}${isPeer ? '' : ratios.join(' ')}`);
}
