import { describe, expect, it } from 'vitest';
import { createLink } from '../../src/io/link.js';
import { PacketPool } from '../../src/packet/pool.js';
import { parseTunnel, writeTunnel } from '../../src/packet/tunnel.js';
import { Reason, reasonCounts } from '../../src/util/reason.js';
import { attachBench, numbered } from './bench.js';

describe('a link', () => {
  it('carries frames both ways, in order, and wakes the other side only', () => {
    const [left, right] = createLink({ names: ['a', 'b'] });
    const a = attachBench(left);
    const b = attachBench(right);
    expect([left.name, right.name, left.mtu]).toEqual(['a', 'b', 1500]);
    a.send(numbered(1), numbered(2, 1514), numbered(3, 61));
    expect([a.wakes, b.wakes, right.waiting]).toEqual([0, 1, 3]);
    b.send(numbered(4));
    expect([a.wakes, b.wakes]).toEqual([1, 1]);
    expect(b.receive()).toEqual([numbered(1), numbered(2, 1514), numbered(3, 61)]);
    expect(a.receive()).toEqual([numbered(4)]);
    expect(b.receive()).toEqual([]);
    expect(left.counters).toMatchObject({ txPackets: 3, txBytes: 60 + 1514 + 61, rxPackets: 1, rxBytes: 60 });
    expect(right.counters).toMatchObject({ txPackets: 1, rxPackets: 3, rxBytes: 60 + 1514 + 61 });
    expect([a.pool.available, b.pool.available]).toEqual([128, 128]);
  });

  it('gives at most what there is room for', () => {
    const [left, right] = createLink();
    const a = attachBench(left);
    const b = attachBench(right);
    a.send(...Array.from({ length: 7 }, (_, index) => numbered(index)));
    const burst = new Int32Array(3);
    expect(right.receive(burst, 3)).toBe(3);
    expect(b.pool.copyFrame(burst[2])).toEqual(numbered(2));
    expect(right.receive(burst, 3)).toBe(3);
    expect(right.receive(burst, 3)).toBe(1);
    expect(b.pool.copyFrame(burst[0])).toEqual(numbered(6));
  });

  it('copies every frame whole, at whatever alignment it lies', () => {
    const [left, right] = createLink({ mtu: 100 });
    const pool = new PacketPool({ slots: 64, frameBytes: 256 });
    const a = attachBench(left, pool);
    const b = attachBench(right);
    const handle = pool.allocate();
    const fresh = pool.offset[handle];
    for (let shift = -5; shift <= 5; shift++) {
      for (let length = 0; length <= 40; length++) {
        const frame = numbered(length + 1, 40).subarray(0, length);
        pool.bytes.fill(0xa5, fresh - 8, fresh + 64);
        pool.offset[handle] = fresh + shift;
        pool.length[handle] = length;
        pool.bytes.set(frame, fresh + shift);
        left.send(Int32Array.of(handle), 1);
        const [received] = b.receive();
        expect(received, `shift ${shift}, length ${length}`).toEqual(new Uint8Array(frame));
      }
    }
    expect(a.wakes).toBe(0);
  });

  it('writes nothing beyond a frame in the pool of the receiver', () => {
    const [left, right] = createLink({ mtu: 100 });
    const a = attachBench(left);
    const b = attachBench(right);
    for (const length of [0, 1, 2, 3, 17, 42]) {
      b.pool.bytes.fill(0xa5);
      a.send(numbered(1, 42).subarray(0, length));
      const burst = new Int32Array(1);
      right.receive(burst, 1);
      const { pool } = b;
      const start = pool.offset[burst[0]];
      expect(pool.bytes.subarray(start - 16, start).every((byte) => byte === 0xa5)).toBe(true);
      expect(pool.bytes.subarray(start + length, start + length + 16).every((byte) => byte === 0xa5)).toBe(true);
      pool.release(burst[0]);
    }
  });

  it('drops what exceeds the queue, the MTU, or the slots of the receiver, and counts it', () => {
    const [left, right] = createLink({ mtu: 1500, queue: 3 });
    const a = attachBench(left);
    const b = attachBench(right, new PacketPool({ slots: 64, frameBytes: 128, headroom: 128 }));
    a.send(...Array.from({ length: 5 }, (_, index) => numbered(index)));
    expect(reasonCounts(left.counters.txDrops)).toEqual({ 'queue-full': 2 });
    expect(b.receive()).toEqual([numbered(0), numbered(1), numbered(2)]);

    const tagged = numbered(1, 1518);
    tagged[12] = 0x81;
    tagged[13] = 0x00;
    a.send(numbered(9, 1515), tagged);
    expect(left.counters.txDrops[Reason.mtuExceeded]).toBe(1);
    expect(right.waiting).toBe(1);
    expect(b.receive()).toEqual([]);
    expect(right.counters.rxDrops[Reason.frameTooLong]).toBe(1);
    expect(right.counters.rxPackets).toBe(3);
  });

  it('counts what finds the pool of the receiver empty', () => {
    const [left, right] = createLink();
    const a = attachBench(left);
    const b = attachBench(right, new PacketPool({ slots: 64 }));
    for (let slot = 0; slot < 63; slot++) b.pool.allocate();
    a.send(numbered(1), numbered(2));
    const burst = new Int32Array(32);
    expect(right.receive(burst, 32)).toBe(1);
    expect(right.counters.rxDrops[Reason.poolExhausted]).toBe(1);
    expect(right.waiting).toBe(0);
  });

  it('is no link while nobody is at the other end', () => {
    const [left, right] = createLink();
    const a = attachBench(left);
    a.send(numbered(1));
    expect(left.counters.txDrops[Reason.portClosed]).toBe(1);
    const b = attachBench(right);
    expect(b.receive()).toEqual([]);
    a.send(numbered(2));
    right.detach();
    expect(right.receive(new Int32Array(1), 1)).toBe(0);
    attachBench(right);
    expect(right.waiting).toBe(0);
    a.send(numbered(3));
    expect(right.waiting).toBe(1);
    left.detach();
    left.send(new Int32Array(1), 1);
    expect(right.waiting).toBe(1);
  });

  it('carries no tunnel metadata', () => {
    const [left, right] = createLink();
    const a = attachBench(left);
    const b = attachBench(right);
    const handle = a.pool.allocateCopy(numbered(1));
    writeTunnel(a.pool, handle, { destination: '1.2.3.4' });
    left.send(Int32Array.of(handle), 1);
    const burst = new Int32Array(1);
    right.receive(burst, 1);
    expect(parseTunnel(b.pool, burst[0])).toBeNull();
  });

  it('goes on using the same few slots, however many frames pass', () => {
    const [left, right] = createLink({ queue: 8 });
    const a = attachBench(left);
    const b = attachBench(right);
    for (let round = 0; round < 1000; round++) {
      // Three at a time in a ring of eight: its end lies within a burst sooner or later.
      a.send(numbered(round), numbered(round + 1), numbered(round + 2));
      expect(b.receive().map((frame) => new DataView(frame.buffer).getUint32(14))).toEqual([
        round,
        round + 1,
        round + 2,
      ]);
    }
    expect(left.counters.txPackets).toBe(3000);
    expect(reasonCounts(left.counters.txDrops)).toEqual({});
  });

  it('refuses an MTU and a queue that cannot be', () => {
    for (const options of [{ mtu: 67 }, { mtu: 65518 }, { mtu: 1500.5 }, { queue: 0 }, { queue: 65537 }]) {
      expect(() => createLink(options)).toThrow(expect.objectContaining({ code: 'out-of-range' }));
    }
    expect(createLink({ mtu: 65517, queue: 1 })[0].mtu).toBe(65517);
  });
});
