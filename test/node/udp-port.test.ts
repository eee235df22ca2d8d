import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { reasonCounts } from '../../src/util/reason.js';
import { openFrames } from '../../src/node/frames.js';
import { openUdpPort } from '../../src/node/udp-port.js';
import { frameOf, sitAt, until } from './ports.js';

async function plainSocket(port = 0) {
  const socket = createSocket('udp4');
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return Object.assign(socket, {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  });
}

describe('a UDP port', () => {
  it('sends one frame a datagram, and receives what its peer sends', async () => {
    await using peer = await plainSocket();
    const got: Uint8Array[] = [];
    peer.on('message', (datagram) => got.push(new Uint8Array(datagram)));
    await using port = await openUdpPort({ name: 'p1', bind: '127.0.0.1:0', to: `127.0.0.1:${peer.address().port}` });
    const seat = sitAt(port);
    const frames = [frameOf(1), frameOf(2, 1514), frameOf(3, 14)];
    seat.send(frames);
    await until(() => got.length === 3);
    expect(got).toEqual(frames);

    const target = Number(port.address.split(':')[1]);
    for (const frame of frames) peer.send(frame, target, '127.0.0.1');
    expect((await seat.receive(3)).map(({ frame }) => frame)).toEqual(frames);
    const bytes = 64 + 1514 + 14;
    expect(port.counters).toMatchObject({ rxPackets: 3, rxBytes: bytes, txPackets: 3, txBytes: bytes });
    expect(reasonCounts(port.counters.rxDrops)).toEqual({});
  });

  it('takes datagrams from its peer alone, and counts runts, frames beyond the MTU and what nobody waits for', async () => {
    await using peer = await plainSocket();
    await using stranger = await plainSocket();
    await using port = await openUdpPort({
      name: 'p1',
      bind: '127.0.0.1:0',
      to: `127.0.0.1:${peer.address().port}`,
      queue: 2,
    });
    const target = Number(port.address.split(':')[1]);
    peer.send(frameOf(0), target, '127.0.0.1');
    await until(() => port.counters.rxDrops.some((count) => count > 0));
    const seat = sitAt(port);
    stranger.send(frameOf(1), target, '127.0.0.1');
    peer.send(frameOf(2, 13), target, '127.0.0.1');
    peer.send(frameOf(3, 1515), target, '127.0.0.1');
    for (let number = 4; number < 9; number++) peer.send(frameOf(number), target, '127.0.0.1');
    await until(() => port.counters.rxDrops.reduce((sum, count) => sum + count) === 7);
    expect(reasonCounts(port.counters.rxDrops)).toEqual({
      'port-closed': 1,
      'unknown-remote': 1,
      runt: 1,
      'mtu-exceeded': 1,
      'queue-full': 3,
    });
    expect(seat.take().map(({ frame }) => frame)).toEqual([frameOf(4), frameOf(5)]);
  });

  it('answers to whoever sent last where it was told no peer', async () => {
    await using peer = await plainSocket();
    await using port = await openUdpPort({ name: 'p1', bind: '127.0.0.1:0' });
    const seat = sitAt(port);
    seat.send([frameOf(1)]);
    expect(reasonCounts(port.counters.txDrops)).toEqual({ 'port-closed': 1 });
    expect(port.peer).toBeUndefined();
    peer.send(frameOf(2), Number(port.address.split(':')[1]), '127.0.0.1');
    await seat.receive(1);
    const answer = once(peer, 'message');
    seat.send([frameOf(3)]);
    expect(new Uint8Array((await answer)[0])).toEqual(frameOf(3));
    expect(port.peer).toBe(`127.0.0.1:${peer.address().port}`);
  });

  it('speaks IPv6', async () => {
    await using one = await openUdpPort({ name: 'one', bind: '[::1]:0' });
    await using two = await openUdpPort({ name: 'two', bind: '[::1]:0', to: one.address });
    const seat = sitAt(one);
    sitAt(two).send([frameOf(6)]);
    expect((await seat.receive(1))[0].frame).toEqual(frameOf(6));
    expect(one.peer).toBe(two.address);
  });

  it('does not send what is beyond its MTU, what cannot be routed, or anything once it is closed', async () => {
    // 255.255.255.255 is refused by the system (EACCES): a socket must ask for broadcast first.
    await using port = await openUdpPort({ name: 'p1', bind: '0.0.0.0:0', to: '255.255.255.255:9', mtu: 100 });
    const seat = sitAt(port);
    seat.send([frameOf(1, 115), frameOf(2, 114)]);
    await until(() => reasonCounts(port.counters.txDrops)['send-failed'] === 1);
    await port.close();
    seat.send([frameOf(3)]);
    expect(reasonCounts(port.counters.txDrops)).toEqual({ 'mtu-exceeded': 1, 'send-failed': 1, 'port-closed': 1 });
    expect(port.counters.txPackets).toBe(0);
  });

  it('closes by signal, and does not open by one that is aborted', async () => {
    const control = new AbortController();
    const port = await openUdpPort({ name: 'p1', bind: '127.0.0.1:0', signal: control.signal });
    control.abort();
    expect(await port.closed).toBeUndefined();
    // The port is free again.
    await using again = await openUdpPort({ name: 'p2', bind: port.address });
    expect(again.address).toBe(port.address);
    await expect(openUdpPort({ name: 'p3', bind: '127.0.0.1:0', signal: control.signal })).rejects.toBe(
      control.signal.reason,
    );
  });

  it('says what it cannot bind, and what would help', async () => {
    await using port = await openUdpPort({ name: 'p1', bind: '127.0.0.1:0' });
    await expect(openUdpPort({ name: 'p2', bind: port.address })).rejects.toMatchObject({
      code: 'already-exists',
      message: expect.stringMatching(/cannot bind UDP 127\.0\.0\.1:\d+: .*EADDRINUSE.*; needed: .*ss -lnp/),
      cause: { code: 'EADDRINUSE' },
    });
    // 192.0.2.1 is of TEST-NET-1 (RFC 5737), and no machine's own.
    await expect(openUdpPort({ name: 'p2', bind: '192.0.2.1:0' })).rejects.toMatchObject({ code: 'not-found' });
    for (const bind of ['127.0.0.1', '127.0.0.1:65536', '::1:80', '[127.0.0.1]:80', 'a:b', '']) {
      await expect(openUdpPort({ name: 'p2', bind })).rejects.toMatchObject({ code: 'bad-address', value: bind });
    }
    await expect(openUdpPort({ name: 'p2', bind: '127.0.0.1:0', to: '127.0.0.1:0' })).rejects.toMatchObject({
      code: 'bad-address',
    });
    await expect(openUdpPort({ name: 'p2', bind: '127.0.0.1:0', mtu: 1 })).rejects.toMatchObject({
      code: 'out-of-range',
    });
    await expect(openUdpPort({ name: 'p2', bind: '127.0.0.1:0', queue: 0 })).rejects.toMatchObject({
      code: 'out-of-range',
    });
  });
});

describe('frames of a port', () => {
  it('are there to be looped over, until the port closes', async () => {
    await using one = await openUdpPort({ name: 'one', bind: '127.0.0.1:0' });
    const two = await openUdpPort({ name: 'two', bind: '127.0.0.1:0', to: one.address });
    const frames = openFrames(one);
    const sender = openFrames(two);
    const got: Uint8Array[] = [];
    const loop = (async () => {
      for await (const { frame } of frames) got.push(frame);
    })();
    for (let number = 0; number < 100; number++) sender.send(frameOf(number));
    await until(() => got.length === 100);
    expect(got).toEqual(Array.from({ length: 100 }, (_, number) => frameOf(number)));
    await one.close();
    await loop;
    expect(() => frames.send(frameOf(1))).toThrow(expect.objectContaining({ code: 'closed' }));
    expect(() => sender.send(frameOf(1, 4000))).toThrow(expect.objectContaining({ code: 'out-of-range' }));
    await two.close();
  });

  it('are left with the loop', async () => {
    await using one = await openUdpPort({ name: 'one', bind: '127.0.0.1:0' });
    await using two = await openUdpPort({ name: 'two', bind: '127.0.0.1:0', to: one.address });
    openFrames(two).send(frameOf(1));
    const frames = openFrames(one);
    for await (const { frame } of frames) {
      expect(frame).toEqual(frameOf(1));
      break;
    }
    expect(() => frames.send(frameOf(1))).toThrow(expect.objectContaining({ code: 'closed' }));
  });
});
