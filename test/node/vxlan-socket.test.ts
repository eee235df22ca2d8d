import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createIpHost } from '../../src/io/host.js';
import { openVxlanSocket } from '../../src/node/vxlan-socket.js';
import { VSwitch } from '../../src/switch/vswitch.js';
import { systemClock } from '../../src/util/clock.js';
import { fromHex, toHex } from '../../src/util/bytes.js';
import { reasonCounts } from '../../src/util/reason.js';
import { frameOf, sitAt, until } from './ports.js';

// Any address of 127.0.0.0/8 is the machine's own: each is a host of its own here.
const [HERE, THERE, STRANGER] = ['127.7.0.1', '127.7.0.2', '127.7.0.3'];

async function plainSocket(address: string, port: number) {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  return Object.assign(socket, {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  });
}

/** RFC 7348 section 5 by hand: flags 08, three reserved bytes, VNI, a reserved byte. */
const header = (vni: number): string => `08000000${vni.toString(16).padStart(6, '0')}00`;

describe('a VXLAN socket', () => {
  it('sends what the metadata say, and receives with metadata that say where from', async () => {
    await using port = await openVxlanSocket({ name: 'vxlan_sys', addresses: [HERE], port: 0, remotes: [THERE] });
    await using peer = await plainSocket(THERE, port.port);
    const seat = sitAt(port);
    const got: { hex: string; address: string; port: number }[] = [];
    peer.on('message', (datagram, { address, port }) => got.push({ hex: toHex(datagram), address, port }));

    seat.send([frameOf(1)], { destination: THERE, id: 0xabcdef, key: true, ttl: 64, dontFragment: true });
    seat.send([frameOf(2)], { source: HERE, destination: THERE, id: 0, checksum: true, tos: 4 });
    await until(() => got.length === 2);
    expect(got.map(({ hex }) => hex)).toEqual([header(0xabcdef) + toHex(frameOf(1)), header(0) + toHex(frameOf(2))]);
    // The system chose its first loopback address for what had no source.
    expect(got.map(({ address }) => address)).toEqual(['127.0.0.1', HERE]);
    expect(port.sourcePorts.ipv4).toContain(got[0].port);
    expect(port.sourcePorts.ipv6).toEqual([]);
    expect(port.uncarried).toEqual({ tos: 1, dontFragment: 1, noChecksum: 1 });

    peer.send(fromHex(header(77) + toHex(frameOf(3))), port.port, HERE);
    expect(await seat.receive(1)).toEqual([
      {
        frame: frameOf(3),
        tunnel: {
          source: THERE,
          destination: HERE,
          id: 77,
          key: true,
          sourcePort: peer.address().port,
          destinationPort: port.port,
        },
      },
    ]);
    expect(port.counters).toMatchObject({ rxPackets: 1, rxBytes: 64, txPackets: 2, txBytes: 128 });
  });

  it('goes to another port where the metadata say so, and sets the TTL', async () => {
    await using port = await openVxlanSocket({ name: 'v', addresses: [HERE], port: 0, remotes: [THERE] });
    await using peer = await plainSocket(THERE, 0);
    const seat = sitAt(port);
    const message = once(peer, 'message');
    seat.send([frameOf(1)], { destination: THERE, destinationPort: peer.address().port, ttl: 1 });
    expect(toHex((await message)[0])).toBe(header(0) + toHex(frameOf(1)));
  });

  it('speaks IPv6, several VNIs and remotes on one socket', async () => {
    await using one = await openVxlanSocket({ name: 'one', addresses: [HERE, '::1'], port: 0, remotes: 'flow' });
    await using two = await openVxlanSocket({
      name: 'two',
      addresses: [THERE],
      port: one.port,
      remotes: [HERE, '127.0.0.1'],
    });
    const [left, right] = [sitAt(one), sitAt(two)];
    for (const id of [1, 2, 3]) left.send([frameOf(id)], { source: HERE, destination: THERE, id });
    expect(
      (await right.receive(3)).map(({ frame, tunnel }) => [frame, tunnel?.id, tunnel?.source, tunnel?.destination]),
    ).toEqual([1, 2, 3].map((id) => [frameOf(id), id, HERE, THERE]));
    // To itself, since no machine has two loopback addresses of IPv6.
    left.send([frameOf(6)], { destination: '::1', id: 6 });
    const [{ frame, tunnel }] = await left.receive(1);
    expect(frame).toEqual(frameOf(6));
    expect(tunnel).toMatchObject({ source: '::1', destination: '::1', id: 6, key: true });
    expect(one.sourcePorts.ipv6).toContain(tunnel?.sourcePort);
  });

  it('chooses the source port by the hash', async () => {
    await using port = await openVxlanSocket({
      name: 'v',
      addresses: [HERE],
      port: 0,
      remotes: 'flow',
      sourcePorts: 3,
    });
    await using peer = await plainSocket(THERE, port.port);
    const seat = sitAt(port);
    const ports: number[] = [];
    peer.on('message', (_, { port }) => ports.push(port));
    for (const [index, hash] of [0, 0x5555_5555, 0x5555_5556, 0xaaaa_aaaa, 0xaaaa_aaab, 0xffff_ffff].entries()) {
      seat.send([frameOf(1)], { destination: THERE }, hash);
      await until(() => ports.length === index + 1);
    }
    const [a, b, c] = port.sourcePorts.ipv4;
    expect(new Set([a, b, c]).size).toBe(3);
    expect(ports).toEqual([a, a, b, b, c, c]);
  });

  it('accepts from configured remotes only, and nothing that is no VXLAN', async () => {
    await using port = await openVxlanSocket({ name: 'v', addresses: [HERE], port: 0, remotes: [THERE], queue: 1 });
    const seat = sitAt(port);
    await using friend = await plainSocket(THERE, 0);
    await using stranger = await plainSocket(STRANGER, 0);
    const good = header(1) + toHex(frameOf(1));
    const drops = () => port.counters.rxDrops.reduce((sum, count) => sum + count);
    stranger.send(fromHex(good), port.port, HERE);
    // No header, only a part of one, no VNI flag, GPE, a reserved byte, no frame, half of an Ethernet header.
    for (const hex of [
      '',
      '080000',
      `00000000${good.slice(8)}`,
      `0c000003${good.slice(8)}`,
      `${good.slice(0, 14)}01${good.slice(16)}`,
      header(1),
      `${header(1)}0200`,
    ]) {
      friend.send(fromHex(hex), port.port, HERE);
    }
    // To a socket that only sends.
    friend.send(fromHex(good), port.sourcePorts.ipv4[0], HERE);
    await until(() => drops() === 9);
    expect(reasonCounts(port.counters.rxDrops)).toEqual({
      'unknown-remote': 1,
      truncated: 2,
      'bad-flags': 2,
      'bad-reserved': 1,
      runt: 2,
      'no-listener': 1,
    });
    friend.send(fromHex(good), port.port, HERE);
    friend.send(fromHex(good), port.port, HERE);
    await until(() => drops() === 10);
    expect(reasonCounts(port.counters.rxDrops)['queue-full']).toBe(1);
    expect(seat.take()).toHaveLength(1);

    port.setRemotes('flow');
    stranger.send(fromHex(good), port.port, HERE);
    await seat.receive(1);
    port.setRemotes([]);
    friend.send(fromHex(good), port.port, HERE);
    await until(() => reasonCounts(port.counters.rxDrops)['unknown-remote'] === 2);
  });

  it('drops what has no way out, and counts why', async () => {
    const port = await openVxlanSocket({ name: 'v', addresses: [HERE], port: 0, remotes: 'flow', mtu: 100 });
    const seat = sitAt(port);
    seat.send([frameOf(1, 115)], { destination: THERE });
    seat.send([frameOf(1)]);
    seat.send([frameOf(1)], { id: 4 });
    seat.send([frameOf(1)], { source: STRANGER, destination: THERE });
    seat.send([frameOf(1)], { destination: 'fd00::1' });
    // A socket must ask before it may broadcast: EACCES.
    seat.send([frameOf(1)], { destination: '255.255.255.255' });
    await until(() => reasonCounts(port.counters.txDrops)['send-failed'] === 1);
    await port.close();
    seat.send([frameOf(1)], { destination: THERE });
    expect(reasonCounts(port.counters.txDrops)).toEqual({
      'mtu-exceeded': 1,
      'no-tunnel-metadata': 2,
      'no-route': 2,
      'send-failed': 1,
      'port-closed': 1,
    });
    expect(port.counters.txPackets).toBe(0);
  });

  it('refuses addresses that are not here, and ports that are taken', async () => {
    const remotes = [THERE];
    await using taken = await plainSocket(HERE, 0);
    const port = taken.address().port;
    await expect(openVxlanSocket({ name: 'v', addresses: [HERE], port, remotes })).rejects.toMatchObject({
      code: 'already-exists',
    });
    await expect(openVxlanSocket({ name: 'v', addresses: ['192.0.2.1'], remotes })).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(openVxlanSocket({ name: 'v', addresses: [], remotes })).rejects.toMatchObject({ code: 'bad-option' });
    await expect(openVxlanSocket({ name: 'v', addresses: ['ens8'], remotes })).rejects.toMatchObject({
      code: 'bad-address',
    });
    await expect(openVxlanSocket({ name: 'v', addresses: [HERE], remotes: ['ens8'] })).rejects.toMatchObject({
      code: 'bad-address',
    });
    await expect(openVxlanSocket({ name: 'v', addresses: [HERE], remotes, sourcePorts: 0 })).rejects.toMatchObject({
      code: 'out-of-range',
    });
    const control = new AbortController();
    const opening = openVxlanSocket({ name: 'v', addresses: [HERE], port: 0, remotes, signal: control.signal });
    control.abort();
    await expect(opening).rejects.toBe(control.signal.reason);
  });

  it('is the tunnel device of a flow-based switch', async () => {
    const machine = async (number: number, address: string, peer: string, udpPort: number) => {
      const device = await openVxlanSocket({
        name: 'vxlan_sys',
        addresses: [address],
        port: udpPort,
        remotes: [peer, '127.0.0.1'],
      });
      const host = createIpHost({
        clock: systemClock,
        name: 'br0',
        mac: `02:00:00:00:00:0${number}`,
        addresses: [`1.1.1.${number}/24`],
      });
      const vswitch = new VSwitch({ nativeTunnels: false, tunnelDevice: () => device });
      const options = { remote_ip: peer, local_ip: address, key: '42', dst_port: String(device.port) };
      vswitch.addBridge({
        name: 'br0',
        mac: host.mac,
        local: host,
        ports: [{ name: 'vxlan1', interface: { type: 'vxlan', options } }],
      });
      return { device, host, vswitch };
    };
    const left = await machine(1, HERE, THERE, 0);
    const right = await machine(2, THERE, HERE, left.device.port);
    const { received } = await left.host.ping('1.1.1.2', { count: 3, intervalMs: 1 });
    expect(received).toBe(3);
    expect(left.device.counters).toMatchObject({ txPackets: right.device.counters.rxPackets });
    for (const { device, vswitch } of [left, right]) {
      vswitch.close();
      await device.close();
    }
  });
});
