import { describe, expect, it } from 'vitest';
import { createIpHost, type IpHost, type IpHostOptions } from '../../src/io/host.js';
import { createVxlanDevice, tunnelSourcePort, type VxlanDevice } from '../../src/io/vxlan-device.js';
import { PacketPool } from '../../src/packet/pool.js';
import { dissect } from '../../src/packet/dissect.js';
import type { TunnelMetadata } from '../../src/packet/tunnel.js';
import { ManualClock } from '../../src/util/clock.js';
import { fromHex } from '../../src/util/bytes.js';
import { hashAdd, hashFinish } from '../../src/util/hash.js';
import { Reason, reasonCounts } from '../../src/util/reason.js';
import { attachBench, numbered, type Bench } from './bench.js';
import { connectHosts, MAC_A, type Pair } from './hosts.js';

interface Setup extends Pair {
  near: Bench;
  far: Bench;
  nearDevice: VxlanDevice;
  farDevice: VxlanDevice;
}

/** Two devices, each over a host, the hosts on a link. */
function setUp(options: { a?: Partial<IpHostOptions>; port?: number } = {}): Setup {
  const pair = connectHosts({ a: options.a, mtu: 1600 });
  const port = options.port ?? 8472;
  const nearDevice = createVxlanDevice({ name: 'vxlan_sys_8472', host: pair.a, port });
  const farDevice = createVxlanDevice({ name: 'vxlan_sys_8472', host: pair.b, port });
  const pool = (): PacketPool => new PacketPool({ slots: 64 });
  return { ...pair, nearDevice, farDevice, near: attachBench(nearDevice, pool()), far: attachBench(farDevice, pool()) };
}

describe('a VXLAN device', () => {
  it('carries frames to another one over IPv4', () => {
    const { clock, near, far, nearDevice, farDevice } = setUp();
    near.sendWithTunnel(
      numbered(1, 1514),
      { destination: '10.0.0.2', id: 0x123456, tos: 0x28, ttl: 9, key: true, dontFragment: true },
      0x8000_0000,
    );
    clock.advance(1);
    expect(far.wakes).toBe(1);
    expect(far.receiveWithTunnel()).toEqual([
      {
        frame: numbered(1, 1514),
        // Never `dontFragment`, as with Open vSwitch 3.1; 0x8000_0000 is half of the range: 32768 + 28232 / 2.
        tunnel: {
          source: '10.0.0.1',
          destination: '10.0.0.2',
          id: 0x123456,
          tos: 0x28,
          ttl: 9,
          key: true,
          sourcePort: 46884,
          destinationPort: 8472,
        },
      },
    ]);
    expect(nearDevice.counters).toMatchObject({ txPackets: 1, txBytes: 1514 });
    expect(farDevice.counters).toMatchObject({ rxPackets: 1, rxBytes: 1514 });
    expect([near.pool.available, far.pool.available]).toEqual([64, 64]);
  });

  it('carries frames to another one over IPv6, with and without a UDP checksum', () => {
    const { clock, near, far } = setUp({ port: 4789 });
    for (const checksum of [true, false]) {
      near.sendWithTunnel(numbered(1), {
        source: 'fd00::1',
        destination: 'fd00::2',
        id: 7,
        ttl: 64,
        key: true,
        checksum,
      });
      clock.advance(1);
      const tunnel: TunnelMetadata = {
        source: 'fd00::1',
        destination: 'fd00::2',
        id: 7,
        ttl: 64,
        key: true,
        sourcePort: 32768,
        destinationPort: 4789,
      };
      if (checksum) tunnel.checksum = true;
      expect(far.receiveWithTunnel()).toEqual([{ frame: numbered(1), tunnel }]);
    }
  });

  it('tells of each frame only what is its own, in whatever slot it comes', () => {
    const { clock, near, far } = setUp();
    for (let round = 0; round < 4; round++) {
      const [source, destination] = round % 2 === 0 ? ['fd00::1', 'fd00::2'] : ['10.0.0.1', '10.0.0.2'];
      near.sendWithTunnel(numbered(round), { destination, id: round, ttl: 64, key: true });
      clock.advance(1);
      const tunnel: TunnelMetadata = {
        source,
        destination,
        id: round,
        ttl: 64,
        key: true,
        sourcePort: 32768,
        destinationPort: 8472,
      };
      if (round === 0) delete tunnel.id;
      expect(far.receiveWithTunnel()).toEqual([{ frame: numbered(round), tunnel }]);
    }
  });

  it('puts on the wire what the metadata say', () => {
    const clock = new ManualClock();
    const host = createIpHost({ name: 'h', mac: MAC_A, addresses: ['10.0.0.1/24', '10.0.0.7/24'], clock });
    const underlay = attachBench(host);
    const overlay = attachBench(createVxlanDevice({ name: 'vxlan_sys_4789', host }));
    const send = (tunnel: TunnelMetadata): ReturnType<typeof dissect> => {
      overlay.sendWithTunnel(numbered(1), { destination: '10.0.0.255', ...tunnel });
      return dissect(underlay.receive()[0]);
    };
    const [, ip, udp, vxlan] = send({ id: 0x99_123456, ttl: 3, tos: 1, dontFragment: true, checksum: true });
    expect(ip).toMatchObject({ source: '10.0.0.1', ttl: 3, tos: 1, dontFragment: true });
    expect(udp).toMatchObject({ sourcePort: 32768, destinationPort: 4789, length: 76 });
    expect(udp.type === 'udp' && udp.checksum).not.toBe(0);
    expect(vxlan).toMatchObject({ type: 'vxlan', vni: 0x123456, flags: 8, reserved: 0, lastReserved: 0 });
    const [, ip2, udp2] = send({ source: '10.0.0.7', destinationPort: 8472, ttl: 64 });
    expect(ip2).toMatchObject({ source: '10.0.0.7', ttl: 64, tos: 0, dontFragment: false });
    expect(udp2).toMatchObject({ destinationPort: 8472, checksum: 0 });
  });

  it('has the source ports of Open vSwitch', () => {
    // Ports that Open vSwitch 3.1 was seen to choose. Its 5-tuple hash: addresses as their wire bytes read
    // little-endian, protocol, the word of both ports; finished with 42.
    const hash = (...words: number[]): number => hashFinish(words.reduce(hashAdd, 0), 42);
    // ICMP echo request and reply between 1.1.1.1 and 1.1.1.2: type and code take the places of the ports.
    expect(tunnelSourcePort(hash(0x01010101, 0x02010101, 1, 0x0800))).toBe(56566);
    expect(tunnelSourcePort(hash(0x02010101, 0x01010101, 1, 0))).toBe(51737);
    // UDP 1.1.1.9:1111 -> 1.1.1.10:2222, and TCP 1111 -> 80.
    expect(tunnelSourcePort(hash(0x09010101, 0x0a010101, 17, 0xae085704 | 0))).toBe(46587);
    expect(tunnelSourcePort(hash(0x09010101, 0x0a010101, 6, 0x50005704))).toBe(38943);
    // The ends of the range, by hand.
    expect(tunnelSourcePort(0)).toBe(32768);
    expect(tunnelSourcePort(-1)).toBe(60999);
    expect(tunnelSourcePort(0xffff_ffff)).toBe(60999);
    // 2^32 / 28232 is 152131.1: the first hash of the second port is 152132.
    expect(tunnelSourcePort(152131)).toBe(32768);
    expect(tunnelSourcePort(152132)).toBe(32769);
  });

  it('counts what it cannot send', () => {
    const { near, nearDevice, a } = setUp();
    near.send(numbered(1));
    near.sendWithTunnel(numbered(1), { id: 5 });
    near.sendWithTunnel(numbered(1), { destination: '192.0.2.1' });
    near.sendWithTunnel(numbered(1), { source: '10.0.0.9', destination: '10.0.0.2' });
    near.sendWithTunnel(numbered(1, 1565), { destination: '10.0.0.2' });
    expect(reasonCounts(nearDevice.counters.txDrops)).toEqual({
      'no-tunnel-metadata': 2,
      'no-route': 2,
      'mtu-exceeded': 1,
    });
    expect(nearDevice.counters.txPackets).toBe(0);
    const narrow = attachBench(createVxlanDevice({ name: 'x', host: a, port: 1, mtu: 100 }));
    narrow.sendWithTunnel(numbered(1, 115), { destination: '10.0.0.2' });
    expect(narrow.port.counters.txDrops[Reason.mtuExceeded]).toBe(1);
  });

  it('refuses what is no VXLAN, by reason', () => {
    const { clock, b, near, farDevice, far } = setUp();
    const inner = new Array(14).fill('00').join('');
    // By hand from RFC 7348 section 5, and the GPE draft's P bit: flags, 3 reserved bytes, VNI, 1 reserved byte.
    const cases: [string, keyof typeof Reason][] = [
      ['', 'truncated'],
      ['08000000 000001', 'truncated'],
      [`00000000 00000100 ${inner}`, 'badFlags'],
      [`88000000 00000100 ${inner}`, 'badFlags'],
      [`08000001 00000100 ${inner}`, 'badFlags'],
      [`0c000003 00000100 ${inner}`, 'badFlags'],
      [`08000000 00000101 ${inner}`, 'badReserved'],
      [`08000000 00000100 ${inner.slice(2)}`, 'runt'],
    ];
    for (const [hex, name] of cases) {
      const before = near.port.counters.rxDrops[Reason[name]];
      b.sendUdp({ destination: '10.0.0.1', destinationPort: 8472, sourcePort: 1, payload: fromHex(hex) });
      clock.advance(1);
      expect(near.port.counters.rxDrops[Reason[name]] - before, hex).toBe(1);
    }
    expect(near.receive()).toEqual([]);
    b.sendUdp({
      destination: '10.0.0.1',
      destinationPort: 8472,
      sourcePort: 1,
      payload: fromHex(`08000000 00000100 ${inner}`),
    });
    clock.advance(1);
    expect(near.receiveWithTunnel()).toMatchObject([{ frame: new Uint8Array(14), tunnel: { id: 1, checksum: true } }]);
    expect([farDevice.counters.rxPackets, far.wakes]).toEqual([0, 0]);
  });

  it('counts what finds its queue full or nobody there', () => {
    const clock = new ManualClock();
    const pair = connectHosts();
    const device = createVxlanDevice({ name: 'v', host: pair.b, port: 8472, queue: 2 });
    const sender = attachBench(createVxlanDevice({ name: 'v', host: pair.a, port: 8472 }));
    const send = (count: number): void => {
      for (let index = 0; index < count; index++)
        sender.sendWithTunnel(numbered(index), { destination: '10.0.0.2', ttl: 64 });
      pair.clock.advance(1);
    };
    send(1);
    expect(reasonCounts(device.counters.rxDrops)).toEqual({ 'port-closed': 1 });
    const bench = attachBench(device);
    send(3);
    expect(bench.receive()).toEqual([numbered(0), numbered(1)]);
    expect(device.counters.rxDrops[Reason.queueFull]).toBe(1);
    device.detach();
    device.send(new Int32Array(1), 1);
    expect(device.receive(new Int32Array(1), 1)).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('gives its port back, and leaves no timer', () => {
    const { clock, a, b, near, nearDevice, farDevice } = setUp();
    expect(() => createVxlanDevice({ name: 'x', host: a, port: 8472 })).toThrow(
      expect.objectContaining({ code: 'already-exists' }),
    );
    expect(() => createVxlanDevice({ name: 'x', host: a, port: 0 })).toThrow(
      expect.objectContaining({ code: 'out-of-range' }),
    );
    near.sendWithTunnel(numbered(1), { destination: '10.0.0.9' });
    nearDevice.close();
    createVxlanDevice({ name: 'x', host: a, port: 8472 })[Symbol.dispose]();
    farDevice.close();
    for (const host of [a, b] as IpHost[]) host.close();
    expect(clock.pending).toBe(0);
    near.sendWithTunnel(numbered(1), { destination: '10.0.0.2' });
    expect(nearDevice.counters.txDrops[Reason.portClosed]).toBe(1);
  });

  it('keeps memory flat: no slot and no object stays behind', () => {
    const { clock, near, far, a, b } = setUp();
    const run = (frames: number): void => {
      for (let index = 0; index < frames; index++) {
        near.sendWithTunnel(numbered(index, 100), { destination: '10.0.0.2', id: 1, ttl: 64 });
        if (index % 32 === 31) {
          clock.advance(1);
          if (far.receive().length !== 32) throw new Error('frames are missing');
        }
      }
    };
    near.sendWithTunnel(numbered(1), { destination: '10.0.0.2' }); // ARP first: only eight frames wait for an answer.
    clock.advance(1);
    far.receive();
    run(3200);
    const collect = (globalThis as { gc?: () => void }).gc;
    collect?.();
    const before = process.memoryUsage().arrayBuffers;
    run(32_000);
    collect?.();
    // Array buffers are what would stay if slots or queues grew; views come and go.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
    expect([near.pool.available, far.pool.available]).toEqual([64, 64]);
    expect(reasonCounts(a.unsent)).toEqual({});
    expect(reasonCounts(b.refused)).toEqual({});
  });
});
