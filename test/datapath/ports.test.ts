// The ports of a datapath: their numbers, their MTU, whose turn it is, and the end.
import { describe, expect, it } from 'vitest';
import { parseActions } from '../../src/action/text-parse.js';
import { Datapath } from '../../src/datapath/datapath.js';
import { createFunctionPort } from '../../src/io/function-port.js';
import { PortCounters, type Port, type PortHost } from '../../src/io/port.js';
import { createLink } from '../../src/io/link.js';
import { PacketPool } from '../../src/packet/pool.js';
import { ManualClock } from '../../src/util/clock.js';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { Reason } from '../../src/util/reason.js';
import { createBench, decision, put, udp } from './bench.js';

const frame = udp(1, 2);

describe('numbers', () => {
  it('are the lowest that are free, from 1 on, or what was asked for', () => {
    const bench = createBench(undefined, {}, 0);
    const { datapath } = bench;
    expect([bench.addPort(), bench.addPort(), bench.addPort({ number: 7 }), bench.addPort()]).toEqual([1, 2, 7, 3]);
    datapath.removePort(2);
    expect([bench.addPort({ name: 'again' }), bench.addPort({ name: 'next' })]).toEqual([2, 4]);
    expect(datapath.ports().map(({ number, name }) => [number, name])).toEqual([
      [1, 'port1'],
      [2, 'again'],
      [3, 'port4'],
      [4, 'next'],
      [7, 'port3'],
    ]);
    expect([
      datapath.port(7)?.name,
      datapath.port(6),
      datapath.findPort('again')?.number,
      datapath.findPort('port2'),
    ]).toEqual(['port3', undefined, 2, undefined]);
    bench.close();
  });

  it('and names are taken once', () => {
    const bench = createBench();
    const port = (name: string) => createFunctionPort({ name, send: () => undefined }).port;
    const { datapath } = bench;
    expect(() => datapath.addPort(port('port1'))).toThrow(
      expect.objectContaining({ code: 'already-exists', value: 'port1' }),
    );
    expect(() => datapath.addPort(port('other'), { number: 4 })).toThrow(
      expect.objectContaining({ code: 'already-exists', value: 4 }),
    );
    for (const number of [0, -1, 1.5, 65535, NaN]) {
      expect(() => datapath.addPort(port('other'), { number })).toThrow(
        expect.objectContaining({ code: 'out-of-range', value: number }),
      );
    }
    expect(() => datapath.addPort(undefined)).toThrow(expect.objectContaining({ code: 'bad-argument' }));
    expect(() => datapath.removePort(9)).toThrow(expect.objectContaining({ code: 'not-found', value: 9 }));
    expect(() => datapath.inject(9, frame)).toThrow(expect.objectContaining({ code: 'not-found', value: 9 }));
    expect(datapath.addPort(port('other'), { number: 65534 })).toBe(65534);
    bench.close();
  });

  it('come with what dpctl/show prints', () => {
    const bench = createBench();
    const number = bench.datapath.addPort(undefined, {
      name: 'vxlan_sys_4789',
      type: 'vxlan',
      options: { dst_port: '4789' },
    });
    expect(bench.datapath.port(number)).toMatchObject({
      number: 5,
      name: 'vxlan_sys_4789',
      type: 'vxlan',
      options: { dst_port: '4789' },
      mtu: 65535,
    });
    expect(bench.datapath.port(1)).toMatchObject({ type: 'system', options: {}, mtu: 1500 });
    const link = createLink()[0];
    expect(bench.datapath.port(bench.datapath.addPort(link, { name: 'renamed' }))?.name).toBe('renamed');
    bench.close();
  });
});

describe('the MTU', () => {
  it.each<[what: string, type: string, bytes: number, isSent: boolean]>([
    ['a frame as long as can be', '0800', 14 + 200, true],
    ['a byte more', '0800', 14 + 201, false],
    ['a tagged frame', '8100', 18 + 200, true],
    ['a byte more', '8100', 18 + 201, false],
    ['a frame of 802.1ad', '88a8', 14 + 201, false],
  ])('lets %s pass or not: 0x%s, %d bytes, %s', (_, type, bytes, isSent) => {
    const bench = createBench();
    const small = bench.addPort({ mtu: 200 });
    const long = fromHex(`02000000000a020000000009${type}${'00'.repeat(bytes - 14)}`);
    put(bench, 1, long, `${small},2`);
    bench.datapath.inject(1, long);
    expect(
      bench
        .take()
        .map(([port]) => port)
        .sort(),
    ).toEqual(isSent ? [2, small] : [2]);
    const port = bench.datapath.port(small)!;
    expect([port.txPackets, port.txBytes, port.txDrops[Reason.mtuExceeded]]).toEqual(
      isSent ? [1, bytes, 0] : [0, 0, 1],
    );
    expect(bench.datapath.port(2)).toMatchObject({ txPackets: 1, txBytes: bytes });
    bench.close();
  });

  it('lets the others of a burst pass', () => {
    const bench = createBench();
    const small = bench.addPort({ mtu: 100 });
    put(bench, 1, frame, String(small));
    const frames = [udp(1, 2, 10), udp(1, 2, 90), udp(1, 2, 20), udp(1, 2, 91)];
    bench.receive(1, ...frames);
    bench.datapath.poll();
    expect(bench.take()).toEqual([
      [small, toHex(frames[0])],
      [small, toHex(frames[2])],
    ]);
    expect(bench.datapath.port(small)!.txDrops[Reason.mtuExceeded]).toBe(2);
    bench.close();
  });
});

describe('whose turn it is', () => {
  const flood = (bench: ReturnType<typeof createBench>, counts: Record<number, number>): void => {
    for (const [port, count] of Object.entries(counts)) {
      for (let index = 0; index < count; index++) bench.receive(Number(port), udp(Number(port), 9, index & 31));
    }
  };
  const sources = (bench: ReturnType<typeof createBench>): number[] =>
    bench.take().map(([, hex]) => parseInt(hex.slice(22, 24), 16));

  it('changes after each burst of 32', () => {
    const bench = createBench(() => decision('4'));
    flood(bench, { 1: 70, 2: 40, 3: 5 });
    const turns: number[][] = [];
    for (let polled = bench.datapath.poll(1); polled > 0; polled = bench.datapath.poll(1)) {
      const from = sources(bench);
      expect([from.length, new Set(from).size]).toEqual([polled, 1]);
      turns.push([from[0], polled]);
    }
    expect(turns).toEqual([
      [1, 32],
      [2, 32],
      [3, 5],
      [1, 32],
      [2, 8],
      [1, 6],
    ]);
    bench.close();
  });

  it('is as long as the caller says, or until nothing waits', () => {
    const bench = createBench(() => decision('4'));
    flood(bench, { 1: 70, 2: 40 });
    expect([bench.datapath.poll(0), bench.datapath.poll(2), bench.datapath.poll(), bench.datapath.poll()]).toEqual([
      0, 64, 46, 0,
    ]);
    expect(bench.datapath.port(1)).toMatchObject({ rxPackets: 70 });
    bench.close();
  });

  it('comes by itself when ports wake the datapath, once for all of them', () => {
    const bench = createBench(() => decision('4'));
    flood(bench, { 1: 2, 2: 1 });
    expect([bench.clock.pending, bench.take()]).toEqual([1, []]);
    bench.clock.advance(0);
    expect([sources(bench), bench.clock.pending]).toEqual([[1, 1, 2], 0]);
    flood(bench, { 1: 1 });
    bench.clock.advance(0);
    expect(sources(bench)).toEqual([1]);
    bench.close();
  });

  it('leaves the host its own between, after 64 bursts', () => {
    const bench = createBench(() => decision('4'));
    const many = bench.addPort({ queue: 4096 });
    flood(bench, { [many]: 65 * 32 });
    let seen = -1;
    bench.clock.soon(() => void (seen = bench.sent.length));
    bench.clock.advance(0);
    expect(seen).toBe(64 * 32);
    expect(bench.take()).toHaveLength(65 * 32);
    bench.close();
  });

  it('comes when a frame arrives while the datapath works', () => {
    let answered = false;
    const bench = createBench(() => decision('4'));
    bench.addPort({
      name: 'answering',
      send: () => {
        if (!answered) bench.receive(1, udp(3, 9));
        answered = true;
      },
    });
    put(bench, 2, frame, '5', 'ethSrc');
    bench.receive(2, frame);
    bench.clock.advance(0);
    expect(sources(bench)).toEqual([3]);
    bench.close();
  });
});

describe('a port that goes', () => {
  it('is out of turn, sends what it was given before, and is sent nothing any more', () => {
    const bench = createBench();
    put(bench, 1, frame, '2,3');
    put(bench, 2, frame, '3');
    bench.receive(2, frame);
    bench.receive(1, frame);
    bench.datapath.removePort(2);
    expect(bench.ports.get(2)!.receive(frame)).toBe(Reason.portClosed);
    bench.clock.advance(0);
    expect([bench.take(), bench.datapath.statistics().drops]).toEqual([[[3, toHex(frame)]], { 'invalid-port': 1 }]);
    expect(bench.datapath.flowCount).toBe(2);
    bench.close();
  });

  it('is asked for nothing any more', () => {
    const bench = createBench();
    const calls: string[] = [];
    let host: PortHost | undefined;
    const port: Port = {
      name: 'spy',
      mtu: 1500,
      counters: new PortCounters(),
      attach: (to) => void (host = to),
      detach: () => void calls.push('detach'),
      receive: () => calls.push('receive') * 0,
      send: () => void calls.push('send'),
    };
    const number = bench.datapath.addPort(port);
    put(bench, 1, frame, String(number));
    bench.datapath.inject(1, frame);
    host!.wake();
    bench.datapath.removePort(number);
    bench.datapath.inject(1, frame);
    bench.clock.advance(0);
    expect(calls).toEqual(['send', 'detach']);
    bench.close();
  });

  it('gets what the handler had sent before it took the port away', () => {
    const bench = createBench(() => {
      bench.datapath.execute(frame, parseActions('3'));
      bench.datapath.removePort(3);
      return decision('3,4');
    });
    bench.datapath.inject(1, frame);
    expect(bench.take().map(([port]) => port)).toEqual([3, 4]);
    bench.close();
  });
});

describe('close', () => {
  it('detaches all ports, cancels what is scheduled, and may come twice', () => {
    const bench = createBench(() => decision('2'));
    bench.receive(1, frame);
    expect(bench.clock.pending).toBe(1);
    bench.close();
    bench.datapath.close();
    expect(bench.datapath.ports()).toEqual([]);
    for (const port of bench.ports.values()) expect(port.receive(frame)).toBe(Reason.portClosed);
    bench.clock.advance(1000);
    expect(bench.take()).toEqual([]);
    const { port } = createFunctionPort({ name: 'late', send: () => undefined });
    expect(() => bench.datapath.addPort(port)).toThrow(expect.objectContaining({ code: 'closed' }));
  });

  it('in the midst of a turn ends it', () => {
    const bench = createBench(() => {
      bench.datapath.close();
      return decision('2');
    });
    bench.receive(1, frame);
    bench.receive(3, frame);
    bench.clock.advance(0);
    expect([bench.take(), bench.upcalls.length, bench.clock.pending]).toEqual([[], 1, 0]);
    expect(bench.datapath.pool.available).toBe(bench.datapath.pool.slots);
  });

  it('comes with the end of a block, where the language has that', () => {
    const clock = new ManualClock();
    const pool = new PacketPool({ slots: 64 });
    const datapath = new Datapath({ upcall: () => null, clock, pool });
    expect(datapath.pool).toBe(pool);
    datapath.addPort(createLink()[0]);
    datapath[Symbol.dispose]();
    expect(datapath.ports()).toEqual([]);
  });
});
