// A host for the executor that only takes notes, and the frames that tests of execution are about.
import { expect } from 'vitest';
import { compileActions } from '../../src/action/compile.js';
import { createExecutor } from '../../src/action/execute.js';
import { sourcePort } from '../../src/action/push.js';
import { createSetter } from '../../src/action/set.js';
import { parseActions } from '../../src/action/text-parse.js';
import type { Action } from '../../src/action/types.js';
import { buildFrame } from '../../src/packet/build.js';
import { PacketPool } from '../../src/packet/pool.js';
import { toHex } from '../../src/util/bytes.js';
import { REASON_COUNT, Reason } from '../../src/util/reason.js';
import { encapsulate } from '../../src/wire/vxlan.js';
import { hold } from './packets.js';

/** What happened, in order: `['1', frame]` was sent on port 1, `['recirc 5', …]`, `['userspace', …]`. */
export type Event = [where: string, frame: string];

export interface Bench {
  pool: PacketPool;
  events: Event[];
  drops: Float64Array;
  /** Handles that the host was asked to copy; they are released with the burst. */
  copies: number;
  run(text: string | readonly Action[], ...frames: Uint8Array[]): Event[];
}

export interface BenchOptions {
  /** Copies that there are slots for. */
  room?: number;
  /** What `sample` draws, in turn. */
  draws?: number[];
  shift?: number;
  /** Bytes before the frame; by default those of a pool. */
  headroom?: number;
  prepare?(pool: PacketPool, packet: number): void;
}

export function createBench({ room = Infinity, draws = [0], shift = 0, headroom, prepare }: BenchOptions = {}): Bench {
  const pool = new PacketPool({ slots: 512, headroom });
  const setter = createSetter(pool);
  const drops = new Float64Array(REASON_COUNT);
  const held: number[] = [];
  let queued: [port: number, packet: number][] = [];
  let drawn = 0;
  const note = (where: string, packet: number): void => void bench.events.push([where, toHex(pool.frame(packet))]);
  const flush = (): void => {
    // Frames are borrowed until here: what was changed in between would show.
    for (const [port, packet] of queued) note(String(port), packet);
    queued = [];
  };
  const executor = createExecutor(pool, setter, {
    output(port, list, count) {
      for (let index = 0; index < count; index++) queued.push([port, list[index]]);
    },
    flush,
    recirculate(list, count) {
      flush();
      for (let index = 0; index < count; index++) {
        const packet = list[index];
        const { recircId, inPort } = pool;
        note(`recirc ${recircId[packet]} of ${inPort[packet]}`, packet);
        // What comes after may change the packet as it likes.
        pool.frame(packet).fill(0xee);
        pool.length[packet] = 14;
      }
    },
    userspace(list, count, action, maxLength) {
      flush();
      for (let index = 0; index < count; index++) {
        const whole = toHex(pool.frame(list[index]));
        bench.events.push([`userspace ${action.pid}`, maxLength === 0 ? whole : whole.slice(0, 2 * maxLength)]);
      }
    },
    copy(packet) {
      if (bench.copies >= room) {
        drops[Reason.poolExhausted]++;
        return -1;
      }
      bench.copies++;
      const copy = pool.clone(packet);
      held.push(copy);
      return copy;
    },
    drops,
    random: () => draws[drawn++ % draws.length],
  });
  const bench: Bench = {
    pool,
    drops,
    events: [],
    copies: 0,
    run(text, ...frames) {
      const actions = typeof text === 'string' ? parseActions(text) : text;
      const program = compileActions(actions, setter);
      bench.events = [];
      const list = Int32Array.from(frames, (frame) => {
        const packet = hold(pool, frame, shift);
        pool.inPort[packet] = 9;
        prepare?.(pool, packet);
        held.push(packet);
        return packet;
      });
      executor.execute(program, list, list.length);
      flush();
      for (const packet of held.splice(0)) pool.release(packet);
      expect(pool.available).toBe(pool.slots);
      return bench.events;
    },
  };
  return bench;
}

export const MACS = '02000000000a020000000009';
/** A UDP packet of `length` bytes of data and a marker, with `padding` bytes behind it. */
export function udpFrame(length = 40, marker = 0xab, padding = 0): Uint8Array {
  return buildFrame([
    { type: 'ethernet', source: '02:00:00:00:00:09', destination: '02:00:00:00:00:0a' },
    { type: 'ipv4', source: '1.1.1.9', destination: '1.1.1.10' },
    { type: 'udp', sourcePort: 1111, destinationPort: 2222, checksum: 0 },
    { type: 'payload', bytes: new Uint8Array(length).fill(marker) },
    ...(padding === 0 ? [] : [{ type: 'padding' as const, bytes: new Uint8Array(padding).fill(0xcd) }]),
  ]);
}

export const frame = udpFrame();
export const text = toHex(frame);
export const tag = (hex: string): string => `${hex.slice(0, 24)}81000005${hex.slice(24)}`;
export const HEADER =
  'header(size=50,type=4,eth(dst=46:a3:4e:39:12:4e,src=3a:74:f7:8c:f3:4e,dl_type=0x0800),' +
  'ipv4(src=10.10.10.1,dst=10.10.10.2,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=8472,csum=0x0),' +
  'vxlan(flags=0x8000000,vni=0x7))';
export const PUSH = `tnl_push(tnl_port(2),${HEADER},out_port(3))`;
export const pushed = (bytes: Uint8Array, hash: number): Uint8Array =>
  encapsulate(bytes, {
    sourceMac: '3a:74:f7:8c:f3:4e',
    destinationMac: '46:a3:4e:39:12:4e',
    sourceIp: '10.10.10.1',
    destinationIp: '10.10.10.2',
    destinationPort: 8472,
    sourcePort: sourcePort(hash),
    vni: 7,
    ttl: 64,
    tos: 0,
  });
// UDP 1.1.1.9:1111 to 1.1.1.10:2222: Open vSwitch 3.1.0 was seen to choose 46587.
export const outer = toHex(pushed(frame, 0)).replace(/^(.{68})8000/, `$1${(46587).toString(16)}`);
