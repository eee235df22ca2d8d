import { describe, expect, it } from 'vitest';
import { OffloadReader, VIRTIO_HEADER } from '../../src/node/virtio-header.js';
import { buildFrame, type Layer } from '../../src/packet/build.js';
import { dissect } from '../../src/packet/dissect.js';
import { PacketPool } from '../../src/packet/pool.js';
import { get16, put16 } from '../../src/util/bytes.js';
import { fold, sum16 } from '../../src/util/checksum.js';
import { Reason } from '../../src/util/reason.js';

const Kind = { none: 0, tcpIpv4: 1, udpFragments: 3, tcpIpv6: 4, udp: 5 };

/** The fields of struct virtio_net_hdr by hand (virtio 1.1, 5.1.6), little-endian, and the frame behind it. */
function withHeader(
  frame: Uint8Array,
  fields: { flags?: number; kind?: number; segment?: number; start?: number; offset?: number },
) {
  const bytes = new Uint8Array(VIRTIO_HEADER + frame.length + 32).fill(0xa5);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, fields.flags ?? 0);
  view.setUint8(1, fields.kind ?? 0);
  view.setUint16(2, 0, true);
  view.setUint16(4, fields.segment ?? 0, true);
  view.setUint16(6, fields.start ?? 0, true);
  view.setUint16(8, fields.offset ?? 0, true);
  bytes.set(frame, VIRTIO_HEADER);
  return { bytes, end: VIRTIO_HEADER + frame.length };
}

function read(given: ReturnType<typeof withHeader>): { reason: Reason; frames: Uint8Array[] } {
  const pool = new PacketPool({ slots: 64, frameBytes: 9000 });
  const reader = new OffloadReader();
  const reason = reader.begin(given.bytes, 0, VIRTIO_HEADER, given.end);
  const frames: Uint8Array[] = [];
  const longest = reader.hasMore ? reader.longest : 0;
  while (reader.hasMore) {
    const handle = pool.allocate();
    reader.next(pool, handle);
    frames.push(pool.copyFrame(handle));
    pool.release(handle);
  }
  if (frames.length > 0) expect(longest).toBe(Math.max(...frames.map(({ length }) => length)));
  return { reason, frames };
}

const ethernet: Layer = { type: 'ethernet', source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' } as Layer;

/** What TCP or UDP in one frame looks like: `tail` are the layers behind Ethernet. */
const frameWith = (...layers: unknown[]): Uint8Array => buildFrame([ethernet, ...(layers as Layer[])]);
const ipv4 = { type: 'ipv4', source: '10.0.0.1', destination: '10.0.0.2', identification: 0xfffe, dontFragment: true };
const ipv6 = { type: 'ipv6', source: 'fd00::1', destination: 'fd00::2' };
const tcp = {
  type: 'tcp',
  sourcePort: 1000,
  destinationPort: 80,
  sequence: 0xffff_ff00,
  acknowledgment: 7,
  window: 500,
};
const udp = { type: 'udp', sourcePort: 1000, destinationPort: 53 };
const payload = (length: number) => ({ type: 'payload', bytes: Uint8Array.from({ length }, (_, at) => at * 7) });

/** Puts the sum of the pseudo-header where the checksum goes: what the kernel leaves of a partial one. */
function makePartial(frame: Uint8Array, l3: number, l4: number, store: number, protocol: number): void {
  const [from, to] = frame[l3] >> 4 === 4 ? [l3 + 12, l3 + 20] : [l3 + 8, l3 + 40];
  put16(frame, l4 + store, fold(sum16(frame, from, to) + protocol + frame.length - l4));
}

describe('the virtio header', () => {
  it('says nothing about most frames', () => {
    const frame = frameWith(ipv4, tcp, payload(100));
    expect(read(withHeader(frame, {}))).toEqual({ reason: Reason.sound, frames: [frame] });
    // Verified already.
    expect(read(withHeader(frame, { flags: 2 }))).toEqual({ reason: Reason.sound, frames: [frame] });
  });

  it('has checksums completed', () => {
    for (const [layers, l4, store, protocol] of [
      [[ipv4, tcp, payload(101)], 34, 16, 6],
      [[ipv4, udp, payload(100)], 34, 6, 17],
      [[ipv6, tcp, payload(100)], 54, 16, 6],
      [[ipv6, udp, payload(33)], 54, 6, 17],
    ] as const) {
      const frame = frameWith(...layers);
      const given = frame.slice();
      makePartial(given, 14, l4, store, protocol);
      expect(given).not.toEqual(frame);
      expect(read(withHeader(given, { flags: 1, start: l4, offset: store })).frames).toEqual([frame]);
    }
  });

  it('never makes 0 of a checksum, which would say of UDP that there is none', () => {
    const frame = frameWith(ipv4, udp, payload(2));
    // A payload that makes all words sum up to 0xffff: the complement of the sum without it.
    put16(frame, 42, 0);
    put16(frame, 40, 0);
    const sum = fold(sum16(frame, 26, 34) + 17 + 10 + sum16(frame, 34, 44));
    put16(frame, 42, ~sum & 0xffff);
    makePartial(frame, 14, 34, 6, 17);
    const [completed] = read(withHeader(frame, { flags: 1, start: 34, offset: 6 })).frames;
    expect(get16(completed, 40)).toBe(0xffff);
  });

  it('has TCP cut into segments, which have all that one has', () => {
    for (const [ip, l4, kind] of [
      [ipv4, 34, Kind.tcpIpv4],
      [ipv6, 54, Kind.tcpIpv6],
    ] as const) {
      // FIN, PSH and ACK; CWR stands on the first alone.
      const whole = frameWith(ip, { ...tcp, flags: 0x99 }, payload(2500));
      const { reason, frames } = read(
        withHeader(whole, { flags: 1, kind: kind | 0x80, segment: 1000, start: l4, offset: 16 }),
      );
      expect(reason).toBe(Reason.sound);
      const expected = [
        [0, 1000, 0x90, 0],
        [1000, 2000, 0x10, 1],
        [2000, 2500, 0x19, 2],
      ].map(([from, to, flags, index]) =>
        frameWith(
          'identification' in ip ? { ...ip, identification: (0xfffe + index) & 0xffff } : ip,
          { ...tcp, flags, sequence: (0xffff_ff00 + from) >>> 0 },
          { type: 'payload', bytes: payload(2500).bytes.slice(from, to) },
        ),
      );
      expect(frames).toEqual(expected);
    }
  });

  it('has UDP cut into datagrams, behind VLAN tags too', () => {
    const vlan = { type: 'vlan', vid: 5 };
    for (const [layers, l4] of [
      [[ipv4], 34],
      [[vlan, ipv6], 58],
    ] as const) {
      const whole = frameWith(...layers, udp, payload(900));
      const { frames } = read(withHeader(whole, { flags: 1, kind: Kind.udp, segment: 400, start: l4, offset: 6 }));
      expect(frames).toHaveLength(3);
      frames.forEach((frame, index) => {
        const bytes = payload(900).bytes.slice(index * 400, index * 400 + 400);
        const ip = layers.map((layer) =>
          'identification' in layer ? { ...layer, identification: (0xfffe + index) & 0xffff } : layer,
        );
        expect(frame).toEqual(frameWith(...ip, udp, { type: 'payload', bytes }));
      });
    }
  });

  it('is refused where it contradicts the frame, at every length of it', () => {
    const whole = frameWith(ipv4, tcp, payload(50));
    const sound = { flags: 1, kind: Kind.tcpIpv4, segment: 20, start: 34, offset: 16 };
    expect(read(withHeader(whole, sound)).frames).toHaveLength(3);
    for (const wrong of [
      { ...sound, segment: 0 },
      { ...sound, kind: Kind.udpFragments },
      { ...sound, kind: 2 },
      { ...sound, kind: Kind.tcpIpv6 },
      { ...sound, start: 33 },
      { ...sound, start: 100 },
      { ...sound, start: 65_535 },
      { flags: 1, start: 103, offset: 0 },
      { flags: 1, start: 105, offset: 0 },
      { flags: 1, start: 0, offset: 103 },
      { flags: 1, start: 65_535, offset: 65_535 },
    ]) {
      expect(read(withHeader(whole, wrong)), JSON.stringify(wrong)).toEqual({ reason: Reason.badOffload, frames: [] });
    }
    // Up to the end of the TCP header there is no payload to cut.
    for (let length = 14; length <= 54; length++) {
      expect(read(withHeader(whole.slice(0, length), sound)).reason, `${length}`).toBe(Reason.badOffload);
    }
    const noTcp = whole.slice();
    noTcp[46] = 0x40;
    expect(read(withHeader(noTcp, sound)).reason).toBe(Reason.badOffload);
    const noIp = whole.slice();
    put16(noIp, 12, 0x0806);
    expect(read(withHeader(noIp, sound)).reason).toBe(Reason.badOffload);
  });

  it('leads to the same frames whatever lies behind them', () => {
    const whole = frameWith(ipv4, tcp, payload(51));
    const given = withHeader(whole, { flags: 1, kind: Kind.tcpIpv4, segment: 20, start: 34, offset: 16 });
    const other = { ...given, bytes: given.bytes.slice().fill(0x5a, given.end) };
    expect(read(given)).toEqual(read(other));
    expect(read(given).frames.every((frame) => dissect(frame) !== undefined)).toBe(true);
  });
});
