// Execution of compiled actions: each action by itself, in the order and with the lengths that Open vSwitch 3.1.0 was seen
// to keep.
import { describe, expect, it } from 'vitest';
import { MAX_NESTING, compileActions } from '../../src/action/compile.js';
import { createSetter } from '../../src/action/set.js';
import { parseActions } from '../../src/action/text-parse.js';
import type { Action } from '../../src/action/types.js';
import { Extras, PacketPool } from '../../src/packet/pool.js';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { hashInt } from '../../src/util/hash.js';
import { reasonCounts } from '../../src/util/reason.js';
import { type BenchOptions, createBench, MACS, udpFrame, frame, text, tag, PUSH, outer } from './execute-bench.js';

describe('each action', () => {
  it('sends, in order, and as often as it says', () => {
    expect(createBench().run('2,1,2', frame)).toEqual([
      ['2', text],
      ['1', text],
      ['2', text],
    ]);
  });

  it('is run over a whole group before the next', () => {
    const frames = [1, 2, 3].map((marker) => udpFrame(4, marker));
    const [a, b, c] = frames.map((one) => toHex(one));
    expect(createBench().run('1,2', ...frames)).toEqual([
      ['1', a],
      ['1', b],
      ['1', c],
      ['2', a],
      ['2', b],
      ['2', c],
    ]);
  });

  it('sends a frame as it was when it was sent', () => {
    expect(createBench().run('1,push_vlan(vid=5,pcp=0),2,pop_vlan,set(eth(src=02:00:00:00:00:77)),3', frame)).toEqual([
      ['1', text],
      ['2', tag(text)],
      ['3', text.replace('020000000009', '020000000077')],
    ]);
    expect(createBench().run(`1,${PUSH},4`, frame)).toEqual([
      ['1', text],
      ['4', outer],
    ]);
    expect(createBench().run('1,recirc(5)', frame)).toEqual([
      ['1', text],
      ['recirc 5 of 9', text],
    ]);
    const first = createBench().run('4,tnl_pop(6)', fromHex(outer));
    expect(first).toEqual([
      ['4', outer],
      ['recirc 0 of 6', text],
    ]);
    expect(createBench().run('1,clone(2,push_vlan(vid=5,pcp=0),3),4', frame)).toEqual([
      ['1', text],
      ['2', text],
      ['3', tag(text)],
      ['4', text],
    ]);
  });

  it('leaves its packet as it was: clone', () => {
    const bench = createBench();
    expect(bench.run('clone(set(eth(src=02:00:00:00:00:77)),push_vlan(vid=5,pcp=0),1),2', frame)).toEqual([
      ['1', tag(text.replace('020000000009', '020000000077'))],
      ['2', text],
    ]);
    expect(bench.run(`clone(${PUSH},4),1,clone(clone(${PUSH},4),1),2`, frame)).toEqual([
      ['4', outer],
      ['1', text],
      ['4', outer],
      ['1', text],
      ['2', text],
    ]);
    expect(bench.run('clone(),1', frame)).toEqual([['1', text]]);
    expect(bench.run('clone(recirc(5)),2', frame)).toEqual([
      ['recirc 5 of 9', text],
      ['2', text],
    ]);
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
    bench.run(
      [
        { type: 'clone', actions: inner },
        { type: 'recirc', id: 5 },
      ],
      frame,
    );
    expect([bench.pool.skbMark[seen[0][0]], bench.pool.dpHash[seen[0][0]]]).toEqual([3, 0]);
  });

  it('recirculates: the packet itself at the end, a copy before', () => {
    const bench = createBench();
    expect(bench.run('recirc(5)', frame)).toEqual([['recirc 5 of 9', text]]);
    expect(bench.copies).toBe(0);
    expect(bench.run('recirc(5),1', frame)).toEqual([
      ['recirc 5 of 9', text],
      ['1', text],
    ]);
    expect(bench.copies).toBe(1);
    expect(bench.run('tnl_pop(6),1', fromHex(outer))).toEqual([
      ['recirc 0 of 6', text],
      ['1', outer],
    ]);
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
    expect(
      bench.run(
        [
          { type: 'clone', actions: [drop] },
          { type: 'output', port: 2 },
        ],
        frame,
      ),
    ).toEqual([['2', text]]);
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
    expect(bench.run('userspace(pid=4,userdata(0102)),1', frame)).toEqual([
      ['userspace 4', text],
      ['1', text],
    ]);
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
    bench.run(
      [
        { type: 'hash', algorithm: algorithm as 'l4', basis: Number(basis) },
        { type: 'recirc', id: 1 },
      ],
      bytes,
    );
    expect(bench.pool.extras[handle] & Extras.metadata).toBe(Extras.metadata);
    return bench.pool.dpHash[handle];
  }
  const reversed = (bytes: Uint8Array): Uint8Array => {
    const hex = toHex(bytes);
    const at = (from: number, to: number): string => hex.slice(2 * from, 2 * to);
    return fromHex(
      at(6, 12) + at(0, 6) + at(12, 26) + at(30, 34) + at(26, 30) + at(36, 38) + at(34, 36) + at(38, bytes.length),
    );
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
    const swapped = fromHex(
      `${MACS.slice(12)}${MACS.slice(0, 12)}86dd6000000000003b40fe80${'00'.repeat(13)}08fe80${'00'.repeat(13)}09`,
    );
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
    [
      'trunc(0),2,2',
      [
        ['2', 14],
        ['2', 242],
      ],
    ],
    [
      'trunc(100),push_vlan(vid=5,pcp=1),2,2',
      [
        ['2', 104],
        ['2', 246],
      ],
    ],
    ['push_vlan(vid=3,pcp=0),trunc(100),pop_vlan,2', [['2', 96]]],
    ['trunc(60),trunc(90),2', [['2', 90]]],
    ['trunc(60),trunc(4000),2', [['2', 242]]],
    ['trunc(4294967295),2', [['2', 242]]],
    [
      'trunc(100),clone(3),2',
      [
        ['3', 100],
        ['2', 242],
      ],
    ],
    [
      'trunc(100),clone(3,2),2',
      [
        ['3', 100],
        ['2', 242],
        ['2', 242],
      ],
    ],
    ['clone(trunc(100)),2', [['2', 242]]],
    [
      '2,trunc(60),sample(sample=100.0%,actions(3)),2,3',
      [
        ['2', 242],
        ['3', 242],
        ['2', 60],
        ['3', 242],
      ],
    ],
    ['trunc(100),sample(sample=100.0%,actions(3))', [['3', 242]]],
    [
      'trunc(100),clone(sample(sample=100.0%,actions(3))),2',
      [
        ['3', 242],
        ['2', 242],
      ],
    ],
    [
      'sample(sample=100.0%,actions(trunc(100),3)),2',
      [
        ['3', 100],
        ['2', 242],
      ],
    ],
    [
      'trunc(100),check_pkt_len(size=50,gt(3),le(2)),2',
      [
        ['3', 242],
        ['2', 100],
      ],
    ],
    ['trunc(100),check_pkt_len(size=99,gt(3),le(2))', [['3', 242]]],
    ['trunc(100),check_pkt_len(size=100,gt(3),le(2))', [['2', 242]]],
    [
      'clone(trunc(100),check_pkt_len(size=100,gt(3),le(2))),2',
      [
        ['2', 242],
        ['2', 242],
      ],
    ],
    ['trunc(100),recirc(1)', [['recirc 1 of 9', 242]]],
    [
      'trunc(100),recirc(1),2',
      [
        ['recirc 1 of 9', 242],
        ['2', 100],
      ],
    ],
    [
      'trunc(100),userspace(pid=0),2',
      [
        ['userspace 0', 100],
        ['2', 242],
      ],
    ],
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
    expect(createBench().run(`trunc(${length}),tnl_pop(6),1`, padded)).toEqual([
      ['recirc 0 of 6', text],
      ['1', `${outer}cdcdcd`],
    ]);
    expect(createBench().run(`trunc(${length}),tnl_pop(6)`, padded)).toEqual([['recirc 0 of 6', text]]);
  });

  it('does not lengthen, and leaves the frame that was lent before', () => {
    expect(createBench().run('1,trunc(50),2,3', frame)).toEqual([
      ['1', text],
      ['2', cut(50)],
      ['3', text],
    ]);
    expect(createBench().run('trunc(1000),2', frame)).toEqual([['2', text]]);
  });
});

describe('sample', () => {
  it('draws for each packet', () => {
    const half = 0x7fff_ffff;
    const bench = createBench({ draws: [half - 1, half + 1, 0xffff_fffe, 0] });
    const frames = [1, 2, 3, 4].map((marker) => udpFrame(4, marker));
    const action: Action = { type: 'sample', probability: half, actions: [{ type: 'output', port: 1 }] };
    expect(
      bench.run([action, { type: 'output', port: 2 }], ...frames).map(([where, hex]) => where + hex.slice(-1)),
    ).toEqual(['11', '14', '21', '22', '23', '24']);
  });

  it('takes all at 100 % and none at 0 %, and works on copies', () => {
    for (const draw of [0, 1, 0xffff_ffff]) {
      expect(
        createBench({ draws: [draw] }).run('sample(sample=100.0%,actions(pop_vlan,1)),2', fromHex(tag(text))),
      ).toEqual([
        ['1', text],
        ['2', tag(text)],
      ]);
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
    expect(() => compileActions(parseActions(actions), setter)).toThrow(
      expect.objectContaining({ code: 'unsupported-action' }),
    );
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
    const nest = (levels: number): Action[] =>
      levels === 0 ? [{ type: 'output', port: 1 }] : [{ type: 'clone', actions: nest(levels - 1) }];
    expect(createBench().run(nest(MAX_NESTING), frame)).toEqual([['1', text]]);
    expect(() => compileActions(nest(MAX_NESTING + 1), setter)).toThrow(
      expect.objectContaining({ code: 'unsupported-action', value: MAX_NESTING + 1 }),
    );
  });
});
