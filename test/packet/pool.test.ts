// The pool: slots and their columns, who has them, what a copy has, and where frames lie.
import { describe, expect, it } from 'vitest';
import { Packet } from '../../src/packet/packet.js';
import { Extras, PacketPool, TUNNEL_WORDS } from '../../src/packet/pool.js';
import { parseTunnel, writeTunnel } from '../../src/packet/tunnel.js';
import { toHex } from '../../src/util/bytes.js';
import { randomFrom, seed } from '../wire/contract.js';

const columnsOf = (pool: PacketPool) => ({
  inPort: pool.inPort,
  hash: pool.hash,
  recircId: pool.recircId,
  extras: pool.extras,
  skbPriority: pool.skbPriority,
  skbMark: pool.skbMark,
  dpHash: pool.dpHash,
  packetType: pool.packetType,
});

/** All that a packet has beside its bytes. */
function metadataOf(pool: PacketPool, packet: number): Record<string, number> {
  return Object.fromEntries(Object.entries(columnsOf(pool)).map(([name, column]) => [name, column[packet]]));
}

function fill(pool: PacketPool, packet: number): void {
  for (const column of Object.values(columnsOf(pool))) column[packet] = 7;
  writeTunnel(pool, packet, { source: 'fd00::1', destination: 'fd00::2', id: 2 ** 40 });
  pool.extras[packet] |= Extras.metadata;
}

const CLEAR = { inPort: 0, hash: 0, recircId: 0, extras: 0, skbPriority: 0, skbMark: 0, dpHash: 0, packetType: 0 };

describe('a pool', () => {
  it.each([
    [{}],
    [{ slots: 64 }],
    [{ slots: 64, frameBytes: 64, headroom: 128 }],
    [{ slots: 65, frameBytes: 1854, headroom: 194 }],
    [{ slots: 64, frameBytes: 65535, headroom: 1024 }],
    [{ slots: 64, shared: true }],
  ])('has the slots it was asked for, each with room for a frame: %j', (options) => {
    const pool = new PacketPool(options);
    const { slots = 1024, frameBytes = 2048, headroom = 194 } = options as Record<string, number>;
    expect(pool.slots).toBe(slots);
    expect(pool.available).toBe(slots);
    expect(pool.frameBytes).toBeGreaterThanOrEqual(frameBytes);
    expect(pool.headroom).toBeGreaterThanOrEqual(headroom - 1);
    expect(pool.headroom % 4).toBe(2);
    // Frames of a burst must not fall into the same few sets of a cache.
    expect(pool.slotBytes & 1023).not.toBe(0);
    const isShared = (options as { shared?: boolean }).shared === true;
    expect(pool.buffer).toBeInstanceOf(isShared ? SharedArrayBuffer : ArrayBuffer);
    const seen = new Set<number>();
    for (let index = 0; index < slots; index++) {
      const packet = pool.allocate();
      seen.add(packet);
      const from = pool.offset[packet];
      expect([from % 4, pool.length[packet]]).toEqual([2, 0]);
      expect([pool.headroomOf(packet), pool.tailroomOf(packet)]).toEqual([pool.headroom, pool.frameBytes]);
      expect(from - pool.headroom).toBe(packet * pool.slotBytes);
      expect(from + pool.frameBytes).toBeLessThan(pool.bytes.length);
    }
    expect(seen.size).toBe(slots);
    expect([pool.available, pool.allocate(), pool.allocateCopy(new Uint8Array(1)), pool.clone(0)]).toEqual([
      0, -1, -1, -1,
    ]);
    for (const packet of seen) pool.release(packet);
    expect(pool.available).toBe(slots);
  });

  it.each([
    ['slots', 63],
    ['slots', 2 ** 20 + 1],
    ['slots', 64.5],
    ['frameBytes', 63],
    ['frameBytes', 65536],
    ['headroom', 127],
    ['headroom', 1025],
    ['headroom', NaN],
  ])('cannot have %s of %d', (name, value) => {
    expect(() => new PacketPool({ slots: 64, [name]: value })).toThrow(
      expect.objectContaining({ code: 'out-of-range', value }),
    );
  });

  it('takes frames that fit, copied', () => {
    const pool = new PacketPool({ slots: 64, frameBytes: 100 });
    const frame = new Uint8Array(pool.frameBytes).map((_, index) => index);
    expect([pool.fits(pool.frameBytes), pool.fits(pool.frameBytes + 1)]).toEqual([true, false]);
    const packet = pool.allocateCopy(frame);
    expect(toHex(pool.frame(packet))).toBe(toHex(frame));
    expect(pool.tailroomOf(packet)).toBe(0);
    expect(pool.allocateCopy(new Uint8Array(pool.frameBytes + 1))).toBe(-1);
    expect(pool.available).toBe(63);
    const copied = pool.copyFrame(packet);
    pool.frame(packet).fill(0);
    expect(toHex(copied)).toBe(toHex(frame));
    expect(toHex(pool.frame(packet))).toBe('00'.repeat(frame.length));
  });

  it('gives out slots without metadata, whatever they had before', () => {
    const pool = new PacketPool({ slots: 64 });
    const packet = pool.allocateCopy(new Uint8Array(60));
    fill(pool, packet);
    pool.offset[packet] -= 50;
    pool.release(packet);
    expect(pool.allocate()).toBe(packet);
    expect(metadataOf(pool, packet)).toEqual(CLEAR);
    expect([pool.length[packet], pool.headroomOf(packet)]).toEqual([0, pool.headroom]);
    fill(pool, packet);
    pool.reset(packet);
    expect(metadataOf(pool, packet)).toEqual(CLEAR);
    fill(pool, packet);
    pool.clearExtras(packet);
    expect(metadataOf(pool, packet)).toEqual({ ...CLEAR, inPort: 7, hash: 7, recircId: 7 });
  });

  it('copies a packet with all it has, to the same place of its slot', () => {
    const pool = new PacketPool({ slots: 64 });
    const packet = pool.allocateCopy(new Uint8Array(61).map((_, index) => index + 1));
    pool.offset[packet] += 3;
    fill(pool, packet);
    const copy = pool.clone(packet);
    expect(copy).not.toBe(packet);
    expect(toHex(pool.frame(copy))).toBe(toHex(pool.frame(packet)));
    expect(pool.headroomOf(copy)).toBe(pool.headroomOf(packet));
    expect(metadataOf(pool, copy)).toEqual(metadataOf(pool, packet));
    expect(parseTunnel(pool, copy)).toEqual(parseTunnel(pool, packet));
    expect(pool.tunnel.slice(copy * TUNNEL_WORDS, (copy + 1) * TUNNEL_WORDS)).toEqual(
      pool.tunnel.slice(packet * TUNNEL_WORDS, (packet + 1) * TUNNEL_WORDS),
    );
    // Neither knows of the other.
    pool.frame(copy).fill(0);
    pool.skbMark[copy] = 1;
    expect([pool.bytes[pool.offset[packet]], pool.skbMark[packet]]).toEqual([4, 7]);
  });

  it('copies a packet without metadata into a slot that had them', () => {
    const pool = new PacketPool({ slots: 64 });
    const plain = pool.allocateCopy(new Uint8Array(14));
    const other = pool.allocate();
    fill(pool, other);
    pool.release(other);
    expect(pool.clone(plain)).toBe(other);
    expect(metadataOf(pool, other)).toEqual(CLEAR);
  });

  it(`loses and doubles no slot (seed ${seed})`, () => {
    const random = randomFrom(seed);
    const pool = new PacketPool({ slots: 64 });
    const taken: number[] = [];
    const burst = new Int32Array(8);
    for (let round = 0; round < 5000; round++) {
      const kind = random(4);
      if (kind === 0) {
        const count = Math.min(random(9), taken.length);
        for (let index = 0; index < count; index++) burst[index] = taken.splice(random(taken.length), 1)[0];
        pool.releaseBurst(burst, count);
      } else if (kind === 1 && taken.length > 0) pool.release(taken.splice(random(taken.length), 1)[0]);
      else {
        const packet = kind === 2 || taken.length === 0 ? pool.allocate() : pool.clone(taken[random(taken.length)]);
        expect(packet === -1).toBe(taken.length === 64);
        if (packet >= 0) taken.push(packet);
      }
      expect([pool.available, new Set(taken).size]).toEqual([64 - taken.length, taken.length]);
    }
  });
});

describe('a packet', () => {
  it('is a view of a handle', () => {
    const pool = new PacketPool({ slots: 64 });
    const handle = pool.allocateCopy(new Uint8Array(20).fill(1));
    pool.inPort[handle] = 5;
    const packet = new Packet(pool, handle);
    expect([packet.inPort, packet.length, packet.frame.length]).toEqual([5, 20, 20]);
    const copy = packet.copy();
    packet.frame[0] = 9;
    expect([pool.bytes[pool.offset[handle]], copy[0]]).toEqual([9, 1]);
  });
});
