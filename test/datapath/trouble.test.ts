// What goes wrong in a datapath, or comes from within it: drops, userspace, execution on request, exceptions. Every slot
// must come home whatever happened.
import { describe, expect, it } from 'vitest';
import { type Upcall } from '../../src/datapath/datapath.js';
import { getField, type FlowWords } from '../../src/flow/fields.js';
import { parseActions } from '../../src/action/text-parse.js';
import type { Action } from '../../src/action/types.js';
import { toHex } from '../../src/util/bytes.js';
import { Reason } from '../../src/util/reason.js';
import { createBench, decision, put, udp, type Bench } from './bench.js';

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

describe('what cannot go on', () => {
  it('is counted: no such port, or one without a host', () => {
    const bench = createBench();
    bench.datapath.addPort(undefined, { name: 'tunnel' });
    put(bench, 1, frame, '77,5,2');
    bench.datapath.inject(1, frame);
    expect([bench.take(), bench.datapath.statistics().drops]).toEqual([[[2, text]], { 'invalid-port': 2 }]);
    bench.close();
  });

  it('is counted: userspace without a host for it', () => {
    const bench = createBench();
    put(bench, 1, frame, 'userspace(pid=1),2');
    bench.datapath.inject(1, frame);
    expect([bench.take(), bench.datapath.statistics().drops]).toEqual([[[2, text]], { 'userspace-action': 1 }]);
    bench.close();
  });

  it('is told to who asked, once a burst and reason', () => {
    const bench = createBench();
    const heard: [number, number][] = [];
    bench.datapath.onDrop = (reason, count) => void heard.push([reason, count]);
    put(bench, 1, frame, '77');
    bench.receive(1, frame, frame, frame);
    bench.receive(3, frame);
    bench.datapath.poll();
    expect(heard).toEqual([
      [Reason.invalidPort, 3],
      [Reason.upcallLost, 1],
    ]);
    bench.datapath.onDrop = undefined;
    bench.datapath.inject(1, frame);
    expect(heard).toHaveLength(2);
    bench.close();
  });

  it('is a copy that finds no slot; what needs none goes its way', () => {
    const bench = createBench(undefined, { poolOptions: { slots: 64 } });
    put(bench, 1, frame, 'clone(clone(2),2),3');
    const { pool } = bench.datapath;
    const kept = Array.from({ length: 61 }, () => pool.allocate());
    bench.receive(1, frame, frame);
    bench.datapath.poll();
    // Two packets and one copy: one clone fails, and the clones within the other.
    expect(
      bench
        .take()
        .map(([port]) => port)
        .sort(),
    ).toEqual([2, 3, 3]);
    expect(bench.datapath.statistics().drops).toEqual({ 'pool-exhausted': 2 });
    for (const packet of kept) pool.release(packet);
    bench.close();
  });

  it('is a frame that comes in and finds no slot, or none that is long enough', () => {
    const bench = createBench(undefined, { poolOptions: { slots: 64, frameBytes: 1600 } });
    const { pool } = bench.datapath;
    const kept = Array.from({ length: 64 }, () => pool.allocate());
    bench.datapath.inject(1, frame);
    bench.datapath.execute(frame, parseActions('2'));
    expect(bench.datapath.keyOf(frame)).toBeUndefined();
    for (const packet of kept) pool.release(packet);
    bench.datapath.inject(1, new Uint8Array(pool.frameBytes + 1));
    bench.datapath.execute(new Uint8Array(pool.frameBytes + 1), parseActions('2'));
    const port = bench.datapath.port(1)!;
    expect([port.rxDrops[Reason.poolExhausted], port.rxDrops[Reason.frameTooLong], port.rxPackets]).toEqual([1, 1, 0]);
    expect([bench.datapath.statistics().drops, bench.upcalls, bench.take()]).toEqual([
      { 'pool-exhausted': 1, 'frame-too-long': 1 },
      [],
      [],
    ]);
    bench.close();
  });

  it('is a frame of less than 14 bytes', () => {
    const bench = createBench(toTwo);
    bench.receive(1, frame.slice(0, 13), frame.slice(0, 14), new Uint8Array(0));
    bench.datapath.poll();
    expect(bench.take()).toEqual([[2, toHex(frame, 0, 14)]]);
    expect(bench.datapath.port(1)).toMatchObject({ rxPackets: 3, rxBytes: 27 });
    expect(bench.datapath.port(1)!.rxDrops[Reason.runt]).toBe(2);
    bench.datapath.inject(1, new Uint8Array(3));
    bench.datapath.execute(new Uint8Array(13), parseActions('2'));
    expect([bench.take(), bench.datapath.port(1)!.rxDrops[Reason.runt]]).toEqual([[], 3]);
    expect(() => bench.datapath.keyOf(new Uint8Array(13))).toThrow(
      expect.objectContaining({ code: 'bad-argument', value: 13 }),
    );
    bench.close();
  });
});

describe('userspace', () => {
  it('gets each packet, cut where trunc says so, and the packet goes on whole', () => {
    const got: [string, Action][] = [];
    const bench = createBench(undefined, {
      userspace: (packet, action) => void got.push([toHex(packet.frame), action]),
    });
    put(bench, 1, frame, '2,trunc(20),userspace(pid=3),userspace(pid=4),2');
    bench.receive(1, frame, frame);
    bench.datapath.poll();
    expect(got.map(([hex, action]) => [hex.length / 2, (action as { pid: number }).pid])).toEqual([
      [20, 3],
      [20, 3],
      [60, 4],
      [60, 4],
    ]);
    expect(bench.take()).toEqual(Array(4).fill([2, text]));
    bench.close();
  });

  it('may execute, which sends what waits as it is', () => {
    const bench = createBench(undefined, {
      userspace: () => bench.datapath.execute(udp(5, 6), parseActions('3,push_vlan(vid=5,pcp=0),4')),
    });
    put(bench, 1, frame, '2,trunc(20),userspace(pid=3)');
    bench.datapath.inject(1, frame);
    const sent = bench.take();
    expect(sent.find(([port]) => port === 2)).toEqual([2, text]);
    expect(sent.map(([port]) => port).sort()).toEqual([2, 3, 4]);
    bench.close();
  });
});

describe('the slow path', () => {
  const SLOW = 'userspace(pid=0,slow_path(action))';

  it('says for each packet what is done with it, which hits the flow all the same', () => {
    const keys: FlowWords[] = [];
    const answers = ['set(eth(dst=00:00:00:00:00:09)),2,3', '4'].map((list) => parseActions(list));
    const bench = createBench(undefined, {
      slowPath: (key) => {
        keys.push(key);
        return answers[keys.length - 1] ?? null;
      },
      userspace: () => expect.unreachable('it is the slow path that this is for'),
    });
    put(bench, 1, frame, SLOW);
    bench.receive(1, frame, frame, frame);
    bench.datapath.poll();
    const changed = `000000000009${text.slice(12)}`;
    expect(bench.take()).toEqual(
      expect.arrayContaining([
        [2, changed],
        [3, changed],
        [4, text],
      ]),
    );
    expect(keys.map((key) => getField(key, 'inPort'))).toEqual([1, 1, 1]);
    // The third found no answer.
    const { hit, missed, drops } = bench.datapath.statistics();
    expect([hit, missed, drops]).toEqual([3, 0, { 'upcall-lost': 1 }]);
    expect(bench.upcalls).toEqual([]);
    bench.close();
  });

  it('is the host of userspace where there is none', () => {
    const got: string[] = [];
    const bench = createBench(undefined, { userspace: (packet) => void got.push(toHex(packet.frame)) });
    put(bench, 1, frame, SLOW);
    bench.datapath.inject(1, frame);
    expect(got).toEqual([text]);
    bench.close();
  });
});

describe('execute', () => {
  it('does things to a copy of a frame, from the port that is named', () => {
    const bench = createBench();
    put(bench, 3, frame, '4');
    const given = frame.slice();
    bench.datapath.execute(given, parseActions('2,set(eth(src=02:00:00:00:00:77)),2,recirc(0)'), 3);
    expect(bench.take().map(([port]) => port)).toEqual([2, 2, 4]);
    expect(toHex(given)).toBe(text);
    bench.close();
  });

  it('chooses the source port by the hash of the frame', () => {
    const bench = createBench();
    put(bench, 1, frame, `${PUSH},2`);
    bench.datapath.inject(1, frame);
    bench.datapath.execute(frame, parseActions(`${PUSH},2`), 1);
    const [[, received], [, executed]] = bench.take();
    expect(executed).toBe(received);
    bench.close();
  });

  it('counts flows that it leads to as used now', () => {
    const bench = createBench();
    const flow = put(bench, 3, frame, '4');
    bench.clock.advance(500);
    bench.datapath.execute(frame, parseActions('recirc(0)'), 3);
    expect([bench.datapath.flowUsedMs(flow), bench.datapath.flowPackets(flow)]).toEqual([1500, 1]);
    bench.close();
  });

  it('may be called by the handler, at any level', () => {
    const bench = createBench((key) => {
      bench.datapath.execute(udp(5, 6), parseActions('3,clone(push_vlan(vid=5,pcp=0),4)'));
      return decision(getField(key, 'recircId') === 2 ? '2' : `recirc(${getField(key, 'recircId') + 1})`);
    });
    bench.receive(1, frame, frame);
    bench.datapath.poll();
    expect(
      bench
        .take()
        .map(([port]) => port)
        .sort(),
    ).toEqual([2, 2, 3, 3, 3, 4, 4, 4]);
    bench.close();
  });

  it('refuses actions that are not executed', () => {
    const bench = createBench();
    expect(() => bench.datapath.execute(frame, parseActions('meter(1)'))).toThrow(
      expect.objectContaining({ code: 'unsupported-action' }),
    );
    bench.close();
  });
});

describe('an exception', () => {
  /** The error is thrown for frames from host 13. */
  const isBad = (key: Int32Array): boolean => getField(key, 'ipv4Src') === 0x0a00000d;
  const decide = (key: Int32Array): Upcall => {
    if (isBad(key)) throw new Error('handler');
    return decision('2', 'ethSrc');
  };

  it('of the handler goes to who called, and leaves the datapath usable', () => {
    const bench = createBench(decide);
    expect(() => bench.datapath.inject(1, udp(13, 2))).toThrow('handler');
    expect(bench.datapath.pool.available).toBe(256);
    bench.datapath.inject(1, frame);
    expect([lookups(bench), bench.take()]).toEqual([[0, 1, 0, 1], [[2, text]]]);
    bench.close();
  });

  it('of the handler in a burst leaves no slot behind, nor what was sent before', () => {
    const bench = createBench(decide);
    bench.receive(1, udp(1, 2), udp(13, 2), udp(3, 2));
    expect(() => bench.datapath.poll()).toThrow('handler');
    expect([bench.datapath.pool.available, bench.take().map(([port]) => port)]).toEqual([256, [2]]);
    bench.close();
  });

  it('of the handler below a recirculation does not leave the depth behind', () => {
    const bench = createBench((key) => {
      if (getField(key, 'recircId') === 6) throw new Error('deep');
      return decision(`recirc(${getField(key, 'recircId') + 1})`);
    });
    for (let times = 0; times < 3; times++) expect(() => bench.datapath.inject(1, frame)).toThrow('deep');
    expect(bench.datapath.statistics().drops).toEqual({});
    bench.close();
  });

  it('of the handler in a turn of its own does not keep other ports waiting', () => {
    const bench = createBench(decide);
    bench.receive(1, udp(13, 2));
    bench.receive(3, frame);
    expect(() => bench.clock.advance(0)).toThrow('handler');
    expect(bench.take()).toEqual([]);
    bench.clock.advance(0);
    expect(bench.take()).toEqual([[2, text]]);
    bench.receive(1, frame);
    bench.clock.advance(0);
    expect(bench.take()).toEqual([[2, text]]);
    bench.close();
  });

  it('that the handler catches itself does no harm', () => {
    const bench = createBench((key) => {
      if (getField(key, 'recircId') === 1) throw new Error('inner');
      if (getField(key, 'recircId') === 0) {
        expect(() => bench.datapath.execute(udp(5, 6), parseActions('recirc(1)'), 1)).toThrow('inner');
      }
      return decision('2', 'ethSrc');
    });
    bench.receive(1, udp(1, 2), udp(2, 2), udp(1, 2));
    bench.datapath.poll();
    expect(bench.take().map(([port, hex]) => `${port}${hex[23]}`)).toEqual(['21', '22', '21']);
    expect(lookups(bench)).toEqual([1, 2, 0, 2]);
    bench.close();
  });

  it('of a host of userspace leaves the packet as long as it was, and no slot behind', () => {
    const bench = createBench(undefined, {
      userspace() {
        throw new Error('userspace');
      },
    });
    put(bench, 1, frame, '2,trunc(20),userspace(pid=1)');
    expect(() => bench.datapath.inject(1, frame)).toThrow('userspace');
    expect(bench.take()).toEqual([[2, text]]);
    bench.close();
  });

  it('of a listener leaves no slot behind, and nothing waiting', () => {
    const bench = createBench();
    put(bench, 1, frame, '2,3');
    bench.datapath.onSend = () => {
      throw new Error('listener');
    };
    expect(() => bench.datapath.inject(1, frame)).toThrow('listener');
    expect(bench.datapath.pool.available).toBe(256);
    bench.datapath.onSend = undefined;
    expect(bench.take()).toEqual([]);
    bench.datapath.inject(1, frame);
    expect(bench.take()).toEqual([
      [2, text],
      [3, text],
    ]);
    bench.close();
  });

  it('is what a call gets that comes in the midst of a burst', () => {
    const errors: unknown[] = [];
    const tryBoth = (): void => {
      for (const act of [() => bench.datapath.inject(1, frame), () => bench.datapath.poll()]) {
        try {
          act();
        } catch (error) {
          errors.push((error as { code: string }).code);
        }
      }
    };
    const bench = createBench(() => {
      tryBoth();
      return toTwo();
    });
    bench.datapath.onSend = tryBoth;
    bench.datapath.inject(1, frame);
    expect(errors).toEqual(['busy', 'busy', 'busy', 'busy']);
    bench.datapath.onSend = undefined;
    expect(bench.take()).toEqual([[2, text]]);
    bench.close();
  });
});
