// VXLAN pop: each check of Open vSwitch's netdev_vxlan_pop_header, the frames of recordings, and src/wire's decapsulation
// beside it over frames that chance has spoilt, through the way for common packets and the way for all.
import { describe, expect, it } from 'vitest';
import { createPop } from '../../src/action/pop.js';
import { createPush, createPushTemplate } from '../../src/action/push.js';
import { Extras, PacketPool } from '../../src/packet/pool.js';
import { parseTunnel, type TunnelMetadata } from '../../src/packet/tunnel.js';
import { fromHex, put16, toHex } from '../../src/util/bytes.js';
import { checksum } from '../../src/util/checksum.js';
import { REASON_COUNT, Reason, reasonCounts } from '../../src/util/reason.js';
import { decapsulate, encapsulate, type Outer } from '../../src/wire/vxlan.js';
import { randomFrame } from '../flow/random-frame.js';
import { randomFrom, seed } from '../wire/contract.js';
import { frameText, hold, recordedTunnelFrames, templateOf } from './packets.js';

const INNER = fromHex('02000000000a020000000009' + '88b5' + '0102030405060708');
const outer: Outer = {
  sourceMac: '3a:74:f7:8c:f3:4e',
  destinationMac: '46:a3:4e:39:12:4e',
  sourceIp: '10.10.10.2',
  destinationIp: '10.10.10.1',
  sourcePort: 40000,
  destinationPort: 8472,
  vni: 0x123456,
  ttl: 7,
  tos: 0xb9,
};
const plain = encapsulate(INNER, outer);
const summed = encapsulate(INNER, { ...outer, udpChecksum: true });
const over6 = { ...outer, sourceIp: 'fd00::2', destinationIp: 'fd00::1' };
const plain6 = encapsulate(INNER, { ...over6, udpChecksum: false });
const summed6 = encapsulate(INNER, over6);

interface Popped {
  frame?: string;
  tunnel?: TunnelMetadata | null;
  packetType?: number;
  drops: Record<string, number>;
}

function popOne(frame: Uint8Array, shift = 0, pool = new PacketPool({ slots: 64 })): Popped {
  const drops = new Float64Array(REASON_COUNT);
  const packet = hold(pool, frame, shift);
  const list = Int32Array.of(packet);
  const kept = createPop(pool)(list, 1, 9, drops);
  const { extras, packetType, hash, inPort, recircId } = pool;
  pool.release(packet);
  if (kept === 0) return { drops: reasonCounts(drops) };
  expect([hash[packet], inPort[packet], recircId[packet]]).toEqual([0, 9, 0]);
  const isTyped = (extras[packet] & Extras.metadata) !== 0;
  const answer: Popped = {
    frame: frameText(pool, packet),
    tunnel: parseTunnel(pool, packet),
    drops: reasonCounts(drops),
  };
  return isTyped ? { ...answer, packetType: packetType[packet] } : answer;
}

/** Bytes at a place replaced; the IPv4 checksum put right unless it is what is replaced. */
function patch(frame: Uint8Array, at: number, hex: string, fixes = true): Uint8Array {
  const copy = frame.slice();
  copy.set(fromHex(hex), at);
  if (fixes && copy[12] === 8) {
    put16(copy, 24, 0);
    put16(copy, 24, checksum(copy, 14, 14 + (copy[14] & 15) * 4));
  }
  return copy;
}

const TUNNEL: TunnelMetadata = {
  source: '10.10.10.2',
  destination: '10.10.10.1',
  id: 0x123456,
  tos: 0xb9,
  ttl: 7,
  key: true,
};
const TUNNEL6: TunnelMetadata = {
  ...TUNNEL,
  source: 'fd00::2',
  destination: 'fd00::1',
  sourcePort: 40000,
  destinationPort: 8472,
};
const sound = (tunnel: TunnelMetadata, frame = INNER): Popped => ({
  frame: toHex(frame),
  tunnel: expect.objectContaining(tunnel),
  drops: {},
});
const refused = (reason: string): Popped => ({ drops: { [reason]: 1 } });

// Places in a frame over IPv4 (VXLAN at 42), and over IPv6 (at 62).
const UDP_SUM = 40;
const VXLAN = 42;
const VXLAN6 = 62;

const cases: [what: string, frame: Uint8Array, expected: Popped][] = [
  ['IPv4', plain, sound(TUNNEL)],
  ['IPv4 with a UDP checksum', summed, sound({ ...TUNNEL, checksum: true })],
  ['IPv6', plain6, sound(TUNNEL6)],
  ['IPv6 with a UDP checksum', summed6, sound({ ...TUNNEL6, checksum: true })],
  ['a tag before the outer header', fromHex(toHex(plain).replace('0800450', '810000050800450')), sound(TUNNEL)],
  ['any TTL', patch(plain, 22, '00'), sound({ source: '10.10.10.2', key: true })],
  ['any fragment flags', patch(plain, 20, '0000'), sound(TUNNEL)],
  ['any UDP length', patch(plain, 38, '0000'), sound(TUNNEL)],
  ['any UDP destination port', patch(plain, 36, '0001'), sound(TUNNEL)],
  ['a VNI of zero', patch(plain, VXLAN + 4, '000000'), sound({ source: '10.10.10.2', key: true })],
  ['outer padding, which becomes inner', fromHex(`${toHex(plain)}0000`), sound(TUNNEL, fromHex(`${toHex(INNER)}0000`))],
  [
    '… that a UDP checksum covers',
    fromHex(`${toHex(summed)}0000`),
    sound({ ...TUNNEL, checksum: true }, fromHex(`${toHex(INNER)}0000`)),
  ],
  ['… and finds wrong', fromHex(`${toHex(summed)}0100`), refused('tunnel-pop-udp-checksum')],
  ['an IPv4 total length that leaves inner bytes out', patch(plain, 16, '0024'), sound(TUNNEL)],
  // Each check
  ['an IPv4 checksum that is wrong', patch(plain, 24, 'dead', false), refused('tunnel-pop-ip-checksum')],
  ['a total length beyond the end', patch(plain, 16, '0100'), refused('tunnel-pop-truncated')],
  ['a total length below the header', patch(plain, 16, '0013'), refused('tunnel-pop-truncated')],
  ['a total length without VXLAN', patch(plain, 16, '0023'), refused('tunnel-pop-truncated')],
  ['a header of 16 bytes', patch(plain, 14, '44'), refused('tunnel-pop-truncated')],
  ['IPv4 options', optioned(), refused('tunnel-pop-options')],
  ['IP version 5', patch(plain, 14, '55'), refused('tunnel-pop-version')],
  ['IP version 0', patch(plain, 14, '05'), refused('tunnel-pop-version')],
  ['a UDP checksum that is wrong', patch(plain, UDP_SUM, 'dead'), refused('tunnel-pop-udp-checksum')],
  ['… over IPv6', patch(plain6, 60, 'dead'), refused('tunnel-pop-udp-checksum')],
  ['flags without I', patch(plain, VXLAN, '00'), refused('tunnel-pop-flags')],
  ['flags of GBP', patch(plain, VXLAN, '88'), refused('tunnel-pop-flags')],
  ['a reserved bit', patch(plain, VXLAN + 2, '01'), refused('tunnel-pop-flags')],
  ['a next protocol without P', patch(plain, VXLAN + 3, '03'), refused('tunnel-pop-flags')],
  ['a last byte of the VNI word', patch(plain, VXLAN + 7, '01'), refused('tunnel-pop-flags')],
  ['IPv6 flags without I', patch(plain6, VXLAN6, '00'), refused('tunnel-pop-flags')],
  ['an IPv6 payload beyond the end', patch(plain6, 18, '0100'), refused('tunnel-pop-truncated')],
  ['an IPv6 payload without VXLAN', patch(plain6, 18, '000f'), refused('tunnel-pop-truncated')],
  ['an extension header beyond the end', patch(plain6, 20, '00'), refused('tunnel-pop-truncated')],
  ['an inner frame of 13 bytes', encapsulate(INNER.slice(0, 13), outer), refused('runt')],
  // GPE
  ['GPE with Ethernet', patch(plain, VXLAN, '0c000003'), { ...sound(TUNNEL) }],
  ['GPE with IPv4', patch(plain, VXLAN, '0c000001'), { ...sound(TUNNEL), packetType: 0x10800 }],
  ['GPE with IPv6', patch(plain, VXLAN, '0c000002'), { ...sound(TUNNEL), packetType: 0x186dd }],
  ['GPE with NSH', patch(plain6, VXLAN6, '0c000004'), { ...sound(TUNNEL6), packetType: 0x1894f }],
  ['GPE of another version', patch(plain, VXLAN, '3c000003'), sound(TUNNEL)],
  ['GPE with next protocol 0', patch(plain, VXLAN, '0c000000'), refused('tunnel-pop-flags')],
  ['GPE with next protocol 5', patch(plain, VXLAN, '0c000005'), refused('tunnel-pop-flags')],
  ['GPE with the O bit', patch(plain, VXLAN, '0d000003'), refused('tunnel-pop-flags')],
  ['GPE without I', patch(plain, VXLAN, '04000003'), refused('tunnel-pop-flags')],
  ['GPE with a reserved bit', patch(plain, VXLAN, '0c000103'), refused('tunnel-pop-flags')],
  [
    'GPE with an inner packet of a byte',
    encapsulated(1),
    { frame: '45', tunnel: expect.objectContaining(TUNNEL), packetType: 0x10800, drops: {} },
  ],
  ['GPE with nothing inside', encapsulated(0), refused('runt')],
];

/** One word of options in the outer header. */
function optioned(): Uint8Array {
  const hex = toHex(plain);
  const total = (plain.length - 14 + 4).toString(16).padStart(4, '0');
  return patch(fromHex(`${hex.slice(0, 28)}46b9${total}${hex.slice(36, 68)}01010101${hex.slice(68)}`), 14, '46');
}

/** GPE with IPv4, of `length` bytes. */
function encapsulated(length: number): Uint8Array {
  return patch(encapsulate(fromHex('45').slice(0, length), outer), VXLAN, '0c000001');
}

describe('tnl_pop', () => {
  it.each(cases)('%s', (_, frame, expected) => {
    // At 2 modulo 4, where frames begin, and anywhere else.
    for (const shift of [0, 1, 2, 3]) expect(popOne(frame, shift)).toEqual(expected);
  });

  it('skips extension headers of IPv6', () => {
    const hex = toHex(plain6);
    const length = (plain6.length - 54 + 16).toString(16).padStart(4, '0');
    const frame = fromHex(`${hex.slice(0, 36)}${length}00${hex.slice(42, 108)}1101${'00'.repeat(14)}${hex.slice(108)}`);
    expect(popOne(frame)).toEqual(sound(TUNNEL6));
  });

  it.each([plain, summed, plain6, summed6])('refuses every cut that leaves no inner frame', (frame) => {
    for (let length = 14; length < frame.length; length++) {
      const { frame: inner, drops } = popOne(frame.slice(0, length));
      // The outer lengths say more than there is.
      expect([length, inner, drops]).toEqual([length, undefined, { 'tunnel-pop-truncated': 1 }]);
    }
  });

  it.each(['tx-1', 'rx-1', 'ipv6-1'])('takes out of every tunnelled frame of %s what was put in', (name) => {
    for (const { origin, inner, outer: frame } of recordedTunnelFrames(name)) {
      expect([origin, popOne(frame).frame]).toEqual([origin, toHex(inner)]);
    }
  });

  it(`undoes a push (seed ${seed})`, () => {
    const random = randomFrom(seed);
    const pool = new PacketPool({ slots: 64 });
    const templates = ['tx-1', 'ipv6-1'].flatMap((name) =>
      recordedTunnelFrames(name)
        .slice(0, 4)
        .map((one) => createPushTemplate(templateOf(one))),
    );
    const push = createPush(pool);
    const pop = createPop(pool);
    const drops = new Float64Array(REASON_COUNT);
    for (let round = 0; round < 500; round++) {
      const frames = Array.from({ length: 1 + random(8) }, () => randomFrame(random));
      const burst = Int32Array.from(frames, (frame) => hold(pool, frame, random(4)));
      push(burst, burst.length, templates[random(templates.length)], 3);
      expect(pop(burst, burst.length, 9, drops)).toBe(frames.length);
      expect(Array.from(burst, (packet) => frameText(pool, packet))).toEqual(frames.map((frame) => toHex(frame)));
      pool.releaseBurst(burst, burst.length);
    }
    expect(reasonCounts(drops)).toEqual({});
  });

  it(`agrees with src/wire on frames that chance has spoilt, in the midst of anything (seed ${seed})`, () => {
    const random = randomFrom(seed + 1);
    let soundCount = 0;
    const pools = [0x00, 0xff].map((filling) => ({ filling, pool: new PacketPool({ slots: 64 }) }));
    for (let round = 0; round < 3000; round++) {
      const frame = [plain, summed, plain6, summed6][random(4)].slice();
      for (let count = random(3); count > 0; count--) {
        // Ethernet type and IP protocol are what a flow has matched on; they are not looked at again.
        const at = 14 + random(frame.length - 14);
        if (at === 23 || at === 20 || at === 21) continue;
        frame[at] = random(3) === 0 ? random(256) : frame[at] ^ (1 << random(8));
      }
      if (frame[12] === 8 && random(3) !== 0) {
        put16(frame, 24, 0);
        put16(frame, 24, checksum(frame, 14, 34));
      }
      const port = frame[12] === 8 ? (frame[36] << 8) | frame[37] : (frame[56] << 8) | frame[57];
      const wire = decapsulate(frame, port);
      const answers = pools.map(({ filling, pool }) => {
        pool.bytes.fill(filling, 0, pool.slotBytes + 64);
        return popOne(frame, round & 3, pool);
      });
      const context = `${toHex(frame)} (seed ${seed})`;
      expect([context, answers[1]]).toEqual([context, answers[0]]);
      const isIpv6 = frame[12] !== 8;
      // What src/wire refuses and a flow has excluded: another protocol behind IPv6.
      if (isIpv6 && frame[20] !== 17) continue;
      expect([context, answers[0].frame]).toEqual([
        context,
        wire.frame && (wire.nextProtocol !== 3 || wire.frame.length >= 14) ? toHex(wire.frame) : undefined,
      ]);
      if (wire.frame !== undefined) {
        expect(answers[0].tunnel?.id ?? 0).toBe(wire.vni);
        soundCount++;
      }
    }
    expect(soundCount).toBeGreaterThan(500);
  });

  it('keeps the sound ones of a burst in order and counts the others', () => {
    const pool = new PacketPool({ slots: 64 });
    const frames = [plain, patch(plain, VXLAN, '00'), summed6, patch(plain, 14, '55'), plain6];
    const burst = Int32Array.from(frames, (frame) => hold(pool, frame));
    const before = burst.slice();
    const drops = new Float64Array(REASON_COUNT);
    expect(createPop(pool)(burst, burst.length, 9, drops)).toBe(3);
    expect(Array.from(burst.subarray(0, 3))).toEqual([before[0], before[2], before[4]]);
    expect([drops[Reason.tunnelPopFlags], drops[Reason.tunnelPopVersion]]).toEqual([1, 1]);
  });

  it.each([
    ['common', plain],
    ['other', plain6],
  ])('leaves no metadata but those of the tunnel (%s packets)', (_, frame) => {
    const pool = new PacketPool({ slots: 64 });
    const packet = hold(pool, frame);
    pool.extras[packet] = Extras.tunnel | Extras.tunnelWide | Extras.metadata;
    const columns = [pool.skbMark, pool.skbPriority, pool.dpHash, pool.packetType];
    for (const column of columns.slice(0, 3)) column[packet] = 5;
    pool.tunnel.fill(-1, packet * 18, packet * 18 + 18);
    pool.recircId[packet] = 4;
    expect(createPop(pool)(Int32Array.of(packet), 1, 9, new Float64Array(REASON_COUNT))).toBe(1);
    expect(parseTunnel(pool, packet)).toEqual(frame === plain ? TUNNEL : TUNNEL6);
    expect([
      pool.extras[packet] & Extras.metadata,
      pool.recircId[packet],
      pool.hash[packet],
      pool.inPort[packet],
    ]).toEqual([0, 0, 0, 9]);
    expect(columns.map((column) => column[packet])).toEqual([0, 0, 0, 0]);
  });
});
