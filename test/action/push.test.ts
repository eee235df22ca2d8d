// VXLAN push: against frames that Open vSwitch 3.1.0 sent, against the encapsulation of src/wire, and the way for
// aligned starts against the way for all.
import { describe, expect, it } from 'vitest';
import { createPush, createPushTemplate, sourcePort } from '../../src/action/push.js';
import { Extras, PacketPool } from '../../src/packet/pool.js';
import { writeTunnel } from '../../src/packet/tunnel.js';
import { toHex } from '../../src/util/bytes.js';
import { encapsulate, type Outer } from '../../src/wire/vxlan.js';
import { randomFrame } from '../flow/random-frame.js';
import { randomFrom, seed } from '../wire/contract.js';
import { action, frameText, hold, recordedTunnelFrames, templateOf } from './packets.js';

const IPV4 =
  'header(size=50,type=4,eth(dst=46:a3:4e:39:12:4e,src=3a:74:f7:8c:f3:4e,dl_type=0x0800),' +
  'ipv4(src=10.10.10.1,dst=10.10.10.2,proto=17,tos=0xba,ttl=64,frag=0x4000),udp(src=0,dst=8472,csum=0x0),' +
  'vxlan(flags=0x8000000,vni=0x123456))';
const IPV6 =
  'header(size=70,type=4,eth(dst=46:a3:4e:39:12:4e,src=3a:74:f7:8c:f3:4e,dl_type=0x86dd),' +
  'ipv6(src=fd00::1,dst=fd00::2,label=0,proto=17,tclass=0xba,hlimit=64),udp(src=0,dst=8472,csum=0xffff),' +
  'vxlan(flags=0x8000000,vni=0x123456))';
const outer: Omit<Outer, 'sourcePort'> = {
  sourceMac: '3a:74:f7:8c:f3:4e',
  destinationMac: '46:a3:4e:39:12:4e',
  sourceIp: '10.10.10.1',
  destinationIp: '10.10.10.2',
  destinationPort: 8472,
  vni: 0x123456,
  ttl: 64,
  tos: 0xba,
};
const outer6 = { ...outer, sourceIp: 'fd00::1', destinationIp: 'fd00::2' };

const templateFrom = (header: string) =>
  createPushTemplate(action(`tnl_push(tnl_port(2),${header},out_port(3))`, 'tnl_push').header);

const kinds = [
  ['IPv4', IPV4, outer],
  ['IPv4 with a UDP checksum', IPV4.replace('csum=0x0', 'csum=0xffff'), { ...outer, udpChecksum: true }],
  ['IPv4 that may be fragmented', IPV4.replace('frag=0x4000', 'frag=0x0'), { ...outer, dontFragment: false }],
  ['IPv6', IPV6, { ...outer6, udpChecksum: true }],
  ['IPv6 without a UDP checksum', IPV6.replace('csum=0xffff', 'csum=0x0'), { ...outer6, udpChecksum: false }],
] as const;

describe('tnl_push', () => {
  it.each(['tx-1', 'rx-1', 'ipv6-1'])('sends every tunnelled frame of %s as it was recorded', (name) => {
    const recorded = recordedTunnelFrames(name);
    expect(recorded.length).toBeGreaterThan(5);
    for (const frames of recorded) {
      const pool = new PacketPool({ slots: 64 });
      const packet = hold(pool, frames.inner);
      createPush(pool)(Int32Array.of(packet), 1, createPushTemplate(templateOf(frames)), 3);
      expect([frames.origin, frameText(pool, packet)]).toEqual([frames.origin, toHex(frames.outer)]);
    }
  });

  it.each(kinds)(`agrees with src/wire at every alignment: %s (seed ${seed})`, (_, header, expected) => {
    const random = randomFrom(seed);
    const pool = new PacketPool({ slots: 64 });
    const push = createPush(pool);
    const template = templateFrom(header);
    for (let round = 0; round < 300; round++) {
      // A burst of mixed alignments, so that the way for aligned starts meets others on its way.
      const frames = Array.from({ length: 1 + random(8) }, () => randomFrame(random));
      const burst = Int32Array.from(frames, (frame) => hold(pool, frame, random(2) * random(5)));
      for (const packet of burst) if (random(2) === 0) pool.hash[packet] = random(2 ** 32);
      const hashes = Array.from(burst, (packet) => pool.hash[packet]);
      const ends = Array.from(burst, (packet) => pool.offset[packet] + pool.length[packet]);
      push(burst, burst.length, template, 3);
      frames.forEach((frame, index) => {
        const wanted = encapsulate(frame, { ...expected, sourcePort: sourcePort(hashes[index]) });
        expect([toHex(frame), frameText(pool, burst[index])]).toEqual([toHex(frame), toHex(wanted)]);
        expect(pool.offset[burst[index]] + pool.length[burst[index]]).toBe(ends[index]);
      });
      pool.releaseBurst(burst, burst.length);
    }
  });

  it('sends a UDP checksum that comes out as zero as 0xffff', () => {
    const pool = new PacketPool({ slots: 64 });
    const push = createPush(pool);
    const template = templateFrom(kinds[1][1]);
    const frame = new Uint8Array(16);
    // Somewhere in 16 bits is the word that makes the sum come out as zero; it is found from the checksum with a word of 0.
    const pushed = (): Uint8Array => {
      const packet = hold(pool, frame);
      push(Int32Array.of(packet), 1, template, 3);
      pool.release(packet);
      return pool.copyFrame(packet);
    };
    const first = pushed();
    frame.set(first.subarray(40, 42), 14);
    expect(toHex(pushed(), 40, 42)).toBe('ffff');
    expect(toHex(pushed())).toBe(toHex(encapsulate(frame, { ...kinds[1][2], sourcePort: 33705 })));
  });

  it('fills in what a header brings along: ports, lengths, checksum', () => {
    const clean = action(`tnl_push(tnl_port(2),${IPV4},out_port(3))`, 'tnl_push').header;
    const bytes = clean.bytes.slice();
    for (const at of [16, 17, 24, 25, 34, 35, 38, 39]) bytes[at] = 0xff;
    const pool = new PacketPool({ slots: 64 });
    const push = createPush(pool);
    const frame = randomFrame(randomFrom(1));
    const texts = [clean, { type: 4, bytes }].flatMap((header) =>
      [0, 2].map((shift) => {
        const packet = hold(pool, frame, shift);
        push(Int32Array.of(packet), 1, createPushTemplate(header), 3);
        return frameText(pool, packet);
      }),
    );
    expect(new Set(texts).size).toBe(1);
  });

  it('leaves no metadata but the way out', () => {
    const pool = new PacketPool({ slots: 64 });
    const packet = hold(pool, new Uint8Array(60));
    writeTunnel(pool, packet, { source: 'fd00::1', id: 3 });
    pool.extras[packet] |= Extras.metadata;
    for (const column of [pool.skbMark, pool.skbPriority, pool.dpHash, pool.packetType]) column[packet] = 5;
    pool.recircId[packet] = 9;
    pool.inPort[packet] = 1;
    createPush(pool)(Int32Array.of(packet), 1, templateFrom(IPV4), 7);
    expect([pool.inPort[packet], pool.recircId[packet], pool.extras[packet]]).toEqual([7, 0, 0]);
    // What is set next must not bring anything back.
    const columns = [pool.skbMark, pool.skbPriority, pool.dpHash, pool.packetType];
    expect(columns.map((column) => column[packet])).toEqual([0, 0, 0, 0]);
  });

  it.each([
    ['Geneve', { type: 5, bytes: action(`tnl_push(tnl_port(2),${IPV4},out_port(3))`, 'tnl_push').header.bytes }],
    ['a header that is too short', { type: 4, bytes: new Uint8Array(49) }],
    ['a header over neither IPv4 nor IPv6', { type: 4, bytes: new Uint8Array(50) }],
  ])('is refused for %s', (_, header) => {
    expect(() => createPushTemplate(header)).toThrow(expect.objectContaining({ code: 'unsupported-action' }));
  });
});

describe('the UDP source port', () => {
  it(`is 32768 + (hash × 28232 >> 32), in exact numbers (seed ${seed})`, () => {
    const random = randomFrom(seed);
    for (let round = 0; round < 10_000; round++) {
      const hash =
        round < 8
          ? [0, 1, -1, 0x7fff_ffff, -0x8000_0000, 0xffff, 0x1_0000, 0xffff_0000 | 0][round]
          : random(2 ** 32) | 0;
      expect(sourcePort(hash)).toBe(32768 + Number((BigInt(hash >>> 0) * 28232n) >> 32n));
    }
    expect([sourcePort(0), sourcePort(-1)]).toEqual([32768, 60999]);
  });
});
