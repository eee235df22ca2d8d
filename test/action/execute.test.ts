// Execution of compiled actions: each action by itself with a host that only takes notes, and whole random lists beside
// a naive interpreter that copies the frame whenever anything is done with it.
import { describe, expect, it } from 'vitest';
import { MAX_NESTING, compileActions } from '../../src/action/compile.js';
import { createExecutor } from '../../src/action/execute.js';
import { sourcePort } from '../../src/action/push.js';
import { createSetter } from '../../src/action/set.js';
import { parseActions } from '../../src/action/text-parse.js';
import { formatActions } from '../../src/action/text-format.js';
import type { Action } from '../../src/action/types.js';
import { buildFrame } from '../../src/packet/build.js';
import { Extras, PacketPool } from '../../src/packet/pool.js';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { hashInt } from '../../src/util/hash.js';
import { REASON_COUNT, Reason, reasonCounts } from '../../src/util/reason.js';
import { encapsulate } from '../../src/wire/vxlan.js';
import { randomFrom, seed } from '../wire/contract.js';
import { hold } from './packets.js';

/** What happened, in order: `['1', frame]` was sent on port 1, `['recirc 5', …]`, `['userspace', …]`. */
type Event = [where: string, frame: string];

interface Bench {
  pool: PacketPool;
  events: Event[];
  drops: Float64Array;
  /** Handles that the host was asked to copy; they are released with the burst. */
  copies: number;
  run(text: string | readonly Action[], ...frames: Uint8Array[]): Event[];
}

interface BenchOptions {
  /** Copies that there are slots for. */
  room?: number;
  /** What `sample` draws, in turn. */
  draws?: number[];
  shift?: number;
  prepare?(pool: PacketPool, packet: number): void;
}

function createBench({ room = Infinity, draws = [0], shift = 0, prepare }: BenchOptions = {}): Bench {
  const pool = new PacketPool({ slots: 512 });
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

const MACS = '02000000000a020000000009';
/** A UDP packet of `length` bytes of data and a marker, with `padding` bytes behind it. */
function udpFrame(length = 40, marker = 0xab, padding = 0): Uint8Array {
  return buildFrame([
    { type: 'ethernet', source: '02:00:00:00:00:09', destination: '02:00:00:00:00:0a' },
    { type: 'ipv4', source: '1.1.1.9', destination: '1.1.1.10' },
    { type: 'udp', sourcePort: 1111, destinationPort: 2222, checksum: 0 },
    { type: 'payload', bytes: new Uint8Array(length).fill(marker) },
    ...(padding === 0 ? [] : [{ type: 'padding' as const, bytes: new Uint8Array(padding).fill(0xcd) }]),
  ]);
}

const frame = udpFrame();
const text = toHex(frame);
const tag = (hex: string): string => `${hex.slice(0, 24)}81000005${hex.slice(24)}`;
const HEADER =
  'header(size=50,type=4,eth(dst=46:a3:4e:39:12:4e,src=3a:74:f7:8c:f3:4e,dl_type=0x0800),' +
  'ipv4(src=10.10.10.1,dst=10.10.10.2,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=8472,csum=0x0),' +
  'vxlan(flags=0x8000000,vni=0x7))';
const PUSH = `tnl_push(tnl_port(2),${HEADER},out_port(3))`;
const pushed = (bytes: Uint8Array, hash: number): Uint8Array =>
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
const outer = toHex(pushed(frame, 0)).replace(/^(.{68})8000/, `$1${(46587).toString(16)}`);

describe('each action', () => {
  it('sends, in order, and as often as it says', () => {
    expect(createBench().run('2,1,2', frame)).toEqual([['2', text], ['1', text], ['2', text]]);
  });

  it('is run over a whole group before the next', () => {
    const frames = [1, 2, 3].map((marker) => udpFrame(4, marker));
    const [a, b, c] = frames.map((one) => toHex(one));
    expect(createBench().run('1,2', ...frames)).toEqual([['1', a], ['1', b], ['1', c], ['2', a], ['2', b], ['2', c]]);
  });

  it('sends a frame as it was when it was sent', () => {
    expect(createBench().run('1,push_vlan(vid=5,pcp=0),2,pop_vlan,set(eth(src=02:00:00:00:00:77)),3', frame)).toEqual([
      ['1', text],
      ['2', tag(text)],
      ['3', text.replace('020000000009', '020000000077')],
    ]);
    expect(createBench().run(`1,${PUSH},4`, frame)).toEqual([['1', text], ['4', outer]]);
    expect(createBench().run('1,recirc(5)', frame)).toEqual([['1', text], ['recirc 5 of 9', text]]);
    const first = createBench().run('4,tnl_pop(6)', fromHex(outer));
    expect(first).toEqual([['4', outer], ['recirc 0 of 6', text]]);
    expect(createBench().run('1,clone(2,push_vlan(vid=5,pcp=0),3),4', frame)).toEqual([['1', text], ['2', text], ['3', tag(text)], ['4', text]]);
  });

  it('leaves its packet as it was: clone', () => {
    const bench = createBench();
    expect(bench.run('clone(set(eth(src=02:00:00:00:00:77)),push_vlan(vid=5,pcp=0),1),2', frame)).toEqual([
      ['1', tag(text.replace('020000000009', '020000000077'))],
      ['2', text],
    ]);
    expect(bench.run(`clone(${PUSH},4),1,clone(clone(${PUSH},4),1),2`, frame)).toEqual([['4', outer], ['1', text], ['4', outer], ['1', text], ['2', text]]);
    expect(bench.run('clone(),1', frame)).toEqual([['1', text]]);
    expect(bench.run('clone(recirc(5)),2', frame)).toEqual([['recirc 5 of 9', text], ['2', text]]);
  });

  it('leaves its metadata as they were, too', () => {
    const seen: number[][] = [];
    const bench = createBench({
      prepare(pool, packet) {
        pool.extras[packet] |= Extras.metadata;
        pool.skbMark[packet] = 3;
        seen.push([packet]);
      },
    });
    const hash: Action = { type: 'hash', algorithm: 'l4', basis: 1 };
    const inner: Action[] = [...parseActions('set(skb_mark(0x7))'), hash];
    bench.run([{ type: 'clone', actions: inner }, { type: 'recirc', id: 5 }], frame);
    expect([bench.pool.skbMark[seen[0][0]], bench.pool.dpHash[seen[0][0]]]).toEqual([3, 0]);
  });

  it('recirculates: the packet itself at the end, a copy before', () => {
    const bench = createBench();
    expect(bench.run('recirc(5)', frame)).toEqual([['recirc 5 of 9', text]]);
    expect(bench.copies).toBe(0);
    expect(bench.run('recirc(5),1', frame)).toEqual([['recirc 5 of 9', text], ['1', text]]);
    expect(bench.copies).toBe(1);
    expect(bench.run('tnl_pop(6),1', fromHex(outer))).toEqual([['recirc 0 of 6', text], ['1', outer]]);
  });

  it('counts what cannot be popped, and goes on with the others', () => {
    const bench = createBench();
    const bad = fromHex(outer);
    bad[42] = 0;
    expect(bench.run('tnl_pop(6)', bad, fromHex(outer))).toEqual([['recirc 0 of 6', text]]);
    expect(bench.run('tnl_pop(6),1', bad)).toEqual([['1', toHex(bad)]]);
    expect(bench.run('tnl_pop(6)', bad)).toEqual([]);
    expect(reasonCounts(bench.drops)).toEqual({ 'tunnel-pop-flags': 3 });
  });

  it('drops: the rest is not run', () => {
    const bench = createBench();
    const drop: Action = { type: 'drop' };
    expect(bench.run([{ type: 'output', port: 1 }, drop, { type: 'output', port: 2 }], frame, frame)).toHaveLength(2);
    expect(reasonCounts(bench.drops)).toEqual({ 'flow-drop': 2 });
    // Within a clone it drops the copy.
    expect(bench.run([{ type: 'clone', actions: [drop] }, { type: 'output', port: 2 }], frame)).toEqual([['2', text]]);
    expect(reasonCounts(bench.drops)).toEqual({ 'flow-drop': 3 });
    expect(bench.run([], frame)).toEqual([]);
    expect(reasonCounts(bench.drops)).toEqual({ 'flow-drop': 4 });
  });

  it('pushes and pops tags', () => {
    expect(createBench().run('pop_vlan,1', fromHex(tag(text)))).toEqual([['1', text]]);
    expect(createBench().run('pop_vlan,push_vlan(vid=5,pcp=0),1', fromHex(tag(text)))).toEqual([['1', tag(text)]]);
  });

  it('counts packets without room for a header, and goes on with the others', () => {
    const prepare = (pool: PacketPool, packet: number): void => {
      // The first of the group begins 3 bytes into its slot.
      if (pool.bytes[pool.offset[packet] + 42] !== 1) return;
      const start = packet * pool.slotBytes + 3;
      pool.bytes.copyWithin(start, pool.offset[packet], pool.offset[packet] + pool.length[packet]);
      pool.offset[packet] = start;
    };
    const [near, far] = [udpFrame(4, 1), udpFrame(4, 2)];
    for (const push of ['push_vlan(vid=5,pcp=0)', PUSH]) {
      const bench = createBench({ prepare });
      const events = bench.run(`1,${push},2`, near, far);
      expect(events.map(([where]) => where)).toEqual(['1', '1', '2']);
      expect(events[2][1].slice(-8)).toBe('02020202');
      expect(reasonCounts(bench.drops)).toEqual({ 'no-headroom': 1 });
    }
  });

  it('hands over to userspace', () => {
    const bench = createBench();
    expect(bench.run('userspace(pid=4,userdata(0102)),1', frame)).toEqual([['userspace 4', text], ['1', text]]);
  });
});

describe('hash', () => {
  function dpHash(text: string, bytes: Uint8Array, prepare?: BenchOptions['prepare']): number {
    let handle = -1;
    const bench = createBench({
      prepare(pool, packet) {
        handle = packet;
        prepare?.(pool, packet);
      },
    });
    // Open vSwitch prints this action and does not read it.
    const [algorithm, basis] = /(l4|sym_l4)\((\d+)\)/.exec(text)!.slice(1);
    bench.run([{ type: 'hash', algorithm: algorithm as 'l4', basis: Number(basis) }, { type: 'recirc', id: 1 }], bytes);
    expect(bench.pool.extras[handle] & Extras.metadata).toBe(Extras.metadata);
    return bench.pool.dpHash[handle];
  }
  const reversed = (bytes: Uint8Array): Uint8Array => {
    const hex = toHex(bytes);
    const at = (from: number, to: number): string => hex.slice(2 * from, 2 * to);
    return fromHex(at(6, 12) + at(0, 6) + at(12, 26) + at(30, 34) + at(26, 30) + at(36, 38) + at(34, 36) + at(38, bytes.length));
  };

  it('mixes the hash of the packet with a basis', () => {
    let known = 0;
    const prepare: BenchOptions['prepare'] = (pool, packet) => void (known = pool.hash[packet]);
    expect(dpHash('hash(l4(0))', frame, prepare)).toBe(hashInt(known, 0));
    expect(dpHash('hash(l4(7))', frame, prepare)).toBe(hashInt(known, 7));
    expect(hashInt(known, 7)).not.toBe(hashInt(known, 0));
  });

  it('is the same both ways where it is symmetric, and tells conversations apart', () => {
    const forth = dpHash('hash(sym_l4(0))', frame);
    expect(dpHash('hash(sym_l4(0))', reversed(frame))).toBe(forth);
    expect(dpHash('hash(sym_l4(1))', frame)).not.toBe(forth);
    const other = frame.slice();
    other[29] = 99;
    expect(dpHash('hash(sym_l4(0))', other)).not.toBe(forth);
    expect(dpHash('hash(l4(0))', reversed(frame))).not.toBe(dpHash('hash(l4(0))', frame));
    const six = fromHex(`${MACS}86dd6000000000003b40fe80${'00'.repeat(13)}09fe80${'00'.repeat(13)}08`);
    const swapped = fromHex(`${MACS.slice(12)}${MACS.slice(0, 12)}86dd6000000000003b40fe80${'00'.repeat(13)}08fe80${'00'.repeat(13)}09`);
    expect(dpHash('hash(sym_l4(0))', six)).toBe(dpHash('hash(sym_l4(0))', swapped));
    six[53] = 7;
    expect(dpHash('hash(sym_l4(0))', six)).not.toBe(dpHash('hash(sym_l4(0))', swapped));
  });
});

describe('trunc', () => {
  const cut = (length: number, hex = text): string => hex.slice(0, 2 * length);
  const long = udpFrame(200);
  const whole = toHex(long);

  // Ports and lengths that Open vSwitch 3.1.0 was seen to send for a frame of 242 bytes.
  it.each<[actions: string, lengths: [string, number][]]>([
    ['trunc(100),2', [['2', 100]]],
    ['trunc(5),2', [['2', 14]]],
    ['trunc(0),2,2', [['2', 14], ['2', 242]]],
    ['trunc(100),push_vlan(vid=5,pcp=1),2,2', [['2', 104], ['2', 246]]],
    ['push_vlan(vid=3,pcp=0),trunc(100),pop_vlan,2', [['2', 96]]],
    ['trunc(60),trunc(90),2', [['2', 90]]],
    ['trunc(60),trunc(4000),2', [['2', 242]]],
    ['trunc(4294967295),2', [['2', 242]]],
    ['trunc(100),clone(3),2', [['3', 100], ['2', 242]]],
    ['trunc(100),clone(3,2),2', [['3', 100], ['2', 242], ['2', 242]]],
    ['clone(trunc(100)),2', [['2', 242]]],
    ['2,trunc(60),sample(sample=100.0%,actions(3)),2,3', [['2', 242], ['3', 242], ['2', 60], ['3', 242]]],
    ['trunc(100),sample(sample=100.0%,actions(3))', [['3', 242]]],
    ['trunc(100),clone(sample(sample=100.0%,actions(3))),2', [['3', 242], ['2', 242]]],
    ['sample(sample=100.0%,actions(trunc(100),3)),2', [['3', 100], ['2', 242]]],
    ['trunc(100),check_pkt_len(size=50,gt(3),le(2)),2', [['3', 242], ['2', 100]]],
    ['trunc(100),check_pkt_len(size=99,gt(3),le(2))', [['3', 242]]],
    ['trunc(100),check_pkt_len(size=100,gt(3),le(2))', [['2', 242]]],
    ['clone(trunc(100),check_pkt_len(size=100,gt(3),le(2))),2', [['2', 242], ['2', 242]]],
    ['trunc(100),recirc(1)', [['recirc 1 of 9', 242]]],
    ['trunc(100),recirc(1),2', [['recirc 1 of 9', 242], ['2', 100]]],
    ['trunc(100),userspace(pid=0),2', [['userspace 0', 100], ['2', 242]]],
  ])('%s', (actions, lengths) => {
    const events = createBench().run(actions, long);
    expect(events.map(([where, hex]) => [where, hex.length / 2])).toEqual(lengths);
    for (const [, hex] of events) if (!hex.startsWith('8100', 24)) expect(whole.startsWith(hex)).toBe(true);
  });

  it('is heeded by tnl_push and tnl_pop', () => {
    const [[, sent]] = createBench().run(`trunc(20),${PUSH},4`, frame);
    expect(sent.slice(100)).toBe(cut(20));
    expect(parseInt(sent.slice(32, 36), 16)).toBe(20 + 50 - 14);
    const inner = createBench();
    // The outer packet says that it is longer than it is, then.
    expect(inner.run('trunc(80),tnl_pop(6),1', fromHex(outer))).toEqual([['1', outer]]);
    expect(reasonCounts(inner.drops)).toEqual({ 'tunnel-pop-truncated': 1 });
    const padded = fromHex(`${outer}cdcdcd`);
    const length = outer.length / 2;
    expect(createBench().run(`trunc(${length}),tnl_pop(6),1`, padded)).toEqual([['recirc 0 of 6', text], ['1', `${outer}cdcdcd`]]);
    expect(createBench().run(`trunc(${length}),tnl_pop(6)`, padded)).toEqual([['recirc 0 of 6', text]]);
  });

  it('does not lengthen, and leaves the frame that was lent before', () => {
    expect(createBench().run('1,trunc(50),2,3', frame)).toEqual([['1', text], ['2', cut(50)], ['3', text]]);
    expect(createBench().run('trunc(1000),2', frame)).toEqual([['2', text]]);
  });
});

describe('sample', () => {
  it('draws for each packet', () => {
    const half = 0x7fff_ffff;
    const bench = createBench({ draws: [half - 1, half + 1, 0xffff_fffe, 0] });
    const frames = [1, 2, 3, 4].map((marker) => udpFrame(4, marker));
    const action: Action = { type: 'sample', probability: half, actions: [{ type: 'output', port: 1 }] };
    expect(bench.run([action, { type: 'output', port: 2 }], ...frames).map(([where, hex]) => where + hex.slice(-1))).toEqual([
      '11', '14', '21', '22', '23', '24',
    ]);
  });

  it('takes all at 100 % and none at 0 %, and works on copies', () => {
    for (const draw of [0, 1, 0xffff_ffff]) {
      expect(createBench({ draws: [draw] }).run('sample(sample=100.0%,actions(pop_vlan,1)),2', fromHex(tag(text)))).toEqual([['1', text], ['2', tag(text)]]);
      expect(createBench({ draws: [draw] }).run('sample(sample=0.0%,actions(1)),2', frame)).toEqual([['2', text]]);
    }
  });
});

describe('check_pkt_len', () => {
  it.each([
    [udpFrame(40, 1), 81, '1'],
    [udpFrame(40, 1), 82, '2'],
    // Padding does not count, nor does a tag hide it.
    [udpFrame(40, 1, 9), 81, '1'],
    [udpFrame(40, 1, 9), 82, '2'],
    [fromHex(tag(toHex(udpFrame(40, 1, 9)))), 85, '1'],
    [fromHex(tag(toHex(udpFrame(40, 1, 9)))), 86, '2'],
    // IPv6 without payload, with two bytes of padding.
    [fromHex(`${MACS}86dd6000000000003b40${'00'.repeat(34)}`), 53, '1'],
    [fromHex(`${MACS}86dd6000000000003b40${'00'.repeat(34)}`), 54, '2'],
    // What is not IP has none that is known, and what is not sound neither.
    [fromHex(`${MACS}88b5${'00'.repeat(46)}`), 59, '1'],
    [fromHex(`${MACS}88b5${'00'.repeat(46)}`), 60, '2'],
    [fromHex(`${MACS}0800450000ff${'00'.repeat(42)}`), 59, '1'],
    [fromHex(`${MACS}08004500000a${'00'.repeat(42)}`), 59, '1'],
  ])('%#', (bytes, size, port) => {
    expect(createBench().run(`check_pkt_len(size=${size},gt(1),le(2))`, bytes)).toEqual([[port, toHex(bytes)]]);
  });

  it('parts a group, on copies, longer ones first', () => {
    const frames = [10, 30, 20].map((length) => udpFrame(length, length));
    const events = createBench().run('check_pkt_len(size=55,gt(push_vlan(vid=5,pcp=0),1),le(2)),3', ...frames);
    expect(events.map(([where, hex]) => where + hex.slice(-2))).toEqual(['11e', '114', '20a', '30a', '31e', '314']);
    expect(events.slice(3).map(([, hex]) => hex)).toEqual(frames.map((one) => toHex(one)));
  });
});

describe('an empty pool', () => {
  it.each([
    ['clone(1),2', 2, ['1', '1', '2', '2', '2']],
    ['clone(1),2', 0, ['2', '2', '2']],
    ['sample(sample=100.0%,actions(1)),2', 1, ['1', '2', '2', '2']],
    ['check_pkt_len(size=1,gt(1),le(1)),2', 1, ['1', '2', '2', '2']],
    ['trunc(20),1,2', 1, ['1', '2', '2', '2']],
    ['trunc(20),1,2', 0, ['2', '2', '2']],
    ['recirc(1),2', 1, ['recirc 1 of 9', '2', '2', '2']],
    ['recirc(1),2', 0, ['2', '2', '2']],
  ])('is counted: %s with room for %d copies', (actions, room, expected) => {
    const bench = createBench({ room });
    expect(bench.run(actions, frame, frame, frame).map(([where]) => where)).toEqual(expected);
    expect(reasonCounts(bench.drops)).toEqual({ 'pool-exhausted': 3 - room });
  });
});

describe('compiling', () => {
  it.each([
    'meter(1)',
    'ct(commit)',
    'ct_clear',
    'clone(1,clone(ct_clear))',
    'sample(sample=10.0%,actions(ct_clear))',
    'check_pkt_len(size=1,gt(1),le(ct_clear))',
    'check_pkt_len(size=1,gt(ct_clear),le(1))',
    'set(mpls(label=1,tc=0,ttl=64,bos=1))',
    'lb_output(1)',
  ])('refuses %s', (actions) => {
    const setter = createSetter(new PacketPool({ slots: 64 }));
    expect(() => compileActions(parseActions(actions), setter)).toThrow(expect.objectContaining({ code: 'unsupported-action' }));
  });

  it.each<Action>([
    { type: 'push_eth', src: 1, dst: 2 },
    { type: 'pop_eth' },
    { type: 'push_mpls', lse: 1, ethType: 0x8847 },
    { type: 'pop_mpls', ethType: 0x0800 },
    { type: 'add_mpls', lse: 1, ethType: 0x8847 },
    { type: 'push_nsh', header: { flags: 0, ttl: 63, mdtype: 1, np: 3, spi: 1, si: 1, context: [0, 0, 0, 0] } },
    { type: 'pop_nsh' },
    { type: 'ct', ct: { commit: true, force: false } },
    { type: 'dec_ttl', actions: [] },
  ])('refuses $type', (unsupported) => {
    const setter = createSetter(new PacketPool({ slots: 64 }));
    expect(() => compileActions([unsupported], setter)).toThrow(
      expect.objectContaining({ code: 'unsupported-action', value: unsupported.type }),
    );
  });

  it('nests as deep as it says', () => {
    const setter = createSetter(new PacketPool({ slots: 64 }));
    const nest = (levels: number): Action[] => (levels === 0 ? [{ type: 'output', port: 1 }] : [{ type: 'clone', actions: nest(levels - 1) }]);
    expect(createBench().run(nest(MAX_NESTING), frame)).toEqual([['1', text]]);
    expect(() => compileActions(nest(MAX_NESTING + 1), setter)).toThrow(expect.objectContaining({ code: 'unsupported-action', value: MAX_NESTING + 1 }));
  });
});

interface NaivePacket {
  frame: string;
  /** Bytes at the end that the next action that heeds it leaves out. */
  cut: number;
  hash: number;
  inPort: number;
}

/** What check_pkt_len measures of a frame. */
function naivePadding(hex: string): number {
  let at = 24;
  while (['8100', '88a8'].includes(hex.slice(at, at + 4))) at += 8;
  if (hex.slice(at, at + 4) !== '0800') return 0;
  return (hex.length - at - 4) / 2 - parseInt(hex.slice(at + 8, at + 12), 16);
}

function interpret(actions: readonly Action[], packet: NaivePacket, events: Event[]): void {
  const sent = (): string => packet.frame.slice(0, packet.frame.length - 2 * packet.cut);
  for (const action of actions) {
    switch (action.type) {
      case 'output':
        events.push([String(action.port), sent()]);
        packet.cut = 0;
        break;
      case 'userspace':
        events.push([`userspace ${action.pid}`, sent()]);
        packet.cut = 0;
        break;
      case 'clone':
        interpret(action.actions, { ...packet }, events);
        packet.cut = 0;
        break;
      case 'sample':
        if (action.probability !== 0) interpret(action.actions, { ...packet, cut: 0 }, events);
        break;
      case 'check_pkt_len': {
        const length = packet.frame.length / 2 - packet.cut - naivePadding(packet.frame);
        interpret(length > action.size ? action.greater : action.lessEqual, { ...packet, cut: 0 }, events);
        break;
      }
      case 'trunc':
        packet.cut = Math.max(0, packet.frame.length / 2 - Math.max(14, action.maxLength));
        break;
      case 'push_vlan':
        packet.frame = `${packet.frame.slice(0, 24)}${action.tpid.toString(16)}${(action.tci & 0xefff).toString(16).padStart(4, '0')}${packet.frame.slice(24)}`;
        break;
      case 'pop_vlan':
        packet.frame = packet.frame.slice(0, 24) + packet.frame.slice(32);
        break;
      case 'set':
        packet.frame = `${packet.frame.slice(0, 12)}020000000077${packet.frame.slice(24)}`;
        break;
      case 'tnl_push':
        packet.frame = toHex(pushed(fromHex(sent()), packet.hash));
        packet.inPort = action.outPort;
        packet.cut = 0;
        break;
      case 'recirc':
        events.push([`recirc ${action.id} of ${packet.inPort}`, packet.frame]);
        break;
      default:
        throw new Error(`the interpreter does not know ${action.type}`);
    }
  }
}

/** A list of actions; a tag is popped only where one was pushed before in the same list. */
function randomActions(random: (below: number) => number, depth = 0): Action[] {
  const actions: Action[] = [];
  let tags = 0;
  for (let count = 1 + random(6); count > 0; count--) {
    const kind = random(depth < 3 ? 14 : 9);
    if (kind < 3) actions.push({ type: 'output', port: random(4) });
    else if (kind === 3) actions.push({ type: 'trunc', maxLength: 20 + random(150) });
    else if (kind === 4) {
      actions.push({ type: 'push_vlan', tpid: [0x8100, 0x88a8][random(2)], tci: 0x1000 | random(0xffff) });
      tags++;
    } else if (kind === 5) {
      if (tags-- > 0) actions.push({ type: 'pop_vlan' });
      else tags = 0;
    } else if (kind === 6) actions.push(...parseActions('set(eth(src=02:00:00:00:00:77))'));
    else if (kind === 7) actions.push({ type: 'userspace', pid: random(3) });
    else if (kind === 8) actions.push({ type: 'recirc', id: random(4) });
    else if (kind === 9 && depth < 2) {
      actions.push(...parseActions(PUSH));
      tags = 0;
    } else if (kind < 12) actions.push({ type: 'clone', actions: randomActions(random, depth + 1) });
    else if (kind === 12) actions.push({ type: 'sample', probability: random(2) === 0 ? 0 : 0xffff_ffff, actions: randomActions(random, depth + 1) });
    else {
      actions.push({ type: 'check_pkt_len', size: random(150), greater: randomActions(random, depth + 1), lessEqual: randomActions(random, depth + 1) });
    }
  }
  return actions;
}

describe('beside the interpreter', () => {
  it(`does the same with random lists, at any alignment (seed ${seed})`, () => {
    const random = randomFrom(seed);
    for (const shift of [0, 2, 1]) {
      let hash = 0;
      const bench = createBench({ shift, prepare: (pool, packet) => void (hash = pool.hash[packet]) });
      for (let round = 0; round < 250; round++) {
        const actions = randomActions(random);
        const one = udpFrame(random(100), random(256), random(3) * random(10));
        const context = `${formatActions(actions)} on ${toHex(one)} (seed ${seed})`;
        const events = bench.run(actions, one).slice();
        const expected: Event[] = [];
        interpret(actions, { frame: toHex(one), cut: 0, hash, inPort: 9 }, expected);
        // What is sent on different ports has no order between them.
        const byPlace = (list: Event[]): Record<string, string[]> => {
          const places: Record<string, string[]> = {};
          for (const [where, hex] of list) (places[where] ??= []).push(hex);
          return places;
        };
        expect([context, byPlace(events)]).toEqual([context, byPlace(expected)]);
      }
    }
  });

  it(`does with a group what it does with each (seed ${seed})`, () => {
    const random = randomFrom(seed + 1);
    const bench = createBench();
    for (let round = 0; round < 200; round++) {
      const actions = randomActions(random);
      const frames = Array.from({ length: 1 + random(6) }, (_, index) => udpFrame(20 + random(60), index, random(4)));
      const each = frames.flatMap((one) => bench.run(actions, one).map((event) => event.join()));
      const group = bench.run(actions, ...frames).map((event) => event.join());
      expect(group.sort()).toEqual(each.sort());
    }
  });
});
