// Packets through the datapath: look-ups and what they count, bursts, recirculation.
import { describe, expect, it } from 'vitest';
import type { Upcall } from '../../src/datapath/datapath.js';
import { MAX_RECIRCULATION } from '../../src/datapath/engine.js';
import { getField } from '../../src/flow/fields.js';
import { parseActions } from '../../src/action/text-parse.js';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { createBench, decision, inPortOf, put, tcp, udp, type Bench } from './bench.js';

const frame = udp(1, 2);
const text = toHex(frame);
/** Everything to port 2, one flow a way in. */
const toTwo = (): Upcall => decision('2');
const lookups = ({ datapath }: Bench): number[] => {
  const { hit, missed, lost, flows } = datapath.statistics();
  return [hit, missed, lost, flows];
};
const HEADER =
  'header(size=50,type=4,eth(dst=46:a3:4e:39:12:4e,src=3a:74:f7:8c:f3:4e,dl_type=0x0800),' +
  'ipv4(src=10.10.10.1,dst=10.10.10.2,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=8472,csum=0x0),' +
  'vxlan(flags=0x8000000,vni=0x7))';
const PUSH = `tnl_push(tnl_port(4),${HEADER},out_port(3))`;

describe('look-ups', () => {
  it('miss once, then hit; the packet that installs a flow is not counted in it', () => {
    const bench = createBench(toTwo);
    bench.datapath.inject(1, frame);
    expect([lookups(bench), bench.take(), bench.upcalls.length]).toEqual([[0, 1, 0, 1], [[2, text]], 1]);
    const [flow] = bench.datapath.flowNumbers();
    expect(bench.datapath.flow(flow)).toMatchObject({ packets: 0, bytes: 0, usedMs: undefined, tcpFlags: 0 });
    bench.clock.advance(250);
    bench.datapath.inject(1, frame);
    bench.datapath.inject(1, udp(3, 4, 100));
    expect([lookups(bench), bench.upcalls.length]).toEqual([[2, 1, 0, 1], 1]);
    expect(bench.datapath.flow(flow)).toMatchObject({ packets: 2, bytes: frame.length + 142, usedMs: 1250 });
    expect([bench.datapath.flowPackets(flow), bench.datapath.flowBytes(flow), bench.datapath.flowUsedMs(flow)]).toEqual(
      [2, 60 + 142, 1250],
    );
    bench.close();
  });

  it('show the packet and its key to the handler', () => {
    const bench = createBench((key, packet) => {
      expect([packet.inPort, packet.length, toHex(packet.copy())]).toEqual([3, frame.length, text]);
      expect([inPortOf(key), getField(key, 'ipv4Src'), getField(key, 'tpDst')]).toEqual([3, 0x0a000001, 2000]);
      return null;
    });
    bench.datapath.inject(3, frame);
    expect(bench.upcalls).toHaveLength(1);
    expect(toHex(new Uint8Array(bench.upcalls[0].key.buffer))).toBe(
      toHex(new Uint8Array(bench.datapath.keyOf(frame, 3)!.buffer)),
    );
    bench.close();
  });

  it('count bytes as they were before the actions', () => {
    const bench = createBench();
    const flow = put(bench, 1, frame, `push_vlan(vid=5,pcp=0),${PUSH},2`);
    bench.datapath.inject(1, frame);
    expect(bench.datapath.flowBytes(flow)).toBe(frame.length);
    expect(bench.take()[0][1].length / 2).toBe(frame.length + 54);
    bench.close();
  });

  it('gather TCP flags', () => {
    const bench = createBench();
    const flow = put(bench, 1, frame, '2');
    bench.datapath.inject(1, tcp(1, 2, 0x002));
    bench.datapath.inject(1, frame);
    expect(bench.datapath.flow(flow).tcpFlags).toBe(0x002);
    bench.receive(1, tcp(1, 2, 0x110), tcp(3, 2, 0x801));
    bench.datapath.poll();
    expect(bench.datapath.flow(flow).tcpFlags).toBe(0x913);
    bench.close();
  });

  it('are lost where the handler has no answer, and dropped', () => {
    const bench = createBench(() => null);
    bench.datapath.inject(1, frame);
    bench.datapath.inject(1, frame);
    expect([lookups(bench), bench.take(), bench.datapath.statistics().drops]).toEqual([
      [0, 0, 2, 0],
      [],
      { 'upcall-lost': 2 },
    ]);
    bench.close();
  });

  it('install what they are told to, nothing, or something else', () => {
    let install: Upcall['install'];
    const installed: number[] = [];
    const bench = createBench(() => ({ ...toTwo(), install, installed: (flow) => void installed.push(flow) }));
    install = null;
    bench.datapath.inject(1, frame);
    expect([lookups(bench), installed, bench.take()]).toEqual([[0, 0, 1, 0], [], [[2, text]]]);
    install = parseActions('3,4');
    bench.datapath.inject(1, frame);
    expect([lookups(bench), installed, bench.take()]).toEqual([
      [0, 1, 1, 1],
      bench.datapath.flowNumbers(),
      [[2, text]],
    ]);
    expect(bench.datapath.flow(installed[0]).actions).toEqual(install);
    bench.datapath.inject(1, frame);
    expect([lookups(bench), bench.take()]).toEqual([
      [1, 1, 1, 1],
      [
        [3, text],
        [4, text],
      ],
    ]);
    bench.close();
  });

  it('install a drop as well', () => {
    const bench = createBench(() => decision('drop'));
    bench.datapath.inject(1, frame);
    bench.datapath.inject(1, frame);
    expect([lookups(bench), bench.take(), bench.datapath.statistics().drops]).toEqual([
      [1, 1, 0, 1],
      [],
      { 'flow-drop': 2 },
    ]);
    bench.close();
  });

  it('install no second flow for a packet that a flow serves by then', () => {
    let inner = -1;
    const bench = createBench((key) => {
      inner = bench.datapath.putFlow(key, decision('3').mask, parseActions('3'));
      return decision('2', 'ethDst');
    });
    bench.datapath.inject(1, frame);
    expect([lookups(bench), bench.datapath.flowNumbers(), bench.take()]).toEqual([[0, 1, 0, 1], [inner], [[2, text]]]);
    bench.close();
  });
});

describe('a burst', () => {
  it('of one flow misses once, and keeps its order', () => {
    const bench = createBench(toTwo);
    const frames = Array.from({ length: 32 }, (_, index) => udp(1, 2, 18 + index));
    bench.receive(1, ...frames);
    expect(bench.datapath.poll()).toBe(32);
    expect(lookups(bench)).toEqual([31, 1, 0, 1]);
    const [flow] = bench.datapath.flowNumbers();
    const bytes = frames.slice(1).reduce((sum, { length }) => sum + length, 0);
    expect(bench.datapath.flow(flow)).toMatchObject({ packets: 31, bytes });
    expect(bench.take()).toEqual(frames.map((one) => [2, toHex(one)]));
    bench.close();
  });

  it('of several flows is counted in each, and keeps the order of each', () => {
    const bench = createBench();
    const frames = Array.from({ length: 32 }, (_, index) => udp(1 + (((index * 3) ^ (index >> 1)) % 5), 9, 18 + index));
    const flows = [1, 2, 3, 4, 5].map((from) =>
      put(bench, 1, udp(from, 9), from < 4 ? '2' : String(from - 1), 'ethSrc'),
    );
    bench.receive(1, ...frames);
    bench.datapath.poll();
    const ofFlow = flows.map((_, index) => frames.filter((one) => one[11] === index + 1));
    expect(flows.map((flow) => bench.datapath.flowPackets(flow))).toEqual(ofFlow.map((list) => list.length));
    expect(flows.map((flow) => bench.datapath.flowBytes(flow))).toEqual(
      ofFlow.map((list) => list.reduce((sum, { length }) => sum + length, 0)),
    );
    expect(flows.map((flow) => bench.datapath.flowUsedMs(flow))).toEqual(Array(5).fill(1000));
    expect(lookups(bench)).toEqual([32, 0, 0, 5]);
    const sent = bench.take();
    const outOf = (port: number): string[] => sent.filter(([to]) => to === port).map(([, hex]) => hex);
    expect(outOf(2)).toEqual(frames.filter((one) => one[11] < 4).map((one) => toHex(one)));
    expect([outOf(3), outOf(4)]).toEqual([ofFlow[3], ofFlow[4]].map((list) => list.map((one) => toHex(one))));
    bench.close();
  });

  it('of hits, misses and losses deals with each', () => {
    const bench = createBench((key) => (getField(key, 'ipv4Src') & 1 ? decision('3', 'ethSrc') : null));
    put(bench, 1, udp(2, 9), '2', 'ethSrc');
    bench.receive(1, udp(1, 9), udp(2, 9), udp(4, 9), udp(1, 9), udp(2, 9), udp(3, 9), udp(4, 9));
    bench.datapath.poll();
    expect(lookups(bench)).toEqual([3, 2, 2, 3]);
    expect(
      bench
        .take()
        .map(([port, hex]) => `${port}${hex[23]}`)
        .sort(),
    ).toEqual(['22', '22', '31', '31', '33']);
    bench.close();
  });

  it('sends more frames through one port than its queue holds', () => {
    const bench = createBench();
    put(bench, 1, frame, Array(20).fill('2').join());
    const frames = Array.from({ length: 32 }, (_, index) => udp(1, 2, index));
    bench.receive(1, ...frames);
    bench.datapath.poll();
    const hexes = frames.map((one) => toHex(one));
    expect(bench.take().map(([, hex]) => hex)).toEqual(Array(20).fill(hexes).flat());
    bench.close();
  });

  it('meets flows that its own upcalls have deleted, and numbers that are given again', () => {
    // The flow of the second and third packet goes when the first misses; its number goes to a flow that sends elsewhere.
    const deleted: number[] = [];
    const bench = createBench((key) => {
      if (getField(key, 'ipv4Src') === 0x0a000001) {
        bench.datapath.deleteFlow(deleted[0]);
        bench.datapath.putFlow(bench.datapath.keyOf(udp(7, 7), 1)!, decision('4', 'ethSrc').mask, parseActions('4'));
      }
      return decision('3', 'ethSrc');
    });
    deleted.push(put(bench, 1, udp(2, 9), '2', 'ethSrc'));
    bench.receive(1, udp(2, 9, 0), udp(1, 9), udp(2, 9, 1));
    bench.datapath.poll();
    expect(
      bench
        .take()
        .map(([port, hex]) => `${port}${hex[23]}`)
        .sort(),
    ).toEqual(['31', '32', '32']);
    // Two were hits until their flow went; the first of them missed then, and the other hit what it installed.
    expect(lookups(bench)).toEqual([1, 2, 0, 3]);
    bench.close();
  });

  it('meets a table that its upcalls clear again and again', () => {
    const bench = createBench(() => {
      bench.datapath.deleteAllFlows();
      return decision('3', 'ethSrc');
    });
    for (let from = 1; from <= 20; from++) put(bench, 1, udp(from, 9), '2', 'ethSrc');
    bench.receive(1, ...Array.from({ length: 32 }, (_, index) => udp(1 + index, 9)));
    bench.datapath.poll();
    expect(bench.take().map(([port]) => port)).toEqual(Array(32).fill(3));
    expect([bench.upcalls.length, bench.datapath.flowCount]).toEqual([32, 1]);
    expect(bench.datapath.statistics()).toMatchObject({ hit: 0, missed: 32, lost: 0 });
    bench.close();
  });

  it('executes what its groups were to do, though a group before has changed the flows', () => {
    const bench = createBench((key) => {
      // The way of the first group leads here, before the second group has had its turn.
      expect(getField(key, 'recircId')).toBe(1);
      bench.datapath.deleteFlow(second);
      return decision('4');
    });
    put(bench, 1, udp(1, 9), 'recirc(1)', 'ethSrc');
    const second = put(bench, 1, udp(2, 9), '2', 'ethSrc');
    bench.receive(1, udp(1, 9), udp(2, 9));
    bench.datapath.poll();
    expect(
      bench
        .take()
        .map(([port, hex]) => `${port}${hex[23]}`)
        .sort(),
    ).toEqual(['22', '41']);
    bench.close();
  });
});

describe('recirculation', () => {
  it('goes as deep as its limit, and no deeper', () => {
    const bench = createBench();
    for (let id = 0; id <= MAX_RECIRCULATION; id++) {
      const { mask, actions } = decision(`${id + 2},recirc(${id + 1})`);
      const key = bench.datapath.keyOf(frame, 1)!;
      key[1] = id;
      bench.datapath.putFlow(key, mask, actions);
    }
    for (let port = 5; port <= 9; port++) bench.addPort();
    bench.datapath.inject(1, frame);
    expect(MAX_RECIRCULATION).toBe(6);
    expect(bench.take().map(([port]) => port)).toEqual([2, 3, 4, 5, 6, 7, 8]);
    expect([lookups(bench), bench.datapath.statistics().drops]).toEqual([[7, 0, 0, 7], { 'recirculation-limit': 1 }]);
    // And again: nothing has remembered the depth.
    bench.datapath.inject(1, frame);
    expect(bench.take()).toHaveLength(7);
    bench.close();
  });

  it('asks the handler at each level', () => {
    const bench = createBench((key) =>
      decision(getField(key, 'recircId') < 3 ? `recirc(${getField(key, 'recircId') + 1})` : '2'),
    );
    bench.datapath.inject(1, frame);
    expect(bench.upcalls.map(({ key }) => getField(key, 'recircId'))).toEqual([0, 1, 2, 3]);
    bench.datapath.inject(1, frame);
    expect([lookups(bench), bench.take()]).toEqual([
      [4, 4, 0, 4],
      [
        [2, text],
        [2, text],
      ],
    ]);
    bench.close();
  });

  it('takes a tunnelled packet out and in again', () => {
    const bench = createBench();
    bench.datapath.addPort(undefined, { name: 'vxlan_sys_8472', type: 'vxlan' });
    put(bench, 1, frame, `${PUSH},2`);
    bench.datapath.inject(1, frame);
    const [[, outer]] = bench.take();
    const pop = put(bench, 2, fromHex(outer), 'tnl_pop(5)');
    const decided: number[] = [];
    const key = bench.datapath.keyOf(frame, 5)!;
    bench.datapath.putFlow(key, decision('3,4').mask, parseActions('3,4'));
    bench.datapath.inject(2, fromHex(outer));
    expect([bench.take(), decided]).toEqual([
      [
        [3, text],
        [4, text],
      ],
      [],
    ]);
    expect(bench.datapath.flow(pop)).toMatchObject({ packets: 1, bytes: frame.length + 50 });
    // A second look-up for tnl_pop.
    expect(lookups(bench)).toEqual([3, 0, 0, 3]);
    bench.close();
  });

  it('sees the tunnel of what was popped', () => {
    const bench = createBench((key) => {
      expect([
        getField(key, 'tunId'),
        getField(key, 'tunSrc'),
        getField(key, 'tunDst'),
        getField(key, 'tunTtl'),
        inPortOf(key),
      ]).toEqual([7, 0x0a0a0a01, 0x0a0a0a02, 64, 3]);
      return null;
    });
    put(bench, 1, frame, `${PUSH},tnl_pop(3)`);
    bench.datapath.inject(1, frame);
    expect(bench.upcalls.map((upcall) => upcall.frame)).toEqual([text]);
    bench.close();
  });
});
