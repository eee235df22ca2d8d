// The flow table from outside: put, modify, delete, find, the limit, what is shared between flows, and the line of a dump.
import { describe, expect, it } from 'vitest';
import { parseActions } from '../../src/action/text-parse.js';
import { formatFlowInfo } from '../../src/datapath/dump.js';
import { KEY_WORDS, setExact } from '../../src/flow/fields.js';
import { toHex } from '../../src/util/bytes.js';
import { randomFrom, seed } from '../wire/contract.js';
import { createBench, decision, put, tcp, udp } from './bench.js';

const frame = udp(1, 2);
const text = toHex(frame);

describe('flows', () => {
  it('are put, found and dumped as they were put', () => {
    const bench = createBench();
    const { datapath } = bench;
    const key = datapath.keyOf(frame, 1)!;
    const { mask, actions } = decision('2,3', 'ethSrc');
    const flow = datapath.putFlow(key, mask, actions);
    expect(datapath.flow(flow)).toEqual({
      flow,
      key,
      mask,
      actions,
      packets: 0,
      bytes: 0,
      usedMs: undefined,
      tcpFlags: 0,
    });
    expect([
      datapath.flowNumbers(),
      datapath.flowCount,
      datapath.hasFlow(flow),
      datapath.hasFlow(flow + 1),
      datapath.hasFlow(-1),
    ]).toEqual([[flow], 1, true, false, false]);
    expect(datapath.flowActionsText(flow)).toBe('2,3');
    expect(datapath.findFlow(key, mask)).toBe(flow);
    // What the mask does not cover does not matter; another mask does, and another key under it.
    const same = datapath.keyOf(udp(1, 9, 50), 1)!;
    expect([datapath.findFlow(same, mask), datapath.lookupFlow(same)]).toEqual([flow, flow]);
    expect(datapath.findFlow(key, decision('2').mask)).toBe(-1);
    const other = datapath.keyOf(udp(3, 2), 1)!;
    expect([datapath.findFlow(other, mask), datapath.lookupFlow(other)]).toEqual([-1, -1]);
    // What was handed out is the caller's.
    datapath.flow(flow).key.fill(0);
    key.fill(0);
    expect(datapath.lookupFlow(same)).toBe(flow);
    bench.close();
  });

  it('are put once', () => {
    const bench = createBench();
    put(bench, 1, frame, '2', 'ethSrc');
    expect(() => put(bench, 1, udp(1, 3), '3', 'ethSrc')).toThrow(expect.objectContaining({ code: 'already-exists' }));
    expect(bench.datapath.flowCount).toBe(1);
    bench.datapath.inject(1, frame);
    expect(bench.take()).toEqual([[2, text]]);
    bench.close();
  });

  it('change what they do, and keep what they counted', () => {
    const bench = createBench();
    const flow = put(bench, 1, frame, '2');
    bench.datapath.inject(1, tcp(1, 2, 2));
    bench.take();
    bench.datapath.modifyFlow(flow, parseActions('3,4'));
    const counted = { packets: 1, bytes: 54, usedMs: 1000, tcpFlags: 2 };
    expect(bench.datapath.flow(flow)).toMatchObject({ ...counted, actions: parseActions('3,4') });
    bench.datapath.inject(1, frame);
    expect(bench.take()).toEqual([
      [3, text],
      [4, text],
    ]);
    expect(() => bench.datapath.modifyFlow(flow, parseActions('meter(1)'))).toThrow(
      expect.objectContaining({ code: 'unsupported-action' }),
    );
    expect(bench.datapath.flowActionsText(flow)).toBe('3,4');
    bench.close();
  });

  it('go, one or all', () => {
    const bench = createBench();
    const first = put(bench, 1, udp(1, 9), '2', 'ethSrc');
    put(bench, 1, udp(2, 9), '2', 'ethSrc');
    put(bench, 1, udp(3, 9), '3', 'ethSrc');
    bench.datapath.deleteFlow(first);
    expect([bench.datapath.flowCount, bench.datapath.hasFlow(first)]).toEqual([2, false]);
    bench.datapath.inject(1, udp(1, 9));
    expect(bench.upcalls).toHaveLength(1);
    for (const act of [
      () => bench.datapath.deleteFlow(first),
      () => bench.datapath.modifyFlow(first, []),
      () => bench.datapath.flow(first),
      () => bench.datapath.flowActionsText(999),
      () => bench.datapath.deleteFlow(-1),
    ]) {
      expect(act).toThrow(expect.objectContaining({ code: 'not-found' }));
    }
    bench.datapath.deleteAllFlows();
    expect([bench.datapath.flowCount, bench.datapath.flowNumbers()]).toEqual([0, []]);
    // A number that is given again begins anew.
    const again = put(bench, 1, udp(1, 9), '4', 'ethSrc');
    expect(bench.datapath.flow(again)).toMatchObject({ packets: 0, bytes: 0, usedMs: undefined });
    bench.close();
  });

  it('are not put with actions that are not executed', () => {
    const bench = createBench();
    expect(() => put(bench, 1, frame, 'clone(ct_clear),2')).toThrow(
      expect.objectContaining({ code: 'unsupported-action', value: 'ct_clear' }),
    );
    expect(bench.datapath.flowCount).toBe(0);
    bench.close();
  });

  it('are no more than the limit: packets go on, nothing is installed', () => {
    const bench = createBench(() => decision('2', 'ethSrc'), { flowLimit: 2 });
    for (let from = 1; from <= 4; from++) bench.datapath.inject(1, udp(from, 9));
    expect(bench.take()).toHaveLength(4);
    expect(bench.datapath.statistics()).toEqual({ hit: 0, missed: 2, lost: 2, flows: 2, drops: {} });
    expect(() => put(bench, 1, udp(5, 9), '2', 'ethSrc')).toThrow(
      expect.objectContaining({ code: 'flow-limit', value: 2 }),
    );
    bench.datapath.flowLimit = 3;
    put(bench, 1, udp(5, 9), '2', 'ethSrc');
    bench.datapath.deleteAllFlows();
    bench.datapath.inject(1, udp(4, 9));
    expect(bench.datapath.statistics()).toMatchObject({ missed: 3, lost: 2, flows: 1 });
    bench.close();
  });

  it('do what they say, not what prints like it', () => {
    // Both print sample=0.0%.
    const bench = createBench();
    const mask = decision('2', 'ethSrc').mask;
    const sample = (probability: number) => [{ type: 'sample' as const, probability, actions: parseActions('3') }];
    const key = (from: number) => bench.datapath.keyOf(udp(from, 9), 1)!;
    const never = bench.datapath.putFlow(key(1), mask, sample(0));
    const rarely = bench.datapath.putFlow(key(2), mask, sample(0xffff_ffff / 2100));
    expect(bench.datapath.flowActionsText(never)).toBe(bench.datapath.flowActionsText(rarely));
    const often = (from: number): number => {
      for (let times = 0; times < 8_000; times++) bench.datapath.inject(1, udp(from, 9));
      return bench.take().length;
    };
    expect(often(1)).toBe(0);
    expect(often(2)).toBeGreaterThan(0);
    bench.close();
  });

  it(`agree with a list of their own, whatever comes and goes (seed ${seed})`, () => {
    const random = randomFrom(seed);
    const bench = createBench();
    const { datapath } = bench;
    // By source: flow number, port, packets.
    const twin = new Map<number, { flow: number; port: number; packets: number }>();
    const lists = ['2', '3', '2,3', '4', 'push_vlan(vid=5,pcp=0),4'];
    for (let round = 0; round < 4000; round++) {
      const from = 1 + random(200);
      const known = twin.get(from);
      const kind = random(6);
      if (kind === 0 && !known) {
        const list = random(lists.length);
        twin.set(from, { flow: put(bench, 1, udp(from, 9), lists[list], 'ethSrc'), port: list, packets: 0 });
      } else if (kind === 1 && known) {
        datapath.deleteFlow(known.flow);
        twin.delete(from);
      } else if (kind === 2 && known) {
        known.port = random(lists.length);
        datapath.modifyFlow(known.flow, parseActions(lists[known.port]));
      } else {
        datapath.inject(1, udp(from, 9));
        const ports = bench.take().map(([port]) => port);
        if (known) known.packets++;
        expect(ports).toEqual(known ? [[2], [3], [2, 3], [4], [4]][known.port] : []);
      }
      expect(datapath.flowCount).toBe(twin.size);
    }
    for (const { flow, packets, port } of twin.values()) {
      expect(datapath.flow(flow)).toMatchObject({ packets, actions: parseActions(lists[port]) });
    }
    bench.close();
  });
});

describe('the line of a dump', () => {
  it('has match, counters and actions', () => {
    const bench = createBench();
    const { datapath, clock } = bench;
    const mask = new Int32Array(KEY_WORDS);
    for (const name of ['inPort', 'recircId', 'packetType', 'ethType', 'ipFrag'] as const) setExact(mask, name);
    const flow = datapath.putFlow(datapath.keyOf(frame, 1)!, mask, parseActions('2,3'));
    const match = 'recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)';
    expect(formatFlowInfo(datapath.flow(flow), clock.now())).toBe(
      `${match}, packets:0, bytes:0, used:never, actions:2,3`,
    );
    datapath.inject(1, frame);
    clock.advance(1234);
    expect(formatFlowInfo(datapath.flow(flow), clock.now())).toBe(
      `${match}, packets:1, bytes:60, used:1.234s, actions:2,3`,
    );
    const portName = (port: number): string => `p${port}`;
    expect(formatFlowInfo(datapath.flow(flow), clock.now(), { portName })).toBe(
      `${match.replace('in_port(1)', 'in_port(p1)')}, packets:1, bytes:60, used:1.234s, actions:p2,p3`,
    );
    expect(formatFlowInfo(datapath.flow(flow), clock.now(), { verbose: true })).toContain(
      'eth(src=02:00:00:00:00:01/00:00:00:00:00:00,',
    );
    datapath.modifyFlow(flow, []);
    expect(formatFlowInfo(datapath.flow(flow), clock.now())).toMatch(/, actions:drop$/);
    bench.close();
  });

  it.each([
    [0x002, 'S'],
    [0x012, 'S.'],
    [0x01b, 'SFP.'],
    [0x004, 'R'],
    [0x0ff, 'SFPRU.EC'],
    [0xf00, 'N[200][400][800]'],
  ])('has the TCP flags 0x%s as %s', (flags, letters) => {
    const bench = createBench();
    const flow = put(bench, 1, frame, '2');
    bench.datapath.inject(1, tcp(1, 2, flags));
    expect(formatFlowInfo(bench.datapath.flow(flow), 1000)).toContain(`, used:0.000s, flags:${letters}, actions:2`);
    bench.close();
  });

  it('gives a use at time zero as a use', () => {
    const bench = createBench();
    const flow = put(bench, 1, frame, '2');
    expect(formatFlowInfo({ ...bench.datapath.flow(flow), packets: 1, usedMs: 0 }, 0)).toContain('used:0.000s');
    bench.close();
  });
});
