// Random and mutated frames into a switch with VLAN and VXLAN ports: nothing throws, nothing leaks, everything is counted, and nothing is
// read past the end of a frame. MEGAFLOW_HOSTILE_FRAMES sets how many (20,000 here, 100,000 in CI; a million take five minutes), MEGAFLOW_SEED which ones.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { dumpFlows } from '../src/control/dpctl.js';
import { createIdlePort } from '../src/io/idle-port.js';
import { PacketPool } from '../src/packet/pool.js';
import { VSwitch } from '../src/switch/vswitch.js';
import { fromHex } from '../src/util/bytes.js';
import { ManualClock } from '../src/util/clock.js';
import { createRandom } from './io/bench.js';

const seed = Number(process.env.MEGAFLOW_SEED ?? 1);
const frames = Number(process.env.MEGAFLOW_HOSTILE_FRAMES ?? 20_000);
const SLOTS = 512;
const FLOW_LIMIT = 2000;

const folder = fileURLToPath(new URL('./scenarios/', import.meta.url));

/** The frames that came in in the recorded scenarios, without copies. */
const recorded = [
  ...new Set(
    readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .flatMap(
        (name) => JSON.parse(readFileSync(`${folder}${name}`, 'utf8')).steps as { receive?: { frame: string } }[],
      )
      .flatMap(({ receive }) => (receive ? [receive.frame] : [])),
  ),
].map((hex) => fromHex(hex));

/** Ports that frames come in on, and how many datapath ports there are. */
const PORTS = ['trunk', 'access', 'native', 'qinq', 'ens8', 'br0', 'br1'];

function createVictim(options: { fill?: number; vlanLimit?: number; exactMatchEntries?: number } = {}): {
  vswitch: VSwitch;
  clock: ManualClock;
} {
  const clock = new ManualClock(1_000_000);
  const pool = new PacketPool({ slots: SLOTS });
  if (options.fill !== undefined) pool.bytes.fill(options.fill);
  const vswitch = new VSwitch({
    clock,
    pool,
    flowLimit: FLOW_LIMIT,
    vlanLimit: options.vlanLimit,
    exactMatchEntries: options.exactMatchEntries,
  });
  const vxlan = (name: string, tunnel: Record<string, string>) => ({
    name,
    interface: { type: 'vxlan' as const, options: tunnel },
  });
  vswitch.addBridge({
    name: 'br1',
    mac: 'aa:55:aa:55:00:01',
    ports: [{ name: 'ens8', port: createIdlePort('ens8', 1500) }],
  });
  vswitch.addBridge({
    name: 'br0',
    mac: 'aa:55:aa:55:00:00',
    otherConfig: { 'mac-table-size': '500' },
    ports: [
      { name: 'trunk' },
      { name: 'access', tag: 10 },
      { name: 'native', tag: 20, vlanMode: 'native-untagged' },
      { name: 'qinq', tag: 100, vlanMode: 'dot1q-tunnel' },
      vxlan('vx1', { remote_ip: '10.10.10.2', key: 'flow', dst_port: '8472' }),
      vxlan('vx2', {
        remote_ip: '10.10.10.3',
        key: '5',
        dst_port: '4789',
        csum: 'true',
        ttl: 'inherit',
        tos: 'inherit',
      }),
      vxlan('vx4', { remote_ip: 'fd00:10::2', key: '7', dst_port: '4789' }),
    ],
    mirrors: [{ name: 'm', selectAll: true, selectVlan: [10], outputVlan: 99 }],
  });
  vswitch.addAddress('br1', '10.10.10.1/24');
  vswitch.addAddress('br1', 'fd00:10::1/64');
  for (const ip of ['10.10.10.2', '10.10.10.3', 'fd00:10::2']) vswitch.setNeighbour('br1', ip, 'aa:55:aa:55:00:02');
  return { vswitch, clock };
}

type Random = ReturnType<typeof createRandom>;

/** A frame of a scenario, changed a little or much, or noise. The array is the caller's own. */
function mutate(random: Random): Uint8Array {
  const origin = recorded[random(recorded.length)];
  switch (random(8)) {
    case 0: {
      const noise = new Uint8Array(random(random(4) === 0 ? 1600 : 90));
      for (let at = 0; at < noise.length; at++) noise[at] = random(256);
      if (noise.length > 14 && random(2)) {
        const types = [0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x8847, 0x894f, 0x0005];
        const type = types[random(types.length)];
        noise[12] = type >> 8;
        noise[13] = type & 255;
      }
      return noise;
    }
    case 1:
      return origin.slice(0, random(origin.length + 1));
    case 2: {
      const longer = new Uint8Array(origin.length + random(80));
      longer.set(origin);
      return longer;
    }
    case 3: {
      // One frame's head on another one's tail.
      const other = recorded[random(recorded.length)];
      const at = random(Math.min(origin.length, 60));
      const joined = new Uint8Array(at + Math.max(0, other.length - at));
      joined.set(origin.subarray(0, at));
      joined.set(other.subarray(at), at);
      return joined;
    }
    case 4: {
      // For us, so that tunnels are looked at.
      const aimed = origin.slice();
      if (aimed.length >= 14) aimed.set([0xaa, 0x55, 0xaa, 0x55, 0, 1]);
      return aimed;
    }
    default: {
      const changed = origin.slice();
      for (let count = 1 + random(4); count > 0 && changed.length > 0; count--) {
        // Headers more often than payload; addresses seldom, since each makes a flow of its own.
        const from = random(8) ? Math.min(12, changed.length - 1) : 0;
        const at = from + (random(2) ? random(changed.length - from) : random(Math.min(changed.length - from, 60)));
        changed[at] = random(3) ? random(256) : changed[at] ^ (1 << random(8));
      }
      return changed;
    }
  }
}

/** A frame that is too short, and one that is too long, now and then. */
function next(random: Random): [string, Uint8Array] {
  const frame = random(5000) === 0 ? new Uint8Array(random(4000)) : mutate(random);
  return [PORTS[random(PORTS.length)], frame];
}

/** Without it nothing could be said of memory; vitest's own workers are started without. */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe(`${frames} hostile frames, seed ${seed}`, () => {
  it('throw nothing, leak nothing, and are all counted', { timeout: 600_000 }, () => {
    const { vswitch, clock } = createVictim();
    const { datapath } = vswitch;
    const random = createRandom(seed);
    let sent = 0;
    datapath.onSend = () => sent++;
    let mostFlows = 0;
    let heapBefore = 0;
    let injected = 0;
    let injectedBytes = 0;
    for (let index = 0; index < frames; index++) {
      const [port, frame] = next(random);
      vswitch.receive(port, frame);
      if (datapath.pool.fits(frame.length)) {
        injected++;
        injectedBytes += frame.length;
      }
      if (index % 1024 === 0) {
        clock.advance(index % 20_480 === 0 ? 11_000 : 20);
        mostFlows = Math.max(mostFlows, datapath.flowCount);
        if (datapath.pool.available !== SLOTS) expect.fail(`frame ${index} was not given back`);
      }
      if (index === frames >> 1) {
        collectGarbage();
        heapBefore = process.memoryUsage().heapUsed;
      }
    }
    expect(datapath.pool.available).toBe(SLOTS);
    expect(mostFlows).toBeLessThanOrEqual(FLOW_LIMIT);
    expect(mostFlows).toBeGreaterThan(100);
    expect(vswitch.bridge('br0').macTable.count).toBeLessThanOrEqual(500);
    collectGarbage();
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(16 * 1024 * 1024);

    const { lookups, ports, drops } = vswitch.counters();
    const sum = (pick: (port: (typeof ports)[string]) => number): number =>
      Object.values(ports).reduce((total, port) => total + pick(port), 0);
    const reasons = (port: (typeof ports)[string], name: string): number => port.drops[name] ?? 0;
    // What came in: all that was injected and fitted into a slot.
    expect(sum(({ rxPackets }) => rxPackets)).toBe(injected);
    expect(sum(({ rxBytes }) => rxBytes)).toBe(injectedBytes);
    expect(sum((port) => reasons(port, 'frame-too-long'))).toBe(frames - injected);
    // What went out: all that was seen to.
    expect(sum(({ txPackets }) => txPackets)).toBe(sent);
    // Each that was no runt was looked up: hit, missed or lost. Those out of tunnels a second time, and those of the switch's own not at all.
    const looked = lookups.hit + lookups.missed + lookups.lost;
    const first = injected - sum((port) => reasons(port, 'runt'));
    expect(looked).toBeGreaterThanOrEqual(first);
    expect(sum((port) => reasons(port, 'runt'))).toBeGreaterThan(0);
    expect(lookups.hit).toBeGreaterThan(0);
    // Tunnels took part, and refused.
    expect(looked).toBeGreaterThan(first);
    expect(Object.keys(drops)).toEqual(expect.arrayContaining(['flow-drop', 'upcall-lost', 'tunnel-pop-flags']));
    // What text there is of the flows can be had.
    expect(dumpFlows(vswitch).split('\n').length).toBeGreaterThan(1);
    vswitch.close();
    expect(clock.pending).toBe(0);
  });

  it.each([1, 2])(
    'do not read past their end, with %i tags parsed: two fillings of memory give the same',
    { timeout: 600_000 },
    (vlanLimit) => {
      const run = (fill: number): { digest: number; sent: number; text: string } => {
        const { vswitch, clock } = createVictim({ fill, vlanLimit });
        const { pool } = vswitch.datapath;
        const random = createRandom(seed + vlanLimit);
        let digest = 0;
        let sent = 0;
        let port = 0;
        vswitch.datapath.onSend = ({ number }, bytes) => {
          sent++;
          digest = (Math.imul(digest, 31) + number) | 0;
          for (let at = 0; at < bytes.length; at++) digest = (Math.imul(digest, 31) + bytes[at]) | 0;
        };
        for (let index = 0; index < frames / 15; index++) {
          const [name, frame] = next(random);
          port++;
          vswitch.receive(name, frame);
          // Slots are used again and again: what earlier frames left in them is covered, too.
          if (port % 16 === 0) pool.bytes.fill(fill);
          if (index % 512 === 0) clock.advance(20);
        }
        const text = `${dumpFlows(vswitch)}\n${JSON.stringify(vswitch.counters())}`;
        vswitch.close();
        return { digest, sent, text };
      };
      const [zeros, ones, pattern] = [0x00, 0xff, 0xa5].map(run);
      expect(zeros.sent).toBeGreaterThan(frames / 100);
      expect(ones).toEqual(zeros);
      expect(pattern).toEqual(zeros);
    },
  );

  it('do the same with and without the cache', { timeout: 600_000 }, () => {
    const run = (exactMatchEntries: number | undefined): string => {
      const { vswitch, clock } = createVictim({ exactMatchEntries });
      const random = createRandom(seed + 77);
      const repeated = Array.from({ length: 50 }, () => next(random));
      for (let index = 0; index < frames / 10; index++) {
        const [name, frame] = random(2) ? repeated[random(repeated.length)] : next(random);
        vswitch.receive(name, frame);
        if (index % 512 === 0) clock.advance(20);
      }
      const text = `${dumpFlows(vswitch)}\n${JSON.stringify(vswitch.counters())}`;
      vswitch.close();
      return text;
    };
    expect(run(0)).toBe(run(undefined));
  });
});
